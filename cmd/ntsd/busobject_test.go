package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/control"
	"ntsd/internal/rpcd"
	"ntsd/internal/status"
	"ntsd/internal/ubus"
)

// TestBusObject: every method is a request of the control socket; what changes
// something is "action" alone, and only what is listed.
func TestBusObject(t *testing.T) {
	var asked control.Request
	o := busObject(t.Context(), func(_ context.Context, r control.Request) control.Response {
		asked = r
		switch r.Cmd {
		case control.CmdRefresh:
			return control.Fail(control.CodeFailed, "no")
		case control.CmdClients:
			return control.Reply([]any{map[string]any{"address": "::1"}})
		case control.CmdReport:
			return control.Reply(map[string]any{"a": 1, "b": 1.5, "c": nil, "d": []any{"x", true, nil, map[string]any{"e": int64(1) << 40}}})
		}
		return control.Done()
	})
	if got := slices.Sorted(maps.Keys(o.Methods)); !slices.Equal(got, []string{"action", "ca", "clients", "history", "ntskeys", "serverstats", "status", "test"}) {
		t.Errorf("methods: got %v", got)
	}
	for _, tt := range []struct {
		method string
		args   ubus.Table
		want   control.Request
		answer ubus.Table
	}{
		{"status", nil, control.Request{Cmd: "report"}, ubus.Table{"a": int64(1), "b": 1.5, "d": []any{"x", true, ubus.Table{"e": int64(1) << 40}}}},
		{"history", ubus.Table{"span": "day"}, control.Request{Cmd: "history", Args: []string{"day"}}, ubus.Table{"ok": true}},
		{"history", nil, control.Request{Cmd: "history"}, ubus.Table{"ok": true}},
		{"clients", ubus.Table{"least": int64(7)}, control.Request{Cmd: "clients", Args: []string{"7"}}, ubus.Table{"clients": []any{ubus.Table{"address": "::1"}}}},
		{"ntskeys", nil, control.Request{Cmd: "ntskeys"}, ubus.Table{"ok": true}},
		{"ca", ubus.Table{"argument": "renew"}, control.Request{Cmd: "ca"}, ubus.Table{"ok": true}},
		{"test", ubus.Table{"server": "time.example:4460"}, control.Request{Cmd: "test", Args: []string{"time.example:4460"}}, ubus.Table{"ok": true}},
		{"test", ubus.Table{"id": int64(7)}, control.Request{Cmd: "test", Args: []string{"id", "7"}}, ubus.Table{"ok": true}},
		{"action", ubus.Table{"command": "burst", "argument": "4/8"}, control.Request{Cmd: "burst", Args: []string{"4/8"}}, ubus.Table{"ok": true}},
		{"action", ubus.Table{"command": "refresh"}, control.Request{Cmd: "refresh"}, ubus.Table{"error": "no"}},
	} {
		asked = control.Request{}
		answer, err := o.Handle(tt.method, tt.args)
		if err != nil || !reflect.DeepEqual(asked, tt.want) || !reflect.DeepEqual(answer, tt.answer) {
			t.Errorf("%s %v: asked %v, got %v, %v; want %v, %v", tt.method, tt.args, asked, answer, err, tt.want, tt.answer)
		}
	}
	for _, command := range []string{"", "report", "ca", "ntskeys", "shutdown"} {
		if _, err := o.Handle("action", ubus.Table{"command": command}); !errors.Is(err, ubus.StatusInvalidArgument) {
			t.Errorf("action %q: got %v, want it refused", command, err)
		}
	}
}

// TestBusManyClients: of very many clients the busiest are shown, whoever
// answers: all would be too long a message.
func TestBusManyClients(t *testing.T) {
	rows := make([]status.Client, 4096)
	for i := range rows {
		rows[i] = status.Client{Address: fmt.Sprint(i), Requests: uint32(i % 16)}
	}
	answer, err := busAnswer("clients", control.Reply(rows))
	if err != nil {
		t.Fatal(err)
	}
	list := answer.List("clients")
	if len(list) != 500 || answer.Int("total") != int64(len(rows)) {
		t.Fatalf("got %d of %d, want 500 of %d", len(list), answer.Int("total"), len(rows))
	}
	plugin := rpcd.Plugin{Ask: func(context.Context, control.Request) (control.Response, error) { return control.Reply(rows), nil }}
	var out bytes.Buffer
	if err := plugin.Call(t.Context(), "clients", strings.NewReader("{}"), &out); err != nil {
		t.Fatal(err)
	}
	var other struct {
		Clients []status.Client
		Total   int
	}
	if err := json.Unmarshal(out.Bytes(), &other); err != nil || other.Total != len(rows) || len(other.Clients) != len(list) {
		t.Fatalf("the plugin: got %d of %d, %v", len(other.Clients), other.Total, err)
	}
	for i, row := range list {
		// 256 count 15, and as many 14.
		if got := row.(ubus.Table); got.Int("requests") < 14 || got.String("address") != other.Clients[i].Address {
			t.Fatalf("row %d: got %v and %v, want the same busy client", i, got, other.Clients[i])
		}
	}
	inOrder := func(x, y status.Client) int {
		return cmp.Or(cmp.Compare(len(x.Address), len(y.Address)), cmp.Compare(x.Address, y.Address))
	}
	if !slices.IsSortedFunc(other.Clients, inOrder) {
		t.Error("they are not in the order in which they were")
	}
}

// TestBusAccess: everything that the object can be asked is granted to LuCI's
// users by the package's access list, and nothing that is not there.
func TestBusAccess(t *testing.T) {
	text, err := os.ReadFile("../../luci/luci-app-ntsd/root/usr/share/rpcd/acl.d/luci-app-ntsd.json")
	if err != nil {
		t.Fatal(err)
	}
	type rights struct{ Ubus map[string][]string }
	var lists map[string]struct{ Read, Write rights }
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	list := lists["luci-app-ntsd"]
	got := slices.Sorted(slices.Values(slices.Concat(list.Read.Ubus["ntsd"], list.Write.Ubus["ntsd"])))
	if want := slices.Sorted(maps.Keys(busMethods())); !slices.Equal(got, want) {
		t.Errorf("granted are %q, want %q", got, want)
	}
}
