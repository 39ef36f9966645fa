package ubus

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startUbusd starts the real thing where UBUSD names it: its binary, with the
// client "ubus" in the folder bin beside its own.
func startUbusd(t *testing.T) (socket, client string) {
	t.Helper()
	program := os.Getenv("UBUSD")
	if program == "" {
		t.Skip("ubus: UBUSD names no ubusd")
	}
	socket = filepath.Join(t.TempDir(), "s")
	cmd := exec.Command(program, "-s", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return socket, filepath.Join(filepath.Dir(program), "..", "bin", "ubus")
}

// TestRealBus: against ubusd and its own client.
func TestRealBus(t *testing.T) {
	socket, client := startUbusd(t)
	ctx := t.Context()
	server, err := Dial(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	echo := &Object{
		Path:    "echo",
		Methods: map[string]Table{"say": {"text": int64(typeString)}, "fail": {}},
		Handle: func(method string, args Table) (Table, error) {
			if method == "fail" {
				return nil, StatusPermissionDenied
			}
			return Table{"method": method, "args": args, "list": []any{int64(1), "two", true, 2.5, int64(1) << 40}}, nil
		},
	}
	if err := server.Add(ctx, echo); err != nil {
		t.Fatal(err)
	}
	conn, err := Dial(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := conn.Call(ctx, "echo", "say", Table{"text": "hello", "n": int64(-3)})
	if err != nil || got.Sub("args").String("text") != "hello" || got.Sub("args").Int("n") != -3 || len(got.List("list")) != 5 {
		t.Errorf("say: got %v, %v", got, err)
	}
	if _, err := conn.Call(ctx, "echo", "fail", nil); !errors.Is(err, StatusPermissionDenied) {
		t.Errorf("fail: got %v, want permission denied", err)
	}
	if _, err := conn.Call(ctx, "nobody", "say", nil); !errors.Is(err, StatusNotFound) {
		t.Errorf("nobody: got %v, want not found", err)
	}
	out, err := exec.CommandContext(ctx, client, "-s", socket, "call", "echo", "say", `{"text":"from C"}`).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"from C"`) {
		t.Errorf("ubus call: got %s, %v", out, err)
	}
	out, err = exec.CommandContext(ctx, client, "-s", socket, "-v", "list", "echo").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"say":{"text":"String"}`) {
		t.Errorf("ubus list: got %s, %v", out, err)
	}
	heard := make(chan string, 10)
	ear := &Object{Handle: func(method string, args Table) (Table, error) {
		heard <- method + " " + args.String("what")
		return nil, nil
	}, Lost: func() { heard <- "lost" }}
	if err := conn.Add(ctx, ear); err != nil {
		t.Fatal(err)
	}
	if err := conn.Listen(ctx, ear, "some.*"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Subscribe(ctx, ear, "echo"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, client, "-s", socket, "send", "some.event", `{"what":"news"}`).CombinedOutput(); err != nil {
		t.Fatalf("ubus send: %s, %v", out, err)
	}
	want(t, heard, "some.event news")
	server.Close()
	want(t, heard, "lost")
}

func want(t *testing.T, heard <-chan string, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	select {
	case got := <-heard:
		if got != text {
			t.Errorf("heard %q, want %q", got, text)
		}
	case <-ctx.Done():
		t.Errorf("heard nothing, want %q", text)
	}
}
