package cmdmon

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/control"
	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// exchange is a request of chronyc and chronyd's reply.
type exchange struct{ request, reply []byte }

func (e exchange) command() command { return command(binary.BigEndian.Uint16(e.request[4:])) }
func (e exchange) format() format   { return format(binary.BigEndian.Uint16(e.reply[6:])) }
func (e exchange) result() result   { return result(binary.BigEndian.Uint16(e.reply[8:])) }

// recording is one run of chronyc -n -c: what went over the socket (lines with
// > and <) and what it printed (=). The first line of a file says which releases
// these were.
type recording struct {
	command   string
	exchanges []exchange
	printed   string
}

// recorded reads testdata.
func recorded(t *testing.T) map[string][]recording {
	t.Helper()
	all := map[string][]recording{}
	paths, err := filepath.Glob("testdata/chrony-*.txt")
	if err != nil || len(paths) != 4 {
		t.Fatalf("recordings: %v, %v", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var list []recording
		for line := range strings.Lines(string(text)) {
			kind, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if !ok {
				continue
			}
			switch kind {
			case "$":
				list = append(list, recording{command: rest})
			case "=":
				list[len(list)-1].printed += rest + "\n"
			case ">", "<":
				b, err := hex.DecodeString(rest)
				if err != nil {
					t.Fatal(err)
				}
				last := &list[len(list)-1]
				if kind == ">" {
					last.exchanges = append(last.exchanges, exchange{request: b})
				} else {
					last.exchanges[len(last.exchanges)-1].reply = b
				}
			}
		}
		all[filepath.Base(path)] = list
	}
	return all
}

// fixed is a daemon whose state is given.
type fixed struct {
	report  status.Report
	stats   status.ServerStats
	clients []status.Client
	allowed bool
	answer  control.Response
	asked   []control.Request
	resets  int
	failure error
}

func (f *fixed) Report(context.Context) (status.Report, error) { return f.report, f.failure }
func (f *fixed) ServerStats() status.ServerStats               { return f.stats }
func (f *fixed) Clients(_ uint32, reset bool) []status.Client {
	if reset {
		f.resets++
	}
	return f.clients
}

func (f *fixed) CheckAccess(netip.Addr) status.Access { return status.Access{Allowed: f.allowed} }
func (f *fixed) Answer(_ context.Context, req control.Request) control.Response {
	f.asked = append(f.asked, req)
	return f.answer
}

// state is what a recording's replies tell, and how many commands had come.
func (rec *recording) state(t *testing.T) (f *fixed, commands uint64) {
	f = new(fixed)
	f.answer = control.Done()
	sources := &f.report.Sources
	source := func(i int) *status.Source {
		for len(*sources) <= i {
			*sources = append(*sources, status.Source{})
		}
		return &(*sources)[i]
	}
	last := -1
	for _, e := range rec.exchanges {
		r := &reader{t, e.reply[replyHeader:]}
		index := 0
		if e.command() == cmdSourceData || e.command() == cmdSourcestats || e.command() == cmdSelectData {
			index = int(binary.BigEndian.Uint32(e.request[requestHeader:]))
			last = index
		}
		switch e.format() {
		case fmtNSources:
			if n := int(r.u32()); n > 0 {
				source(n - 1)
			}
		case fmtTracking:
			f.report.Tracking = r.tracking()
		case fmtActivity:
			f.report.Activity = r.activity()
		case fmtSmoothing:
			f.report.Smoothing = r.smoothing()
		case fmtSourceData:
			r.sourceData(source(index))
		case fmtSourcestats:
			r.sourcestats(source(index))
		case fmtSelectData:
			r.selectData(source(index))
		case fmtAuthData:
			r.authData(source(last))
		case fmtNTPData1, fmtNTPData2:
			r.ntpData(source(last))
		case fmtSourceName:
			s := source(0)
			s.Address, _ = (&reader{t, e.request[requestHeader:]}).address()
			s.Name = string(bytes.TrimRight(r.b, "\x00"))
		case fmtServerStats3, fmtServerStats4:
			c := append(r.serverStats(e.format()), make([]uint64, 6)...)
			commands = c[2]
			f.stats = status.ServerStats{
				Received: c[0], KEAccepted: c[1], Dropped: c[3], KEDropped: c[4], ClientsDropped: c[6],
				Authenticated: c[7], Interleaved: c[8], Held: int(c[9]), HeldSpanS: float64(c[10]),
				DaemonRX: c[11], DaemonTX: c[12], KernelRX: c[13], KernelTX: c[14],
			}
		case fmtClientsByIndex3:
			_, _, f.clients = r.clients()
		}
		switch e.result() {
		case accessAllowed:
			f.allowed = true
		case noSuchSource:
			f.answer = control.Fail(control.CodeNoSource, "no such source")
		case success: // chronyd knows the source that is meant
			if c := e.command(); c == cmdOffline || c == cmdBurst {
				s := source(0)
				s.Address, _ = (&reader{t, e.request[requestHeader+addressLength:]}).address()
			}
		}
	}
	return f, commands
}

// blank clears what we say otherwise on purpose: the standard error of an
// estimated offset, the numbers of sources without an address, and how large
// the table of clients is (chronyd counts its free places).
func blank(f format, b []byte) []byte {
	b = bytes.Clone(b)
	clear := func(from, to int) { clear(b[replyHeader+from : replyHeader+to]) }
	at := -1
	switch f {
	case fmtSourcestats:
		clear(52, 56)
		at = 4
	case fmtSelectData:
		at = 4
	case fmtSourceData:
		at = 0
	case fmtClientsByIndex3:
		clear(0, 8)
	}
	if at >= 0 && b[replyHeader+at+17] == familyID {
		clear(at, at+4)
	}
	return b
}

// refusedHere lists what chronyd does and we do not: local, in two forms.
func refusedHere(c command) bool { return c == 56 || c == 74 }

// TestRecordedReplies: given chronyd's state we reply as chronyd did, byte by
// byte, and print it as chronyc did.
func TestRecordedReplies(t *testing.T) {
	for file, list := range recorded(t) {
		for _, rec := range list {
			f, commands := rec.state(t)
			h := Handler{Daemon: f}
			if commands > 0 {
				h.counts.Received = commands - 1
			}
			index := uint32(0)
			for i, e := range rec.exchanges {
				request := bytes.Clone(e.request)
				switch e.command() {
				case cmdSourceData:
					index = binary.BigEndian.Uint32(request[requestHeader:])
				case cmdAuthData: // a source without an address has another number here
					if request[requestHeader+17] == familyID {
						binary.BigEndian.PutUint32(request[requestHeader:], index+1)
					}
				}
				got := h.Reply(t.Context(), Socket, request, nil)
				want := blank(e.format(), e.reply)
				if refusedHere(e.command()) {
					binary.BigEndian.PutUint16(want[8:], uint16(notAuthorised))
				}
				if len(got) != len(want) {
					t.Errorf("%s: %s, reply %d: got %d bytes, want %d", file, rec.command, i, len(got), len(want))
				} else if got := blank(e.format(), got); !bytes.Equal(got, want) {
					t.Errorf("%s: %s, reply %d:\n got %x\nwant %x", file, rec.command, i, got, want)
				}
			}
			if got, ok := printed(t, &rec, f); ok && got != rec.printed {
				t.Errorf("%s: %s: we print\n%sand chronyc printed\n%s", file, rec.command, got, rec.printed)
			}
		}
	}
}

// printed is what ntsctl -n -c would print, where it prints the same.
func printed(t *testing.T, rec *recording, f *fixed) (string, bool) {
	t.Helper()
	var b strings.Builder
	var err error
	o := tables.Options{Numeric: true, CSV: true, All: true}
	name, _, _ := strings.Cut(rec.command, " ")
	switch name {
	case "tracking":
		err = tables.Tracking(&b, f.report, o)
	case "sources":
		err = tables.Sources(&b, f.report, o)
	case "sourcestats":
		err = tables.Sourcestats(&b, f.report, o)
	case "selectdata":
		err = tables.Selectdata(&b, f.report, o)
	case "authdata":
		err = tables.Authdata(&b, f.report, o)
	case "activity":
		err = tables.Activity(&b, f.report, o)
	default:
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), true
}

// TestOtherPrograms: what other programs ask is answered, whatever they pad
// their requests to.
func TestOtherPrograms(t *testing.T) {
	text, err := os.ReadFile("testdata/programs.txt")
	if err != nil {
		t.Fatal(err)
	}
	f := crowd()
	f.report.Sources[0].Address = "127.0.0.2"
	h := Handler{Daemon: f}
	program, asked := "", 0
	for line := range strings.Lines(string(text)) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "#", "$":
			program = rest
		case ">":
			asked++
			request, err := hex.DecodeString(rest)
			if err != nil {
				t.Fatal(err)
			}
			got := h.Reply(t.Context(), Socket, request, nil)
			if len(got) <= replyHeader || len(got) > len(request) || resultOf(got) != success {
				t.Errorf("%s: got %x", program, got)
			}
		}
	}
	if asked != 13 {
		t.Errorf("got %d requests, want 13", asked)
	}
}
