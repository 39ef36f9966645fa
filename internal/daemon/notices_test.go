package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// TestNoticesOnARouter: what a person reads in a router's log is short, the rest
// comes with debug; that the network is down is said once until something is
// heard, whichever sources miss it.
func TestNoticesOnARouter(t *testing.T) {
	var text bytes.Buffer
	logger := func(level slog.Level) *Daemon {
		return &Daemon{opt: Options{Log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level}))}}
	}
	unresolved := func(name, reason string) event.Notice {
		return event.Notice{Kind: event.NoticeResolveFailed, Name: name, Text: reason}
	}
	established := event.Notice{
		Kind: event.NoticeKEDone, Name: "a.example", AEAD: "AES-128-GCM-SIV", Count: 8, Length: 64,
		KE: &event.KEInfo{TLSVersion: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Subject: "CN=a.example", Issuer: "CN=CA"},
	}
	d := logger(slog.LevelInfo)
	for _, n := range []event.Notice{
		unresolved("a.example", "no name server reachable: refused"),
		unresolved("b.example", "no name server reachable: refused"),
		{Kind: event.NoticeKEFailed, Name: "c.example", Text: "no route to 192.0.2.1:4460: is the network up?"},
		unresolved("d.example", "no such host"),
		{Kind: event.NoticeResolved, Name: "a.example", Addr: netip.Addr{}, Text: "192.0.2.7"},
		established,
		unresolved("b.example", "no name server reachable: refused"),
	} {
		d.notice(n)
	}
	var got []string
	for line := range strings.Lines(text.String()) {
		_, line, _ = strings.Cut(line, "level=")
		got = append(got, line)
	}
	want := `WARN msg="name does not resolve" source=a.example reason="no name server reachable: refused"
WARN msg="name does not resolve" source=d.example reason="no such host"
INFO msg="name resolved" source=a.example address=192.0.2.7
INFO msg="NTS keys established" source=a.example issuer="CN=CA" not_after=1970-01-01 aead=AES-128-GCM-SIV cookies=8
WARN msg="name does not resolve" source=b.example reason="no name server reachable: refused"
`
	if strings.Join(got, "") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, ""), want)
	}
	text.Reset()
	logger(slog.LevelDebug).notice(established)
	for _, part := range []string{`tls="TLS 1.3"`, "cipher=TLS_AES", `subject="CN=a.example"`, "not_before=1970", "cookie_bytes=64", "duration_ms=0"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("debug: no %s in %s", part, text.String())
		}
	}
}

// TestSelectionsAnHour: sources that take turns do not fill the log.
func TestSelectionsAnHour(t *testing.T) {
	var s selections
	var got []int
	for minute := range 180 {
		if minute%2 == 0 && !s.often(clock.Mono(0).Add(time.Duration(minute)*time.Minute)) {
			got = append(got, minute)
		}
	}
	if want := []int{0, 2, 4, 6, 60, 62, 64, 66, 120, 122, 124, 126}; !slices.Equal(got, want) {
		t.Errorf("lines in minutes %v, want %v", got, want)
	}
}

// TestKissText: a kiss is told with what the server wants and what becomes of it.
func TestKissText(t *testing.T) {
	for code, want := range map[string]string{
		"DENY": "DENY: it does not serve this address; name another server",
		"RSTR": "RSTR: it does not serve this address; name another server",
		"RATE": "RATE: it is asked too often; it is asked less often from now on",
		"STEP": "STEP",
	} {
		if got := kissText(code); got != want {
			t.Errorf("%s: got %q, want %q", code, got, want)
		}
	}
}

// TestJournalSpeaksPlainly: errors reach the log and the status in words for
// people, whatever they are logged as.
func TestJournalSpeaksPlainly(t *testing.T) {
	var text bytes.Buffer
	journal := NewJournal(slog.NewTextHandler(&text, nil))
	log := slog.New(journal)
	log.Warn("first", "reason", errors.New("nts: cookie expired"), "port", 123)
	log.Warn("second", "reason", "udp: gone", "file", "nts: kept")
	for i, want := range []string{`first reason=cookie expired port=123`, `second reason=gone file=nts: kept`} {
		if got := journal.Lines()[i].Text; got != want {
			t.Errorf("status: got %q, want %q", got, want)
		}
	}
	for _, want := range []string{`reason="cookie expired" port=123`, `reason=gone file="nts: kept"`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("log: no %s in %s", want, text.String())
		}
	}
}
