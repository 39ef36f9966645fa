package rpcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"ntsd/internal/advice"
	"ntsd/internal/config"
	"ntsd/internal/control"
)

// plugin returns one that has these files and notes what the daemon is asked.
func plugin(asked *control.Request, resp control.Response, err error, files map[string]string) *Plugin {
	return &Plugin{
		Ask: func(_ context.Context, r control.Request) (control.Response, error) {
			*asked = r
			return resp, err
		},
		ReadFile: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
	}
}

// call makes one call and returns the answer as JSON says it.
func call(t *testing.T, p *Plugin, method, args string) map[string]any {
	t.Helper()
	var out bytes.Buffer
	if err := p.Call(t.Context(), method, strings.NewReader(args), &out); err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v in %q", method, err, out.String())
	}
	return answer
}

// TestCall: every call of the daemon is one request, with nothing in it that
// was not meant to be; and what goes wrong is an answer.
func TestCall(t *testing.T) {
	body := control.Reply(map[string]any{"a": nil, "b": []any{1, nil, map[string]any{"c": nil, "big": int64(1) << 60}}})
	answer := map[string]any{"b": []any{1.0, map[string]any{"big": float64(1 << 60)}}}
	done := map[string]any{"ok": true}
	var none control.Request
	for _, tt := range []struct {
		method, args string
		resp         control.Response
		err          error
		want         control.Request
		answer       map[string]any
	}{
		{"status", `{"ubus_rpc_session":"0123"}`, body, nil, control.Request{Cmd: "report"}, answer},
		{"status", ``, control.Response{}, errors.New("ntsd is not running"), control.Request{Cmd: "report"}, map[string]any{"error": "ntsd is not running"}},
		{"history", `{"span":"week"}`, body, nil, control.Request{Cmd: "history", Args: []string{"week"}}, answer},
		{"history", `{}`, body, nil, control.Request{Cmd: "history"}, answer},
		{"clients", `{}`, control.Reply([]string{"a"}), nil, control.Request{Cmd: "clients", Args: []string{"0"}}, map[string]any{"clients": []any{"a"}}},
		{"clients", `{"least":-3}`, body, nil, control.Request{Cmd: "clients", Args: []string{"0"}}, answer},
		{"serverstats", `{}`, body, nil, control.Request{Cmd: "serverstats"}, answer},
		{"ntskeys", `{}`, body, nil, control.Request{Cmd: "ntskeys"}, answer},
		{"ca", `{"argument":"renew","command":"renew"}`, body, nil, control.Request{Cmd: "ca"}, answer},
		{"action", `{"command":"burst","argument":"4/8 ntp.example"}`, control.Done(), nil, control.Request{Cmd: "burst", Args: []string{"4/8", "ntp.example"}}, done},
		{"action", `{"command":"makestep"}`, control.Done(), nil, control.Request{Cmd: "makestep"}, done},
		{"action", `{"command":"ntskeys"}`, control.Done(), nil, none, map[string]any{"error": `"ntskeys" is not an action`}},
		{"action", `{"command":7}`, control.Done(), nil, none, map[string]any{"error": "the arguments are not understood: json: cannot unmarshal number into Go struct field Args.command of type string"}},
		{"action", `{"command`, control.Done(), nil, none, map[string]any{"error": "the arguments are not understood: unexpected end of JSON input"}},
		{"status", strings.Repeat(" ", MaxInput+1), body, nil, none, map[string]any{"error": "the arguments are longer than 524288 bytes"}},
		{"start", `{}`, body, nil, none, map[string]any{"error": `"" is not an action`}},
		{"secrets", `{}`, body, nil, none, map[string]any{"error": "no such method"}},
		{"status", `{}`, control.Response{OK: true, Body: []byte("x")}, nil, control.Request{Cmd: "report"}, map[string]any{"error": "the daemon's answer is not understood: invalid character 'x' looking for beginning of value"}},
	} {
		asked := control.Request{}
		got := call(t, plugin(&asked, tt.resp, tt.err, nil), tt.method, tt.args)
		if !reflect.DeepEqual(asked, tt.want) || !reflect.DeepEqual(got, tt.answer) {
			t.Errorf("%s %.60s:\nasked %v\nwant  %v\ngot  %v\nwant %v", tt.method, tt.args, asked, tt.want, got, tt.answer)
		}
	}
}

// TestCheck: the daemon's own messages, for a text or for the file in force;
// other files stay unread whatever the text says.
func TestCheck(t *testing.T) {
	files := map[string]string{
		configFile:    "config server 'near'\n\toption hostname 'ntp.example'\n\toption nts '1'\n\toption minpoll '99'\n",
		"/etc/shadow": "root:secret",
	}
	var asked control.Request
	p := plugin(&asked, control.Response{}, nil, files)
	got := call(t, p, "check", `{}`)
	messages, _ := got["messages"].([]any)
	if got["ok"] != false || len(messages) == 0 {
		t.Fatalf("got %v, want an error", got)
	}
	m, _ := messages[0].(map[string]any)
	if m["severity"] != "error" || m["section"] != "server 'near'" || m["option"] != "minpoll" || m["line"] != 4.0 {
		t.Errorf("got %v, want minpoll's error", m)
	}
	text := "config server\n\toption hostname 'ntp.example'\n\toption nts '1'\n"
	args, _ := json.Marshal(map[string]string{"config": text})
	got = call(t, p, "check", string(args))
	if got["ok"] != true || got["digest"] != config.Digest([]byte(text)) {
		t.Errorf("got %v, want no error, and the digest of the text", got)
	}
	if list, _ := got["advice"].([]any); len(list) == 0 || list[0].(map[string]any)["code"] != string(advice.FewOperators) {
		t.Errorf("got %v, want the advice of more operators", got["advice"])
	}
	if got := call(t, p, "check", `{"config":"config 'x"}`); got["ok"] != false {
		t.Errorf("got %v, want an error", got)
	}
}

// TestImport: three sources, no other file.
func TestImport(t *testing.T) {
	files := map[string]string{
		chronyFile: "config server\n\toption hostname 'ntp.example'\n\toption nts 'yes'\n\toption iburst 'yes'\n",
		systemFile: "config timeserver 'ntp'\n\toption enabled '1'\n\tlist server '0.pool.example'\n",
	}
	var asked control.Request
	p := plugin(&asked, control.Response{}, nil, files)
	text := `{"from":"text","text":"server time.example iburst nts\nkeyfile /etc/chrony.keys\nnonsense 1\n"}`
	for args, host := range map[string]string{`{"from":"chrony"}`: "ntp.example", `{"from":"system"}`: "0.pool.example", text: "time.example"} {
		got := call(t, p, "import", args)
		list, _ := got["sections"].([]any)
		found := false
		for _, e := range list {
			section, _ := e.(map[string]any)
			options, _ := section["options"].(map[string]any)
			found = found || options["hostname"] == host
		}
		if !found {
			t.Errorf("%s: got %v, want a server %s", args, got, host)
		}
		if notes, _ := got["messages"].([]any); args == text && len(notes) == 0 {
			t.Errorf("%s: got no message, want one about nonsense", args)
		}
	}
	for _, args := range []string{`{}`, `{"from":"/etc/shadow"}`, `{"from":"../shadow"}`} {
		if got := call(t, p, "import", args); got["error"] == nil {
			t.Errorf("%s: got %v, want it refused", args, got)
		}
	}
	delete(files, chronyFile)
	if got := call(t, p, "import", `{"from":"chrony"}`); got["error"] != "open /etc/config/chrony: file does not exist" {
		t.Errorf("got %v, want that there is no file", got)
	}
}

// TestTestAlone: where no daemon runs a server is tested without it; what the
// daemon refuses is not tried again.
func TestTestAlone(t *testing.T) {
	var asked control.Request
	gone := fmt.Errorf("ntsd is not running: %w", control.ErrNotRunning)
	p := plugin(&asked, control.Response{}, gone, nil)
	if got := call(t, p, "test", `{"server":"time.example"}`); got["code"] != "not_running" {
		t.Errorf("got %v, want that there is no daemon", got)
	}
	p.Test = func(_ context.Context, server string) (any, error) { return map[string]string{"server": server}, nil }
	if got := call(t, p, "test", `{"server":"time.example"}`); got["server"] != "time.example" {
		t.Errorf("got %v, want a test", got)
	}
	if got := call(t, p, "status", `{}`); got["code"] != "not_running" {
		t.Errorf("got %v, want that there is no daemon", got)
	}
	p = plugin(&asked, control.Response{}, errors.New("busy"), nil)
	p.Test = func(context.Context, string) (any, error) { t.Error("tested"); return nil, nil }
	if got := call(t, p, "test", `{"server":"time.example"}`); got["error"] != "busy" {
		t.Errorf("got %v, want the refusal", got)
	}
}

// TestList: rpcd learns the types by example.
func TestList(t *testing.T) {
	var out bytes.Buffer
	if err := new(Plugin).List(&out); err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != len(parameters()) || got["clients"]["least"] != 0.0 {
		t.Errorf("got %s, %v", out.String(), err)
	}
}

// FuzzCall: whatever a page sends, the answer is one JSON object.
func FuzzCall(f *testing.F) {
	f.Add("check", `{"config":"config server\n\toption hostname 'a'\n"}`)
	f.Add("import", `{"from":"text","text":"server a nts\nallow 10/8"}`)
	f.Add("action", `{"command":"burst","argument":"4/8"}`)
	f.Add("clients", `{"least":1e99}`)
	f.Fuzz(func(t *testing.T, method, args string) {
		var asked control.Request
		p := plugin(&asked, control.Done(), nil, nil)
		call(t, p, method, args)
	})
}
