package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"ntsd/internal/control"
)

// ctlCommand is one command of ntsctl: how it is called, what it does, one
// example.
type ctlCommand struct {
	name, args  string
	what        string
	more        string // for help COMMAND, beyond what
	example     string
	least, most int // arguments
	run         func(c *ctl, words []string) error
}

func (c ctlCommand) usage() string { return strings.TrimSpace(c.name + " " + c.args) }

// ctlCommands lists what this version can do, in the order of help.
func ctlCommands() []ctlCommand {
	return slices.Concat(ctlViews(), ctlServing(), ctlActions())
}

func ctlViews() []ctlCommand {
	return []ctlCommand{
		{"sources", "[-a] [-v]", "the servers: which is followed, reach, last sample", "-v adds a legend, and in words why a server is not selected, its TLS and its\ncertificate.", "ntsctl -n sources", 0, 0, (*ctl).table},
		{"tracking", "[-v]", "the clock: reference, offset, frequency, error bounds", "", "ntsctl tracking", 0, 0, (*ctl).table},
		{"authdata", "[-a] [-v]", "NTS: keys, cookies, last key establishment", "Type is the AEAD's number: 15 AES-SIV-CMAC-256, 30 AES-128-GCM-SIV.", "ntsctl authdata -v", 0, 0, (*ctl).table},
		{"sourcestats", "[-a] [-v]", "the servers: samples, frequency, jitter", "", "ntsctl -c sourcestats", 0, 0, (*ctl).table},
		{"selectdata", "[-a] [-v]", "the selection: state, options, interval", "", "ntsctl selectdata -v", 0, 0, (*ctl).table},
		{"ntpdata", "[ADDRESS]", "the last valid reply of each server, or of one", "", "ntsctl ntpdata 192.0.2.1", 0, 1, (*ctl).table},
		{"activity", "", "how many sources are online, offline, unresolved", "", "ntsctl activity", 0, 0, (*ctl).table},
		{"report", "", "everything above in one JSON object", "", "ntsctl report | jsonfilter -e '@.tracking.stratum'", 0, 0, (*ctl).report},
		{"top", "", "all of it, live", "Keys: q quit, n names or addresses, s sort, v words.", "ntsctl top", 0, 0, (*ctl).top},
		{"waitsync", "[TRIES [CORRECTION [SKEW [INTERVAL]]]]", "wait until the clock is synchronised", "Asks every INTERVAL seconds (10), at most TRIES times (0: for ever), until what\nis left to correct is at most CORRECTION seconds and the skew at most SKEW ppm\n(0: not checked). Exit status 1 when that did not happen. What a long wait is\nfor is said on standard error.", "ntsctl waitsync 60 0.01", 0, 4, (*ctl).waitsync},
	}
}

func ctlActions() []ctlCommand {
	target := "SOURCE is an address or a configured name; without it all are meant."
	return []ctlCommand{
		{"makestep", "[-y]", "step the clock now by what is left to correct", "Asks first when on a terminal; -y says yes.", "ntsctl makestep -y", 0, 0, (*ctl).makestep},
		{"burst", "GOOD/MAX [SOURCE]", "measure quickly: GOOD replies of MAX requests", target + fmt.Sprintf("\nMAX is at most %d.", control.MaxBurst), "ntsctl burst 4/8", 1, 2, (*ctl).action},
		{"online", "[SOURCE]", "poll again", target, "ntsctl online", 0, 1, (*ctl).action},
		{"offline", "[SOURCE]", "stop polling", target, "ntsctl offline ntp.example.net", 0, 1, (*ctl).action},
		{"onoffline", "[SOURCE]", "online where there is a route, else offline", target, "ntsctl onoffline", 0, 1, (*ctl).action},
		{"refresh", "", "resolve the names again", "", "ntsctl refresh", 0, 0, (*ctl).action},
		{"rekey", "[SOURCE]", "establish new NTS keys", target, "ntsctl rekey", 0, 1, (*ctl).action},
		{"reload", "", "read the configuration again", "Sources that did not change keep their samples and keys.", "ntsctl reload", 0, 0, (*ctl).action},
		{"dump", "", "write the state files now", "", "ntsctl dump", 0, 0, (*ctl).action},
		{"help", "[COMMAND]", "this, or one command with an example", "", "ntsctl help waitsync", 0, 1, (*ctl).help},
		{"completion", "", "print the completion for bash", "", `eval "$(ntsctl completion)"`, 0, 0, (*ctl).completion},
		{"version", "", "print the version", "", "ntsctl version", 0, 0, (*ctl).version},
	}
}

// ctlIsLater reports whether name is a command that the manuals of this
// program's kind know and a later version will have.
func ctlIsLater(name string) bool {
	return slices.Contains([]string{
		"smoothing", "rtcdata", "nts", "peers", "bootstrap", "ca", "import",
		"history", "metrics", "test", "add", "delete",
	}, name)
}

// ctlFind returns the command called name.
func ctlFind(name string) (ctlCommand, bool) {
	for _, c := range ctlCommands() {
		if c.name == name {
			return c, true
		}
	}
	return ctlCommand{}, false
}

// noCommand says so, with the commands that may have been meant.
func noCommand(name string) error {
	var near []string
	for _, c := range ctlCommands() {
		if len(name) > 1 && (strings.HasPrefix(c.name, name) || strings.HasPrefix(name, c.name)) {
			near = append(near, c.name)
		}
	}
	if len(near) > 0 {
		return ctlFailure(exitUsage, "no command %q, but %s; ntsctl help lists them", name, strings.Join(near, " and "))
	}
	return ctlFailure(exitUsage, "no command %q; ntsctl help lists them", name)
}

// usageWidth is the first column of help; the second fits a terminal.
const usageWidth = 23

// ctlSummary is the text of help.
func ctlSummary() string {
	var b strings.Builder
	b.WriteString("usage: ntsctl [FLAGS] COMMAND [ARGUMENTS]\n\n")
	for _, c := range ctlCommands() {
		usage := c.usage()
		if len(usage) > usageWidth {
			usage = c.name + " ..."
		}
		fmt.Fprintf(&b, "  %-*s %s\n", usageWidth, usage, c.what)
	}
	b.WriteString(`
  -n  addresses instead of names      -N  configured names in full
  -c  comma-separated values          --json  JSON
  -v  legend, and words below rows    -a  sources without an address too
  -h SOCKET  the daemon's socket (` + defaultSocket + `)
  -y  do not ask

Exit status: 0 done, 1 not done, 2 used wrongly, 3 daemon not reachable.
"ntsctl help COMMAND" shows one example.
`)
	return b.String()
}

// help prints the summary or one command.
func (c *ctl) help(words []string) error {
	if len(words) == 1 {
		return c.print(ctlSummary())
	}
	name := words[1]
	cmd, ok := ctlFind(name)
	switch {
	case !ok && ctlIsLater(name):
		return ctlFailure(exitFailed, "%s is not in this version", name)
	case !ok:
		return noCommand(name)
	}
	text := fmt.Sprintf("usage: ntsctl %s\n\n%s.\n", cmd.usage(), strings.ToUpper(cmd.what[:1])+cmd.what[1:])
	if cmd.more != "" {
		text += cmd.more + "\n"
	}
	return c.print(text + "\nExample: " + cmd.example + "\n")
}

// completion prints what bash needs to complete commands, flags, and the
// sources that the running daemon knows.
func (c *ctl) completion([]string) error {
	var names, targets []string
	for _, cmd := range ctlCommands() {
		names = append(names, cmd.name)
		if strings.Contains(cmd.args, "SOURCE") || strings.Contains(cmd.args, "ADDRESS") {
			targets = append(targets, cmd.name)
		}
	}
	return c.print(strings.NewReplacer(
		"COMMANDS", strings.Join(names, " "), "TARGETS", strings.Join(targets, "|"),
	).Replace(completionScript))
}

// completionScript needs bash alone, without the package bash-completion.
//
//go:embed completion.bash
var completionScript string //nolint:gochecknoglobals // go:embed wants a variable

// version prints the client's version; the daemon's is in report.
func (c *ctl) version([]string) error { return c.print("ntsctl (ntsd) version " + version + "\n") }

// print writes to standard output.
func (c *ctl) print(text string) error {
	if _, err := fmt.Fprint(c.stdout, text); err != nil {
		return writeFailure(err)
	}
	return nil
}
