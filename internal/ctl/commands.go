package ctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// Command is one command of ntsctl: how it is called, what it does, one
// example.
type Command struct {
	Name, Args  string
	what        string
	more        string // for help COMMAND, beyond what
	example     string
	least, most int // arguments
	run         func(c *invocation, words []string) error
}

func (c Command) usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Commands lists what this version can do, in the order of help.
func Commands() []Command {
	return slices.Concat(views(), inNtpqsWords(), serving(), actions())
}

func views() []Command {
	return []Command{
		{"sources", "[-a] [-v]", "the servers: which is followed, reach, last sample", "-v adds a legend, and in words why a server is not selected, its TLS and its\ncertificate.", "ntsctl -n sources", 0, 0, (*invocation).table},
		{"tracking", "[-v]", "the clock: reference, offset, frequency, error bounds", "", "ntsctl tracking", 0, 0, (*invocation).table},
		{"authdata", "[-a] [-v]", "NTS: keys, cookies, last key establishment", "Type is the AEAD's number: 15 AES-SIV-CMAC-256, 30 AES-128-GCM-SIV.", "ntsctl authdata -v", 0, 0, (*invocation).table},
		{"sourcestats", "[-a] [-v]", "the servers: samples, frequency, jitter", "", "ntsctl -c sourcestats", 0, 0, (*invocation).table},
		{"selectdata", "[-a] [-v]", "the selection: state, options, interval", "", "ntsctl selectdata -v", 0, 0, (*invocation).table},
		{"ntpdata", "[ADDRESS]", "the last valid reply of each server, or of one", "", "ntsctl ntpdata 192.0.2.1", 0, 1, (*invocation).table},
		{"sourcename", "ADDRESS", "the configured name of the source at an address", "", "ntsctl sourcename 192.0.2.1", 1, 1, (*invocation).sourcename},
		{"activity", "", "how many sources are online, offline, unresolved", "", "ntsctl activity", 0, 0, (*invocation).table},
		{"rtcdata", "", "how far the clock chip is ahead of the clock", "Takes up to a second: the chip tells only whole ones, when they begin.", "ntsctl rtcdata", 0, 0, (*invocation).rtcdata},
		{"bootstrap", "", "how the first time was found, or what it waits for", "Each rung of the ladder: what was tried, when after the start, + or - for how it\nwent, and in words which time and which certificates were involved.", "ntsctl bootstrap", 0, 0, (*invocation).table},
		{"history", "[hour | day | week]", "how the clock was: offset, bound, frequency", "Without a word the last hour. The numbers of a graph; --json has them in rows.", "ntsctl -c history day", 0, 1, asking(tables.History)},
		{"metrics", "[textfile]", "all numbers, for Prometheus and its kin", "OpenMetrics 1.0; with textfile the older format, which the textfile collectors\nof node exporters read. Option metrics of section monitor has the daemon write\nsuch a file by itself.", "ntsctl metrics | grep synchronised", 0, 1, (*invocation).metrics},
		{"report", "", "everything above in one JSON object", "", "ntsctl report | jsonfilter -e '@.tracking.stratum'", 0, 0, (*invocation).report},
		{"top", "", "all of it, live", "Keys: q quit, n names or addresses, s sort, v words.", "ntsctl top", 0, 0, (*invocation).top},
		{"waitsync", "[TRIES [CORRECTION [SKEW [INTERVAL]]]]", "wait until the clock is synchronised", "Asks every INTERVAL seconds (10), at most TRIES times (0: for ever), until what\nis left to correct is at most CORRECTION seconds and the skew at most SKEW ppm\n(0: not checked). Exit status 1 when that did not happen. What a long wait is\nfor is said on standard error.", "ntsctl waitsync 60 0.01", 0, 4, (*invocation).waitsync},
	}
}

func actions() []Command {
	target := "SOURCE is an address or a configured name; without it all are meant."
	these := "SOURCE is an address, a subnet or a configured name; without it all are meant."
	return []Command{
		{"makestep", "[-y]", "step the clock now by what is left to correct", "Asks first when on a terminal; -y says yes.", "ntsctl makestep -y", 0, 0, (*invocation).makestep},
		{"burst", "GOOD/MAX [SOURCE]", "measure quickly: GOOD replies of MAX requests", these + fmt.Sprintf("\nMAX is at most %d.", control.MaxBurst), "ntsctl burst 4/8", 1, 2, (*invocation).action},
		{"online", "[SOURCE]", "poll again", these, "ntsctl online", 0, 1, (*invocation).action},
		{"offline", "[SOURCE]", "stop polling", these, "ntsctl offline ntp.example.net", 0, 1, (*invocation).action},
		{"onoffline", "[SOURCE]", "online where there is a route, else offline", these, "ntsctl onoffline", 0, 1, (*invocation).action},
		{"refresh", "", "resolve the names again", "", "ntsctl refresh", 0, 0, (*invocation).action},
		{"rekey", "[SOURCE]", "establish new NTS keys", target, "ntsctl rekey", 0, 1, (*invocation).action},
		{"add", "server|pool|peer NAME [OPTION ...]", "add a source, until it is deleted or the daemon ends", "As in a chrony.conf: the name, then options. It stays over a reload, and is\ngone after a restart: /etc/config/ntsd is the place for what should stay.", "ntsctl add server time.cloudflare.com nts iburst", 1, 64, (*invocation).add},
		{"delete", "SOURCE", "delete a source", "A source of the configuration comes back with reload.", "ntsctl delete time.cloudflare.com", 1, 1, (*invocation).action},
		{"reload", "[sources]", "read the configuration again", "Sources that did not change keep their samples and keys. With sources only the\nfolders that sourcedir names in a chrony.conf are read.", "ntsctl reload", 0, 1, (*invocation).action},
		{"dump", "", "write the state files now", "", "ntsctl dump", 0, 0, (*invocation).action},
		{"test", "[-4 | -6] SERVER", "ask a server once, and show all there is to know", "SERVER is a name or an address, with :PORT where key establishment has another\nport than 4460, or a directive as in chrony.conf: 'server HOST', without nts,\ntests plain NTP. A server of the configuration is tested with its options.\nThe clock is left alone; it works without a daemon, too.", "ntsctl test time.cloudflare.com", 1, 64, (*invocation).test},
		{"keygen", "[ID [TYPE [BITS]]]", "make a symmetric key", "A line for the file of a section keyfile or key; umask 077 before it keeps it\nfrom others. TYPE is AES128 unless said otherwise; BITS can be said of MD5 and\nthe SHAs.", "ntsctl keygen 7 > /etc/ntsd/key7", 0, 3, (*invocation).keygen},
		{"import", "FILE [batch]", "turn another daemon's configuration into ours", "FILE is a chrony.conf, an ntp.conf, or the word chrony or system for OpenWrt's\nfiles. The result goes to standard output, for uci import, or for /etc/ntsd/ntsd\nwhere there is no uci; with batch as commands for uci batch, which add to what\nis there. What has no equivalent is named. Files that it includes are read, too.", "ntsctl import chrony | uci import ntsd", 1, 3, (*invocation).imports},
		{"rpcd", "list | call METHOD", "answer rpcd for LuCI's pages", "What the daemon's ubus object does, where that is not there: rpcd's plugin calls\nthis with the arguments as JSON on standard input.", "echo '{\"span\":\"day\"}' | ntsctl rpcd call history", 1, 2, (*invocation).rpcd},
		{"options", "[SECTION]", "what can stand in /etc/config/ntsd", "Each option with its default; for one type of section also which values it may\nhave. --json has all of it.", "ntsctl options server", 0, 1, (*invocation).options},
		{"help", "[COMMAND]", "this, or one command with an example", "", "ntsctl help waitsync", 0, 1, (*invocation).help},
		{"completion", "[bash | zsh]", "print the completion for a shell", "Without a word what chooses by itself; other shells take it and do nothing.", `eval "$(ntsctl completion)"`, 0, 1, (*invocation).completion},
		{"version", "", "print the version", "", "ntsctl version", 0, 0, (*invocation).version},
	}
}

// find returns the command called name.
func find(name string) (Command, bool) {
	for _, c := range Commands() {
		if c.Name == name {
			return c, true
		}
	}
	return Command{}, false
}

// noCommand says so, with the commands that may have been meant.
func noCommand(name string) error {
	var near []string
	for _, c := range Commands() {
		if len(name) > 1 && (strings.HasPrefix(c.Name, name) || strings.HasPrefix(name, c.Name)) {
			near = append(near, c.Name)
		}
	}
	if len(near) > 0 {
		return failf(ExitUsage, "no command %q, but %s; ntsctl help lists them", name, strings.Join(near, " and "))
	}
	if answer := instead(name); answer != "" {
		return failf(ExitUsage, "no command %q: %s", name, answer)
	}
	var all []string
	for _, c := range Commands() {
		all = append(all, c.Name)
	}
	return failf(ExitUsage, "no command %q%s", name, cmp.Or(config.Nearest(name, all), "; ntsctl help lists them"))
}

// usageWidth is the first column of help; the second fits a terminal.
const usageWidth = 23

// Summary is the text of help.
func Summary() string {
	var b strings.Builder
	b.WriteString("usage: ntsctl [FLAGS] COMMAND [ARGUMENTS]\n\n")
	for _, c := range Commands() {
		usage := c.usage()
		if len(usage) > usageWidth {
			usage = c.Name + " ..."
		}
		fmt.Fprintf(&b, "  %-*s %s\n", usageWidth, usage, c.what)
	}
	b.WriteString(`
  -n  addresses instead of names      -N  configured names in full
  -c  comma-separated values          --json  JSON
  -v  legend, and words below rows    -a  sources without an address too
  -h SOCKET  the daemon's socket (` + defaultSocket + `)
  -m  each argument is a command      -e  a dot ends each response
  -y  do not ask

Without a command ntsctl asks for them, or reads them from standard input.

Exit status: 0 done, 1 not done, 2 used wrongly, 3 daemon not reachable.
"ntsctl help COMMAND" shows one example.
`)
	return b.String()
}

// help prints the summary or one command.
func (c *invocation) help(words []string) error {
	if c.opts.json {
		return c.helpJSON(words[1:])
	}
	if len(words) == 1 {
		return c.print(Summary())
	}
	name := words[1]
	cmd, ok := find(name)
	if !ok {
		return noCommand(name)
	}
	text := fmt.Sprintf("usage: ntsctl %s\n\n%s.\n", cmd.usage(), strings.ToUpper(cmd.what[:1])+cmd.what[1:])
	if cmd.more != "" {
		text += cmd.more + "\n"
	}
	return c.print(here(text) + "\nExample: " + cmd.example + "\n")
}

// helpJSON lists the commands, or one of them, for programs.
func (c *invocation) helpJSON(only []string) error {
	type row struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
		What      string `json:"what"`
		Example   string `json:"example"`
	}
	var rows []row
	for _, cmd := range Commands() {
		if len(only) == 0 || only[0] == cmd.Name {
			rows = append(rows, row{cmd.Name, cmd.Args, cmd.what, cmd.example})
		}
	}
	if len(rows) == 0 {
		return noCommand(only[0])
	}
	if err := status.WriteJSON(c.stdout, rows); err != nil {
		return writeFailure(err)
	}
	return nil
}

// version prints the client's version; the daemon's is in report.
func (c *invocation) version([]string) error {
	if c.opts.json {
		if err := status.WriteJSON(c.stdout, map[string]string{"version": c.release}); err != nil {
			return writeFailure(err)
		}
		return nil
	}
	return c.print("ntsctl (ntsd) version " + c.release + "\n")
}

// print writes to standard output.
func (c *invocation) print(text string) error {
	if _, err := fmt.Fprint(c.stdout, text); err != nil {
		return writeFailure(err)
	}
	return nil
}
