package control

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/event"
)

func TestParseRequest(t *testing.T) {
	for _, c := range []struct {
		line string
		want Request
		err  error
	}{
		{`{"cmd":"report"}`, Request{Cmd: "report"}, nil},
		{`{"cmd":"burst","args":["4/8","192.0.2.1"]}`, Request{Cmd: "burst", Args: []string{"4/8", "192.0.2.1"}}, nil},
		{`{"cmd":"report","later":{"version":[1]}}`, Request{Cmd: "report"}, nil},
		{`{"cmd":"nosuch"}`, Request{Cmd: "nosuch"}, nil}, // the handler's to refuse
		{``, Request{}, ErrMalformed},
		{`{}`, Request{}, ErrMalformed},
		{`[]`, Request{}, ErrMalformed},
		{`{"cmd":"Report"}`, Request{}, ErrMalformed},
		{`{"cmd":"report"} {}`, Request{}, ErrMalformed},
		{`{"cmd":7}`, Request{}, ErrMalformed},
		{`{"cmd":"` + strings.Repeat("a", maxCommand+1) + `"}`, Request{}, ErrMalformed},
		{`{"cmd":"online","args":["\u001b[2J"]}`, Request{}, ErrMalformed},
		{`{"cmd":"online","args":["` + strings.Repeat("a", maxArg+1) + `"]}`, Request{}, ErrMalformed},
		{`{"cmd":"online","args":["1","2","3","4","5","6","7","8","9"]}`, Request{}, ErrMalformed},
		{`{"cmd":"online","x":"` + strings.Repeat("a", MaxRequest) + `"}`, Request{}, ErrMalformed},
	} {
		got, err := ParseRequest([]byte(c.line))
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("ParseRequest(%.60q) = %+v, %v; want %+v, %v", c.line, got, err, c.want, c.err)
		}
	}
}

func TestEvent(t *testing.T) {
	for _, c := range []struct {
		req  Request
		want event.Command
		ok   bool
		err  error
	}{
		{Request{Cmd: CmdMakeStep}, event.Command{Kind: event.CommandMakeStep}, true, nil},
		{Request{Cmd: CmdRefresh}, event.Command{Kind: event.CommandRefresh}, true, nil},
		{Request{Cmd: CmdOnline}, event.Command{Kind: event.CommandOnline}, true, nil},
		{Request{Cmd: CmdOffline, Args: []string{"a"}}, event.Command{Kind: event.CommandOffline, Target: "a"}, true, nil},
		{Request{Cmd: CmdRekey, Args: []string{"a"}}, event.Command{Kind: event.CommandRekey, Target: "a"}, true, nil},
		{Request{Cmd: CmdBurst, Args: []string{"2/3"}}, event.Command{Kind: event.CommandBurst, Good: 2, Max: 3}, true, nil},
		{
			Request{Cmd: CmdBurst, Args: []string{"2/3", "a"}},
			event.Command{Kind: event.CommandBurst, Good: 2, Max: 3, Target: "a"},
			true, nil,
		},
		{Request{Cmd: CmdBurst}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdBurst, Args: []string{"3/2"}}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdBurst, Args: []string{"0/2"}}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdBurst, Args: []string{"1/33"}}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdBurst, Args: []string{"1"}}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdMakeStep, Args: []string{"1", "3"}}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdOnline, Args: []string{"a", "b"}}, event.Command{}, false, ErrArguments},
		{Request{Cmd: CmdReport}, event.Command{}, false, nil},
		{Request{Cmd: CmdReload}, event.Command{}, false, nil},
	} {
		got, ok, err := c.req.Event()
		if ok != c.ok || !errors.Is(err, c.err) || err == nil && got != c.want {
			t.Errorf("%+v: got %+v, %v, %v; want %+v, %v, %v", c.req, got, ok, err, c.want, c.ok, c.err)
		}
	}
}

// TestBurstLimit: what a burst may ask for is what is sent, and the refusal
// says how much that is.
func TestBurstLimit(t *testing.T) {
	source, err := os.ReadFile("../assoc/poll.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?i)\bmaxBurst\s+= (\d+)`).FindSubmatch(source)
	if m == nil || string(m[1]) != strconv.Itoa(MaxBurst) {
		t.Errorf("package assoc sends at most %s requests in a burst, control accepts %d", m, MaxBurst)
	}
	most := strconv.Itoa(MaxBurst)
	if _, n, err := ParseBurst("1/" + most); err != nil || n != MaxBurst {
		t.Errorf("1/%s: got %d, %v", most, n, err)
	}
	if _, _, err := ParseBurst("1/33"); !errors.Is(err, ErrArguments) || !strings.Contains(err.Error(), "MAX <= "+most) {
		t.Errorf("1/33: got %v, want the limit in the error", err)
	}
}

// FuzzParseRequest: no input panics, and what is accepted survives being
// written and read again and is within the bounds.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`{"cmd":"report"}`, `{"cmd":"burst","args":["4/8","::1"]}`, `{"cmd":"online","args":["ü"]}`,
		`{"cmd":`, `null`, `{"cmd":"a","args":null}`, "{\"cmd\":\"a\",\"args\":[\"\x80\"]}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRequest(line)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if len(r.Args) > maxArgs || len(r.Cmd) > maxCommand {
			t.Fatalf("accepted out of bounds: %+v", r)
		}
		_, _, _ = r.Event()
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("marshal %+v: %v", r, err)
		}
		if len(again) > MaxRequest { // escapes can make it longer
			return
		}
		back, err := ParseRequest(again)
		if err != nil || back.Cmd != r.Cmd || len(back.Args) != len(r.Args) {
			t.Fatalf("round trip of %+v: %+v, %v", r, back, err)
		}
		for i := range r.Args {
			if back.Args[i] != r.Args[i] {
				t.Fatalf("argument %d: got %q, want %q", i, back.Args[i], r.Args[i])
			}
		}
	})
}
