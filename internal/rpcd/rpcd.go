// Package rpcd answers the calls that LuCI makes over OpenWrt's rpcd: what the
// daemon's own object on ubus can be asked, and, for releases and jails where
// that object is not there, the same as rpcd's exec plugin, with what needs no
// daemon: checking a configuration, reading another daemon's. It belongs to
// layer 3.
//
// Who may call what is rpcd's business (the package's ACL); here every method
// takes a fixed set of arguments, each with a bound, and no file but three named
// ones is ever read. No answer holds a secret.
package rpcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ntsd/internal/control"
	"ntsd/internal/wording"
)

// MaxInput bounds the arguments of one call in bytes: a configuration as large
// as uci's own limit, quoted.
const MaxInput = 512 << 10

// Args are the arguments of all the methods; each takes some.
type Args struct {
	Span     string `json:"span"`     // history: hour, day or week
	Least    int    `json:"least"`    // clients: packets that one must have sent
	Command  string `json:"command"`  // action: one of Actions
	Argument string `json:"argument"` // action: its arguments, between blanks
	Config   string `json:"config"`   // check: the text of a file
	From     string `json:"from"`     // import: chrony, system or text
	Text     string `json:"text"`     // import: a chrony.conf or ntp.conf
	Server   string `json:"server"`   // test: what "ntsctl test" takes
	ID       int64  `json:"id"`       // test: of one under way, instead
}

// Actions are the commands that "action" passes on.
func Actions() []string {
	return []string{
		control.CmdBurst, control.CmdRekey, control.CmdMakeStep, control.CmdRefresh, control.CmdReload,
		control.CmdOnline, control.CmdOffline, control.CmdOnOffline, control.CmdDump,
	}
}

// Request puts a method that the daemon answers into the terms of its control
// socket; ok is false when it may not be asked so.
func Request(method string, a Args) (req control.Request, ok bool) {
	switch method {
	case "status":
		return control.Request{Cmd: control.CmdReport}, true
	case "history":
		req.Cmd = control.CmdHistory
		if a.Span != "" {
			req.Args = []string{a.Span}
		}
	case "clients":
		req = control.Request{Cmd: method, Args: []string{fmt.Sprint(max(0, a.Least))}}
	case "serverstats", "ntskeys", "ca": // never with an argument: "renew" is not for pages
		req.Cmd = method
	case "test":
		req = control.Request{Cmd: control.CmdTest, Args: []string{a.Server}}
		if a.ID != 0 {
			req.Args = []string{control.ArgTestID, fmt.Sprint(a.ID)}
		}
	case "action":
		req.Cmd = a.Command
		if words := strings.Fields(a.Argument); len(words) > 0 {
			req.Args = words
		}
		return req, slices.Contains(Actions(), a.Command)
	}
	return req, req.Cmd != ""
}

// Plugin carries out single calls.
type Plugin struct {
	// Ask puts a request to the running daemon; its error is one line for
	// people.
	Ask func(context.Context, control.Request) (control.Response, error)
	// Test tests a server where no daemon runs that could do it; nil: nobody can.
	Test func(ctx context.Context, server string) (any, error)
	// ReadFile is os.ReadFile, or what stands for it.
	ReadFile func(string) ([]byte, error)
}

// parameters are the arguments of each method, by example: that is how rpcd
// wants to hear of them.
func parameters() map[string]map[string]any {
	return map[string]map[string]any{
		"status":      {},
		"history":     {"span": "hour"},
		"serverstats": {},
		"clients":     {"least": 0},
		"ntskeys":     {},
		"ca":          {},
		"action":      {"command": "burst", "argument": "4/8"},
		"test":        {"server": "time.example", "id": 0},
		"start":       {}, // by the plugin itself, as the next
		"hide":        {},
		"check":       {"config": "text"},
		"import":      {"from": "chrony", "text": "text"},
	}
}

// List writes what rpcd wants to know when it starts: methods and parameters.
func (p *Plugin) List(out io.Writer) error {
	return write(out, parameters())
}

// Call answers one call: its arguments are JSON on in, the answer is JSON on
// out. What went wrong is an answer too, one line in "error", with the "code"
// not_running where there is no daemon.
func (p *Plugin) Call(ctx context.Context, method string, in io.Reader, out io.Writer) error {
	answer, err := p.answer(ctx, method, in)
	if err != nil {
		told := map[string]any{"error": wording.Of(err)}
		if errors.Is(err, control.ErrNotRunning) {
			told["code"] = "not_running"
		}
		return write(out, told)
	}
	return write(out, answer)
}

// errMethod is the answer to what nobody offers.
var errMethod = errors.New("no such method")

// answer finds out what is asked, and does it.
func (p *Plugin) answer(ctx context.Context, method string, in io.Reader) (any, error) {
	if _, ok := parameters()[method]; !ok {
		return nil, errMethod
	}
	args, err := readArgs(in)
	if err != nil {
		return nil, err
	}
	switch method {
	case "check":
		return check(args.Config, p.ReadFile), nil
	case "import":
		return p.imports(args)
	}
	req, ok := Request(method, args)
	if !ok {
		return nil, fmt.Errorf("%.40q is not an action", args.Command)
	}
	resp, err := p.Ask(ctx, req)
	if err != nil && method == "test" && errors.Is(err, control.ErrNotRunning) && p.Test != nil {
		return p.Test(ctx, args.Server)
	}
	if err != nil {
		return nil, err
	}
	if len(resp.Body) == 0 {
		return map[string]any{"ok": true}, nil
	}
	return known(method, resp.Body)
}

// readArgs reads the arguments. rpcd adds the caller's session to them, which is
// nothing to us.
func readArgs(in io.Reader) (Args, error) {
	var args Args
	text, err := io.ReadAll(io.LimitReader(in, MaxInput+1))
	switch {
	case err != nil:
		return args, fmt.Errorf("cannot read the arguments: %w", err)
	case len(text) > MaxInput:
		return args, fmt.Errorf("the arguments are longer than %d bytes", MaxInput)
	case len(bytes.TrimSpace(text)) == 0:
		return args, nil
	}
	if err := json.Unmarshal(text, &args); err != nil {
		return args, fmt.Errorf("the arguments are not understood: %w", err)
	}
	return args, nil
}

// known returns the answer without what is not known: ubus has no null, and
// pages should see the same whoever answers.
func known(method string, body []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // as it was written
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the daemon's answer is not understood: %w", err)
	}
	v = drop(v)
	if list, ok := v.([]any); ok {
		return Listed(method, list), nil
	}
	return v, nil
}

// drop removes nulls.
func drop(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if e == nil {
				delete(v, name)
			} else {
				v[name] = drop(e)
			}
		}
	case []any:
		v = slices.DeleteFunc(v, func(e any) bool { return e == nil })
		for i := range v {
			v[i] = drop(v[i])
		}
		return v
	}
	return v
}

// write prints one JSON object on a line.
func write(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
