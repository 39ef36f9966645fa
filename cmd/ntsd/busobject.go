package main

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/rpcd"
	"ntsd/internal/ubus"
)

// busAnswerTime bounds the work for one call over the bus, which is deaf
// meanwhile.
const busAnswerTime = 3 * time.Second

// Types of ubus's parameters, as "ubus -v list" shows them.
const (
	busString = 3
	busInt    = 5
)

// busMethods are what the object "ntsd" can be asked, each a command of the
// control socket. What changes something is behind one name, so that access
// lists can tell it from what only shows.
func busMethods() map[string]ubus.Table {
	return map[string]ubus.Table{
		"status":      {},
		"history":     {"span": int64(busString)},
		"serverstats": {},
		"clients":     {"least": int64(busInt)},
		"ntskeys":     {},
		"ca":          {}, // the LAN's authority: its certificate, which is public
		// Answers at once, with running true while the test goes on: ask again
		// with the id of the answer. The fields are those of probe.Result.
		"test":   {"server": int64(busString), "id": int64(busInt)},
		"action": {"command": int64(busString), "argument": int64(busString)},
	}
}

// busObject returns the object that shows the daemon to LuCI.
func busObject(ctx context.Context, answer control.Handler) *ubus.Object {
	return &ubus.Object{
		Path: "ntsd", Methods: busMethods(),
		Handle: func(method string, args ubus.Table) (ubus.Table, error) {
			req, ok := busRequest(method, args)
			if !ok {
				return nil, ubus.StatusInvalidArgument
			}
			ctx, cancel := context.WithTimeout(ctx, busAnswerTime)
			defer cancel()
			return busAnswer(method, answer(ctx, req))
		},
	}
}

// busRequest puts a call into the terms of the control socket.
func busRequest(method string, args ubus.Table) (control.Request, bool) {
	return rpcd.Request(method, rpcd.Args{
		Span: args.String("span"), Least: int(args.Int("least")),
		Command: args.String("command"), Argument: args.String("argument"), Server: args.String("server"), ID: args.Int("id"),
	})
}

// busAnswer turns an answer of the control socket into one of the bus. A command
// that failed is an answer too, with the reason in "error"; a list stands under
// the name of its method.
func busAnswer(method string, resp control.Response) (ubus.Table, error) {
	if !resp.OK {
		return ubus.Table{"error": resp.Message}, nil
	}
	if len(resp.Body) == 0 {
		return ubus.Table{"ok": true}, nil
	}
	var body any
	if err := json.Unmarshal(resp.Body, &body); err != nil {
		return nil, ubus.StatusUnknownError
	}
	if list, ok := body.([]any); ok {
		body = rpcd.Listed(method, list)
	}
	table, _ := busValue(body).(ubus.Table)
	return table, nil
}

// busValue puts a value of JSON into the bus's types. There is no null there:
// what is not known is left out.
func busValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		t := make(ubus.Table, len(v))
		for name, e := range v {
			if e != nil {
				t[name] = busValue(e)
			}
		}
		return t
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			if e != nil {
				list = append(list, busValue(e))
			}
		}
		return list
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	return v
}
