package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"ntsd/internal/config"
	"ntsd/internal/foreign"
	"ntsd/internal/rpcd"
	"ntsd/internal/status"
)

// imports prints the configuration of another daemon as ours; what has no
// equivalent is named on standard error.
func (c *invocation) imports(words []string) error {
	words = words[1:]
	if len(words) > 1 && words[1] != "batch" && slices.Contains([]string{"chrony", "ntp"}, words[0]) {
		words = words[1:] // whose file it is stands in it
	}
	file, batch := words[0], len(words) > 1
	if batch && (words[1] != "batch" || len(words) > 2) {
		return failf(ExitUsage, "import: %q: only \"batch\" can follow the file; see ntsctl help import", words[len(words)-1])
	}
	// The names of OpenWrt's packages, as uci takes them.
	if slices.Contains([]string{"chrony", "system"}, file) {
		file = "/etc/config/" + file
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return cannotImport(file, err)
	}
	p, diagnostics := foreign.Import(file, text, foreign.Disk{})
	for _, d := range diagnostics {
		fmt.Fprintf(c.stderr, "ntsctl: %s: %s\n", d.Severity, d)
	}
	if p == nil {
		return failf(ExitFailed, "import: %s is no configuration that is known: a chrony.conf, an ntp.conf, or OpenWrt's chrony or system", file)
	}
	out := p.AppendExport(nil)
	if batch {
		out = foreign.AppendBatch(nil, p)
	}
	var printed error
	if c.opts.json {
		printed = status.WriteJSON(c.stdout, rpcd.Sections(p))
	} else {
		printed = c.print(string(out))
	}
	if printed != nil {
		return printed
	}
	if config.HasErrors(diagnostics) {
		return failf(ExitFailed, "import: what is named above is missing from the result, or wrong in it: correct it in %s and import again, or set it with uci", file)
	}
	return nil
}

// cannotImport says why a file cannot be read, and what to do.
func cannotImport(file string, err error) error {
	why, next := err, "see ntsctl help import"
	var path *fs.PathError
	if errors.As(err, &path) {
		why = path.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		next = "name the file to import, as in ntsctl import /etc/chrony/chrony.conf"
	case errors.Is(err, syscall.EISDIR):
		next = "name a file in it"
	case errors.Is(err, fs.ErrPermission):
		next = "run ntsctl as root"
	}
	return failf(ExitFailed, "import: cannot read %s: %v; %s", file, why, next)
}
