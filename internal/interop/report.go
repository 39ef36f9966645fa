package interop

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"ntsd/internal/control"
	"ntsd/internal/status"
)

// AskReport asks the ntsd on a socket for everything it knows.
func AskReport(ctx context.Context, socket string) (*status.Report, error) {
	resp, err := control.Client{Path: socket}.Do(ctx, control.Request{Cmd: control.CmdReport})
	if err != nil {
		return nil, err
	}
	if !resp.OK {
		return nil, errors.New(resp.Message)
	}
	r := new(status.Report)
	return r, json.Unmarshal(resp.Body, r)
}

// AwaitReport asks until the report is as ok wants it and returns it. It fails
// the test after limit, or when ended is closed because the daemon is gone.
func AwaitReport(t *testing.T, socket, what string, limit time.Duration, ended <-chan struct{},
	ok func(*status.Report) bool,
) *status.Report {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		r, err := AskReport(t.Context(), socket)
		if err == nil && ok(r) {
			return r
		}
		select {
		case <-ended:
			t.Fatalf("ntsd ended before %s", what)
		case <-time.After(pollInterval):
		}
		if time.Now().After(deadline) {
			text, _ := json.MarshalIndent(r, "", " ")
			t.Fatalf("no %s within %v (%v); the report:\n%s", what, limit, err, text)
		}
	}
}

// Source returns the source of that name or address; without it the test fails.
func Source(t *testing.T, r *status.Report, name string) *status.Source {
	t.Helper()
	for i := range r.Sources {
		if r.Sources[i].Is(name) {
			return &r.Sources[i]
		}
	}
	t.Fatalf("no source %s in the report", name)
	return nil
}
