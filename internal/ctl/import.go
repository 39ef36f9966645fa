package ctl

import (
	"fmt"
	"os"
	"slices"

	"ntsd/internal/config"
	"ntsd/internal/foreign"
	"ntsd/internal/rpcd"
	"ntsd/internal/status"
)

// imports prints the configuration of another daemon as ours; what has no
// equivalent is named on standard error.
func (c *invocation) imports(words []string) error {
	file := words[1]
	if len(words) > 2 && words[2] != "batch" {
		return failf(ExitUsage, "%q: only \"batch\" can follow the file", words[2])
	}
	// The names of OpenWrt's packages, as uci takes them.
	if slices.Contains([]string{"chrony", "system"}, file) {
		file = "/etc/config/" + file
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return failf(ExitFailed, "%v", err)
	}
	p, diagnostics := foreign.Import(file, text, foreign.Disk{})
	for _, d := range diagnostics {
		fmt.Fprintf(c.stderr, "ntsctl: %s: %s\n", d.Severity, d)
	}
	if p == nil {
		return failf(ExitFailed, "%s cannot be read", file)
	}
	out := p.AppendExport(nil)
	if len(words) > 2 {
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
		return failf(ExitFailed, "not all of %s was understood", file)
	}
	return nil
}
