package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"ntsd/internal/event"
	"ntsd/internal/wording"
)

// Implementation constants.
const (
	// MaxRequest bounds a request line in bytes: a command, a name or an
	// address, two numbers, and room for what later versions add.
	MaxRequest = 4096
	// MaxResponse bounds a response line: the report of a thousand sources is
	// about 2 MB.
	MaxResponse = 4 << 20
	maxArgs     = 8
	maxArg      = 255 // a host name is at most 253 characters
	maxCommand  = 32
	// MaxBurst is the most requests one burst may ask for: at one every two
	// seconds a minute's worth. Package assoc sends no more.
	MaxBurst = 32
)

// The commands. Those without a remark take no argument.
const (
	CmdReport     = "report"    // answers with a status.Report
	CmdHistory    = "history"   // answers with a status.History of hour, day or week
	CmdMakeStep   = "makestep"  // steps the clock by what is left to correct
	CmdBurst      = "burst"     // GOOD/MAX [TARGET]
	CmdOnline     = "online"    // [TARGET]
	CmdOffline    = "offline"   // [TARGET]
	CmdOnOffline  = "onoffline" // [TARGET]: by whether there is a route
	CmdRefresh    = "refresh"
	CmdRekey      = "rekey"      // [TARGET]
	CmdReload     = "reload"     // reads the configuration again; ReloadSources: only its folders of sources
	CmdDump       = "dump"       // writes the state files now
	CmdSmoothTime = "smoothtime" // activate, or reset
	CmdAdd        = "add"        // a directive as in chrony.conf: answers with Added
	CmdDelete     = "delete"     // TARGET
	// CmdTest takes what probe.ParseTarget reads, or ArgTestID and the number
	// of a test, and answers with a probe.Result.
	CmdTest   = "test"
	ArgTestID = "id"
	// ReloadSources follows CmdReload.
	ReloadSources = "sources"
)

// Added answers CmdAdd.
type Added struct {
	Warnings []string `json:"warnings,omitempty"` // about what changes nothing
}

// Errors of ParseRequest and Request.Event.
var (
	ErrMalformed = errors.New("control: malformed request")
	ErrArguments = errors.New("control: wrong arguments")
)

// Request is one line from a client.
type Request struct {
	Cmd  string   `json:"cmd"`
	Args []string `json:"args,omitempty"`
}

// ParseRequest reads one line. Unknown members are ignored, so that newer
// clients can talk to older daemons; an unknown command is the handler's to
// refuse. The error wraps ErrMalformed.
func ParseRequest(line []byte) (Request, error) {
	var r Request
	if len(line) > MaxRequest {
		return Request{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxRequest)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := r.validate(); err != nil {
		return Request{}, err
	}
	return r, nil
}

// validate bounds the strings, so that logging or echoing them is harmless.
func (r Request) validate() error {
	if r.Cmd == "" || len(r.Cmd) > maxCommand || strings.Trim(r.Cmd, "abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("%w: no command", ErrMalformed)
	}
	if len(r.Args) > maxArgs {
		return fmt.Errorf("%w: more than %d arguments", ErrMalformed, maxArgs)
	}
	for _, a := range r.Args {
		if len(a) > maxArg || !printable(a) {
			return fmt.Errorf("%w: unusable argument", ErrMalformed)
		}
	}
	return nil
}

// printable reports whether s is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 || r >= 0x7f && r < 0xa0
	})
}

// Event turns the commands that the engine understands into its vocabulary;
// ok is false for the others. The error wraps ErrArguments.
func (r Request) Event() (cmd event.Command, ok bool, err error) {
	args := r.Args
	switch r.Cmd {
	case CmdMakeStep, CmdRefresh:
		kind := event.CommandMakeStep
		if r.Cmd == CmdRefresh {
			kind = event.CommandRefresh
		}
		if len(args) > 0 {
			return cmd, false, fmt.Errorf("%w: %s takes none", ErrArguments, r.Cmd)
		}
		return event.Command{Kind: kind}, true, nil
	case CmdBurst:
		cmd.Kind = event.CommandBurst
		if len(args) == 0 {
			return cmd, false, fmt.Errorf("%w: burst needs GOOD/MAX", ErrArguments)
		}
		if cmd.Good, cmd.Max, err = ParseBurst(args[0]); err != nil {
			return cmd, false, err
		}
		args = args[1:]
	case CmdSmoothTime:
		return smoothTime(args)
	case CmdOnline:
		cmd.Kind = event.CommandOnline
	case CmdOffline:
		cmd.Kind = event.CommandOffline
	case CmdRekey:
		cmd.Kind = event.CommandRekey
	default:
		return cmd, false, nil
	}
	switch len(args) {
	case 0:
	case 1:
		cmd.Target = args[0]
	default:
		return cmd, false, fmt.Errorf("%w: %s takes one source", ErrArguments, r.Cmd)
	}
	return cmd, true, nil
}

// smoothTime reads what is wanted of the smoothing.
func smoothTime(args []string) (cmd event.Command, ok bool, err error) {
	switch {
	case len(args) == 1 && args[0] == "activate":
		return event.Command{Kind: event.CommandSmoothActivate}, true, nil
	case len(args) == 1 && args[0] == "reset":
		return event.Command{Kind: event.CommandSmoothReset}, true, nil
	}
	return cmd, false, fmt.Errorf("%w: smoothtime takes activate or reset", ErrArguments)
}

// ParseBurst reads GOOD/MAX: how many good samples are wanted, and with how
// many requests at most. The error wraps ErrArguments.
func ParseBurst(s string) (good, most int, err error) {
	a, b, ok := strings.Cut(s, "/")
	good, errGood := strconv.Atoi(a)
	most, errMost := strconv.Atoi(b)
	if !ok || errGood != nil || errMost != nil || good < 1 || most < good || most > MaxBurst {
		return 0, 0, fmt.Errorf("%w: %q is not GOOD/MAX with 1 <= GOOD <= MAX <= %d", ErrArguments, s, MaxBurst)
	}
	return good, most, nil
}

// Code says by kind why a request failed.
type Code string

// The codes.
const (
	CodeMalformed Code = "malformed" // not a request
	CodeUnknown   Code = "unknown"   // no such command
	CodeArguments Code = "arguments" // wrong arguments
	CodeNoSource  Code = "no_source" // no source is meant by the target
	CodeBusy      Code = "busy"      // too many clients
	CodeFailed    Code = "failed"    // tried, and it did not work
)

// Response is one line to a client. The zero value is a failure without a
// reason: build one with Done, Reply or Fail.
type Response struct {
	OK      bool            `json:"ok"`
	Code    Code            `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// Done answers a command that has nothing to tell.
func Done() Response { return Response{OK: true} }

// Reply answers with v as JSON; when v has no JSON form it answers CodeFailed.
func Reply(v any) Response {
	body, err := json.Marshal(v)
	if err != nil {
		return Fail(CodeFailed, err.Error())
	}
	return Response{OK: true, Body: body}
}

// Fail answers with a reason, one line for people; the names of packages in it
// are left out.
func Fail(code Code, message string) Response {
	return Response{Code: code, Message: wording.Plain(message)}
}
