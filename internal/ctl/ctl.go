// Package ctl is ntsctl, the command-line client: its commands, its tables and
// the live view. It stands beside the daemon in layer 3 and knows it only by
// its control socket and its report.
package ctl

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/probe"
	"ntsd/internal/status"
	"ntsd/internal/tables"
	"ntsd/internal/terminal"
	"ntsd/internal/wording"
)

// Exit statuses, for ntsd and ntsctl alike.
const (
	ExitDone        = 0 // the thing asked for is done
	ExitFailed      = 1 // it did not succeed: not synchronised, no reply
	ExitUsage       = 2 // used wrongly
	ExitUnreachable = 3 // the daemon is not there
)

// The daemon's socket lies in run_dir; -h says where when that is not the
// default.
const (
	SocketName    = "ntsd.sock"
	defaultSocket = config.DefaultRunDir + "/" + SocketName
)

// Program is what ntsctl needs of the program that it is a part of.
type Program struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Version        string
	// Test tests a server without a daemon.
	Test func(ctx context.Context, t probe.Target, tell func(probe.Result)) probe.Result
	// ClockChip is the kernel's folder about the clock chip; empty: the first
	// one's.
	ClockChip string
}

// invocation is one run of ntsctl.
type invocation struct {
	stdin          io.Reader
	lines          *bufio.Reader // of stdin; see input
	stdout, stderr io.Writer
	opts           options
	client         Client
	release        string // the program's version
	chip           string // folder about the clock chip
	probe          func(ctx context.Context, t probe.Target, tell func(probe.Result)) probe.Result
}

// options are ntsctl's flags, which may stand before or after the command.
type options struct {
	socket  string
	table   tables.Options
	json    bool
	yes     bool
	help    bool
	version bool
	several bool // -m: each argument is a command
	dots    bool // -e: a dot ends each response
}

// failure is a failure with its exit status and its one line for people.
type failure struct {
	status int
	text   string
	cause  error // may be nil
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.cause }

// failf makes a failure; errors among args are put in words for people.
func failf(status int, format string, args ...any) error {
	for i, a := range args {
		if err, ok := a.(error); ok {
			args[i] = wording.Of(err)
		}
	}
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

// Main runs ntsctl and returns its exit status.
func Main(args []string, p Program) int {
	c := &invocation{stdin: p.Stdin, stdout: p.Stdout, stderr: p.Stderr, release: p.Version, probe: p.Test, chip: cmp.Or(p.ClockChip, clockChip)}
	err := c.run(args)
	if err == nil {
		return ExitDone
	}
	if said := (known{}); !errors.As(err, &said) {
		c.tell(err)
	}
	var f *failure
	if errors.As(err, &f) {
		return f.status
	}
	return ExitFailed
}

// tell says on standard error what went wrong. What a file, a server or a user
// wrote may be in it: one line, and no escapes. A failure is in words for people
// already, and what it names may be called like a package.
func (c *invocation) tell(err error) {
	text := err.Error()
	if f := (*failure)(nil); !errors.As(err, &f) {
		text = wording.Of(err)
	}
	fmt.Fprintf(c.stderr, "ntsctl: %s\n", status.Printable(text))
}

// run carries out what the command line says: one command, several, or those of
// standard input.
func (c *invocation) run(args []string) error {
	c.opts.socket = defaultSocket
	words, err := c.opts.parse(args)
	switch {
	case err != nil:
		return err
	case c.opts.several:
		return c.each(words)
	case len(words) > 0 || c.opts.help:
	case c.opts.version || c.opts.table.Verbose: // chronyc's -v
		words = []string{"version"}
	case c.interactive() || !c.typed():
		if n, err := c.session(); n > 0 || err != nil || c.interactive() {
			return err
		}
		fallthrough
	default:
		fmt.Fprint(c.stderr, Summary())
		return failf(ExitUsage, "no command given")
	}
	return c.dotted(c.command(words))
}

// command finds a command and carries it out.
func (c *invocation) command(words []string) error {
	c.client = Client{control.Client{Path: c.opts.socket}}
	if c.opts.help {
		words = append([]string{"help"}, words...)
		words = words[:min(len(words), 2)]
	}
	if len(words) == 0 {
		return failf(ExitUsage, "no command given")
	}
	name, words := words[0], words[1:]
	cmd, ok := find(name)
	switch {
	case !ok:
		return noCommand(name)
	case len(words) < cmd.least || len(words) > cmd.most:
		return failf(ExitUsage, "wrong number of arguments; usage: ntsctl %s", cmd.usage())
	}
	c.opts.table.Color = terminal.Colorful(c.stdout) && !c.opts.table.CSV
	return advised(name, cmd.run(c, append([]string{name}, words...)))
}

// parse sorts args into flags and words.
func (o *options) parse(args []string) (words []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case len(words) > 0 && ownFlags(words[0], arg):
			words = append(words, arg)
		case arg == "--":
			return append(words, args[i+1:]...), nil
		case strings.HasPrefix(arg, "--"):
			if !o.long(arg[2:]) {
				return nil, failf(ExitUsage, "no option %s; ntsctl help lists them", arg)
			}
		case len(arg) > 1 && arg[0] == '-':
			rest, ok := o.short(arg[1:])
			if !ok {
				return nil, failf(ExitUsage, "no option %s; ntsctl help lists them", arg)
			}
			if rest == needsValue {
				o.socket = ""
				if i++; i < len(args) {
					o.socket = args[i]
				}
			}
			if o.socket == "" {
				return nil, failf(ExitUsage, "-h needs the path of the daemon's socket, as in ntsctl -h %s tracking; ntsctl help is the help", defaultSocket)
			}
		default:
			words = append(words, arg)
		}
	}
	return words, nil
}

// needsValue is short's answer when the next argument belongs to the flag.
const needsValue = "\x00"

// short takes flags of one letter, which may be joined: -nv.
func (o *options) short(letters string) (rest string, ok bool) {
	for i, letter := range letters {
		switch letter {
		case 'n':
			o.table.Numeric = true
		case 'N':
			o.table.NamesOnly = true
		case 'c':
			o.table.CSV = true
		case 'a':
			o.table.All = true
		case 'v':
			o.table.Verbose = true
		case 'y':
			o.yes = true
		case 'm':
			o.several = true
		case 'e':
			o.dots = true
		case 'h':
			if path := letters[i+1:]; path != "" {
				o.socket = path
				return "", true
			}
			return needsValue, true
		default:
			return "", false
		}
	}
	return "", true
}

// KnowsFlag reports whether -f, for one letter, or --f is a flag.
func KnowsFlag(f string) bool {
	if len(f) == 1 {
		_, ok := new(options).short(f)
		return ok
	}
	return new(options).long(f)
}

// long takes the flags that are words.
func (o *options) long(name string) bool {
	switch name {
	case "json":
		o.json = true
	case "csv":
		o.table.CSV = true
	case "help":
		o.help = true
	case "version":
		o.version = true
	default:
		return false
	}
	return true
}

// Client asks the daemon and turns what goes wrong into one line.
type Client struct{ control.Client }

// do carries out one command.
func (c Client) do(ctx context.Context, cmd string, args ...string) (control.Response, error) {
	resp, err := c.Do(ctx, control.Request{Cmd: cmd, Args: args})
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return resp, &failure{ExitUnreachable, c.absent().Error(), err}
	case errors.Is(err, control.ErrPermission):
		return resp, &failure{ExitUnreachable, "no permission for " + c.Path + ": run ntsctl as root" + orMember(c.Path), err}
	case errors.Is(err, control.ErrProtocol):
		return resp, failf(ExitFailed, "what answers on %s is not understood: restart ntsd if it was upgraded", c.Path)
	case errors.Is(err, context.DeadlineExceeded):
		return resp, failf(ExitUnreachable, "the daemon on %s does not answer: it hangs; restart it with %s", c.Path, service("restart"))
	case len(c.Path) > maxSocketPath:
		return resp, failf(ExitUsage, "the path of the socket is longer than %d bytes: %.32s...; give ntsctl -h a shorter one, such as a link to it", maxSocketPath, c.Path)
	case err != nil:
		return resp, failf(ExitUnreachable, "cannot talk to the daemon on %s: %v; restart it with %s", c.Path, err, service("restart"))
	case resp.OK:
		return resp, nil
	}
	return resp, refusal(cmd, args, resp)
}

// orMember names the group whose members may enter the folder of the socket, if it
// is not root's own.
func orMember(path string) string {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil || info.Mode().Perm()&0o010 == 0 {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Gid == 0 {
		return ""
	}
	group, err := user.LookupGroupId(strconv.Itoa(int(st.Gid)))
	if err != nil {
		return ""
	}
	return " or as a member of group " + group.Name
}

// maxSocketPath is how long the path of a Unix socket can be: unix(7).
const maxSocketPath = 107

// absent says why nobody answers on the socket.
func (c Client) absent() error {
	info, err := os.Stat(c.Path)
	switch {
	case err == nil && info.IsDir():
		return failf(ExitUnreachable, "%s is a folder; -h wants the daemon's socket: %s", c.Path, filepath.Join(c.Path, SocketName))
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return failf(ExitUnreachable, "%s is not a socket; -h wants the daemon's: %s, unless option run_dir names another folder", c.Path, defaultSocket)
	}
	if err != nil && !strings.Contains(c.Path, "/") {
		return failf(ExitUnreachable, "%s is not a socket; -h wants the path of one: ntsctl asks the ntsd of this machine only", c.Path)
	}
	return failf(ExitUnreachable, "no daemon answers on %s: ntsd is not running; start it with %s, or say with -h where its socket is", c.Path, service("start"))
}

// refusal explains why the daemon did not do what it was asked.
func refusal(cmd string, args []string, resp control.Response) error {
	text := strings.TrimPrefix(wording.Plain(resp.Message), "wrong arguments: ")
	switch resp.Code {
	case control.CodeNoSource:
		target := ""
		if len(args) > 0 {
			target = args[len(args)-1] + ": "
		}
		return failf(ExitFailed, "%s: %sno such source; ntsctl sources -a lists them", cmd, target)
	case control.CodeArguments:
		return failf(ExitUsage, "%s: %s; see ntsctl help %s", cmd, text, cmd)
	case control.CodeMalformed:
		return failf(ExitUsage, "%s: %s", cmd, text)
	case control.CodeBusy:
		return failf(ExitFailed, "too many clients ask the daemon at once; try again")
	case control.CodeUnknown:
		return failf(ExitFailed, "%s: the running daemon does not know it; restart ntsd if it was upgraded", cmd)
	}
	return failf(ExitFailed, "%s: %s", cmd, text)
}

// Report fetches the daemon's report.
func (c Client) Report(ctx context.Context) (status.Report, error) {
	var r status.Report
	resp, err := c.do(ctx, control.CmdReport)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(resp.Body, &r); err != nil {
		return r, failf(ExitFailed, "the daemon's report is not understood: restart ntsd if it was upgraded (%v)", err)
	}
	return r, nil
}
