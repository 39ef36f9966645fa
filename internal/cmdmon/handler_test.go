package cmdmon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/control"
	"ntsd/internal/status"
)

// ask makes a request of so many bytes.
func ask(c command, length int, data ...byte) []byte {
	b := make([]byte, max(length, requestHeader+len(data)))
	b[0], b[1] = protoVersion, typeRequest
	binary.BigEndian.PutUint16(b[4:], uint16(c))
	binary.BigEndian.PutUint16(b[6:], 2) // the third attempt
	binary.BigEndian.PutUint32(b[8:], 0xcafef00d)
	copy(b[requestHeader:], data)
	return b
}

// wire returns an address as it is sent.
func wire(text string) []byte {
	var r reply
	r.address(ip(text))
	return r
}

// resultOf returns the status of a reply.
func resultOf(b []byte) result { return exchange{reply: b}.result() }

// crowd is a daemon with something of everything.
func crowd() *fixed {
	f := &fixed{allowed: true, answer: control.Done()}
	for i, a := range []string{"192.0.2.1", "2001:db8::1", "", "192.0.2.9"} {
		f.report.Sources = append(f.report.Sources, status.Source{
			Ident:  status.Ident{Address: a, Name: fmt.Sprintf("host%d.example", i)},
			Sample: status.Sample{Mark: "*"},
			Auth:   status.Auth{Mode: "none"},
		})
	}
	f.report.Smoothing.Enabled = true
	for i := range 19 {
		f.clients = append(f.clients, status.Client{Address: fmt.Sprintf("192.0.2.%d", i+1), Requests: uint32(i)})
	}
	return f
}

// lengths are those of chrony 4.8 and its successors, as their own table of
// lengths gives them: the request with its padding, by command. Commands that
// are not here they do not know.
func lengths() map[command]int {
	return map[command]int{
		1: 60, 2: 60, 3: 68, 4: 44, 5: 44, 6: 28, 7: 44, 8: 44, 9: 28, 11: 40, 13: 28, 14: 32, 15: 76, 16: 28,
		17: 44, 18: 44, 19: 44, 20: 44, 21: 44, 22: 44, 23: 44, 24: 44, 25: 40, 26: 40, 29: 40, 30: 28, 31: 28,
		33: 104, 34: 84, 35: 56, 36: 28, 37: 28, 41: 416, 42: 28, 43: 28, 44: 48, 45: 44, 46: 44, 47: 44, 48: 28,
		49: 28, 50: 28, 51: 52, 52: 28, 53: 28, 54: 196, 57: 172, 62: 28, 63: 28, 64: 372, 65: 284, 66: 28, 67: 52,
		68: 520, 69: 76, 70: 28, 71: 28, 72: 52, 73: 48, 74: 48,
	}
}

// older are the lengths that other releases have: the shortest of a reply whose
// format was extended, and the commands that are gone.
func older() map[command]int {
	return map[command]int{
		11: 32, // refused, so that no reply of its own is to be expected
		54: 48, 57: 152, 40: 424, 55: 424, 56: 36,
	}
}

// TestLengths: requests are as long as chrony's.
func TestLengths(t *testing.T) {
	want := lengths()
	for c, n := range older() {
		want[c] = n
	}
	for c := range command(100) {
		got, ok := shapes(c)
		if n, known := want[c]; ok != known || ok && got.length() != n {
			t.Errorf("command %d: got %d, %v; want %d, %v", c, got.length(), ok, n, known)
		}
	}
}

// TestNoAmplification: whatever is asked, in whatever length, the reply is not
// longer; what is too short for its command is told so.
func TestNoAmplification(t *testing.T) {
	for _, door := range []Door{Loopback, Socket} {
		h := Handler{Daemon: crowd()}
		for c := range command(80) {
			known, ok := shapes(c)
			for n := range MaxRequest + 2 {
				if n > 600 && n < MaxRequest {
					continue // longer than any reply
				}
				request := ask(c, MaxRequest+2, wire("192.0.2.1")...)[:n]
				got := h.Reply(t.Context(), door, request, []byte("before"))
				got = got[len("before"):]
				if len(got) > n {
					t.Fatalf("command %d: %d bytes are answered by %d", c, n, len(got))
				}
				switch {
				case n < replyHeader || n > MaxRequest:
					if len(got) > 0 {
						t.Fatalf("command %d, %d bytes: got a reply", c, n)
					}
				case !ok:
					if resultOf(got) != invalidCommand {
						t.Fatalf("command %d, %d bytes: got %d", c, n, resultOf(got))
					}
				case n < known.length():
					if resultOf(got) != badPacketLength || len(got) != replyHeader {
						t.Fatalf("command %d, %d bytes: got %x", c, n, got)
					}
				default:
					if r := resultOf(got); r == badPacketLength || r == invalidCommand && c != cmdSmoothTime {
						t.Fatalf("command %d, %d bytes: got %d", c, n, r)
					}
				}
			}
		}
	}
}

// TestHeader: a reply repeats command and sequence number; what is no request of
// version 6 gets an answer only if its sender would understand it.
func TestHeader(t *testing.T) {
	h := Handler{Daemon: crowd()}
	good := ask(cmdActivity, 48)
	got := h.Reply(t.Context(), Socket, good, nil)
	want := append([]byte{6, 2, 0, 0, 0, byte(cmdActivity), 0, byte(fmtActivity), 0, 0, 0, 0, 0, 0, 0, 0, 0xca, 0xfe, 0xf0, 0x0d}, make([]byte, 28)...)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	for _, c := range []struct {
		what  string
		at    int
		value byte
		want  int // -1: no reply
	}{
		{"a reply", 1, typeReply, -1},
		{"no packet", 1, 0, -1},
		{"a first reserved byte", 2, 1, -1},
		{"a second reserved byte", 3, 1, -1},
		{"version 4", 0, 4, -1},
		{"version 5", 0, 5, int(badPacketVersion)},
		{"version 7", 0, 7, int(badPacketVersion)},
		{"command 256+44", 4, 1, int(invalidCommand)},
	} {
		b := bytes.Clone(good)
		b[c.at] = c.value
		got := h.Reply(t.Context(), Socket, b, nil)
		if c.want < 0 != (len(got) == 0) || len(got) > 0 && (int(resultOf(got)) != c.want || len(got) != replyHeader) {
			t.Errorf("%s: got %x, want status %d", c.what, got, c.want)
		}
	}
	if h.counts.Received != 9 || h.counts.Dropped != 5 {
		t.Errorf("got %+v, want 9 commands of which 5 without a reply", h.counts)
	}
}

// TestDoors: by UDP only that is answered which chrony shows everybody; what
// changes something is done for the socket, if at all.
func TestDoors(t *testing.T) {
	everybody := []command{
		cmdNSources, cmdSourceData, cmdTracking, cmdSourcestats, cmdRTCReport, cmdManualList, cmdActivity,
		cmdSmoothing, cmdSourceName,
	}
	refused := []command{
		4, 5, 7, 8, 9, 11, 13, 17, 18, 19, 20, 21, 22, 23, 24, 29, 30, 31, 36, 37, 42, 45, 46, 47, 48, 49, 50, 56, 62,
		64, 66, 71, 72, 73, 74,
	}
	for c := range lengths() {
		request := ask(c, MaxRequest, wire("192.0.2.1")...)
		if c == cmdSourceData || c == cmdSourcestats || c == cmdSelectData || c == cmdSmoothTime {
			clear(request[requestHeader:])
		}
		f := crowd()
		h := Handler{Daemon: f}
		got := resultOf(h.Reply(t.Context(), Loopback, request, nil))
		if want := !slices.Contains(everybody, c); (got == notAuthorised) != want {
			t.Errorf("command %d by UDP: got %d, refused should be %v", c, got, want)
		}
		if len(f.asked) > 0 {
			t.Errorf("command %d by UDP: did %v", c, f.asked)
		}
		got = resultOf(h.Reply(t.Context(), Socket, request, nil))
		if want := slices.Contains(refused, c); (got == notAuthorised) != want {
			t.Errorf("command %d by the socket: got %d, refused should be %v", c, got, want)
		}
	}
}

// TestFormats: the reply has the newest format for which the client left room.
func TestFormats(t *testing.T) {
	f := crowd()
	f.stats = status.ServerStats{Received: 1 << 33, KEAccepted: 2, Dropped: 3, KEDropped: 4, ClientsDropped: 5, Authenticated: 6}
	h := Handler{Daemon: f}
	for _, c := range []struct {
		command command
		length  int
		want    format
		bytes   int
	}{
		{cmdServerStats, 48, fmtServerStats1, 48},
		{cmdServerStats, 59, fmtServerStats1, 48},
		{cmdServerStats, 60, fmtServerStats2, 60},
		{cmdServerStats, 72, fmtServerStats3, 72},
		{cmdServerStats, 195, fmtServerStats3, 72},
		{cmdServerStats, 196, fmtServerStats4, 196},
		{cmdServerStats, 416, fmtServerStats4, 196},
		{cmdNTPData, 152, fmtNTPData1, 152},
		{cmdNTPData, 171, fmtNTPData1, 152},
		{cmdNTPData, 172, fmtNTPData2, 172},
		{cmdClientsByIndex1, 424, fmtClientsByIndex1, 424},
		{cmdClientsByIndex2, 424, fmtClientsByIndex2, 424},
		{cmdClientsByIndex3, 520, fmtClientsByIndex3, 520},
	} {
		got := h.Reply(t.Context(), Socket, ask(c.command, c.length, wire("192.0.2.1")...), nil)
		if f := (exchange{reply: got}).format(); f != c.want || len(got) != c.bytes || resultOf(got) != success {
			t.Errorf("command %d with %d bytes: got format %d with %d bytes, want %d with %d", c.command, c.length, f, len(got), c.want, c.bytes)
		}
	}
	h.counts = Commands{Received: 7, Dropped: 9}
	first := h.Reply(t.Context(), Socket, ask(cmdServerStats, 48), nil)
	if got, want := (&reader{t, first[replyHeader:]}).serverStats(fmtServerStats1), []uint64{1<<32 - 1, 8, 3, 9, 5}; !slices.Equal(got, want) {
		t.Errorf("the first format of serverstats: got %v, want %v", got, want)
	}
}

// TestClientPages: the table is taken once and read page by page, and counted
// from 0 again once.
func TestClientPages(t *testing.T) {
	f := crowd()
	h := Handler{Daemon: f}
	var all []string
	for next, n := uint32(0), 0; next < 19; n++ {
		data := binary.BigEndian.AppendUint32(nil, next)
		data = append(data, 0, 0, 0, clientsPerReply, 0, 0, 0, 1, 0, 0, 0, 1)
		got := h.Reply(t.Context(), Socket, ask(cmdClientsByIndex3, 520, data...), nil)
		total, following, page := (&reader{t, got[replyHeader:]}).clients()
		if total != 19 || following != min(19, next+8) || n > 3 {
			t.Fatalf("page %d: got %d of %d, next %d", n, len(page), total, following)
		}
		for _, c := range page {
			all = append(all, c.Address)
		}
		next = following
		f.clients = f.clients[:1] // others come and go
	}
	if len(all) != 19 || all[0] != "192.0.2.1" || all[18] != "192.0.2.19" || f.resets != 1 {
		t.Errorf("got %v, with %d resets", all, f.resets)
	}
	if h.clients != nil {
		t.Error("the table is kept after its last page")
	}
	for _, first := range []uint32{1, 1 << 31, 1<<32 - 1} {
		data := append(binary.BigEndian.AppendUint32(nil, first), 0xff, 0xff, 0xff, 0xff)
		got := h.Reply(t.Context(), Socket, ask(cmdClientsByIndex3, 520, data...), nil)
		if total, _, page := (&reader{t, got[replyHeader:]}).clients(); total != 0 || len(page) != 0 {
			t.Errorf("from %d on: got %d of %d", first, len(page), total)
		}
	}
}

// TestCommands: what chronyc asks to be done, in the daemon's words.
func TestCommands(t *testing.T) {
	none := make([]byte, networkLength)
	whole := func(mask, at string) []byte { return append(wire(mask), wire(at)...) }
	number := func(b []byte) []byte { return append(none[:addressLength:addressLength], b...) }
	for _, c := range []struct {
		command command
		data    []byte
		want    string
	}{
		{cmdMakeStep, nil, "makestep"},
		{cmdRefresh, nil, "refresh"},
		{cmdOnOffline, nil, "onoffline"},
		{cmdDump, nil, "dump"},
		{cmdReloadSources, nil, "reload sources"},
		{cmdRekey, nil, "reload"},
		{cmdSmoothTime, []byte{0, 0, 0, 0}, "smoothtime reset"},
		{cmdSmoothTime, []byte{0, 0, 0, 1}, "smoothtime activate"},
		{cmdOnline, none, "online"},
		{cmdOffline, none, "offline"},
		{cmdOffline, whole("255.255.255.255", "192.0.2.9"), "offline 192.0.2.9"},
		{cmdOffline, whole("255.255.255.0", "192.0.2.77"), "offline 192.0.2.1, offline 192.0.2.9"},
		{cmdOffline, whole("0.0.0.0", "1.2.3.4"), "offline 192.0.2.1, offline 192.0.2.9"},
		{cmdOnline, whole("ffff:ffff::", "2001:db8:1::"), "online 2001:db8::1"},
		{cmdOnline, whole("255.0.0.0", "2001:db8::1"), "online 2001:db8::1"}, // a mask of another family is none
		{cmdOnline, number([]byte{0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, familyID, 0, 0}), "online host2.example"},
		{cmdOnline, whole("255.255.255.255", "192.0.2.2"), ""},
		{cmdBurst, append(none[:networkLength:networkLength], 0, 0, 0, 4, 0, 0, 0, 8), "burst 4/8"},
		{cmdBurst, append(none[:networkLength:networkLength], 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0), "burst 32/32"},
		{cmdBurst, append(none[:networkLength:networkLength], 0, 0, 0, 0, 0, 0, 0, 0), "burst 1/1"},
		{cmdBurst, append(whole("255.255.255.255", "192.0.2.9"), 0, 0, 0, 4, 0, 0, 0, 8), "burst 4/8 192.0.2.9"},
	} {
		f := crowd()
		h := Handler{Daemon: f}
		r := resultOf(h.Reply(t.Context(), Socket, ask(c.command, 100, c.data...), nil))
		var did []string
		for _, req := range f.asked {
			did = append(did, strings.Join(append([]string{req.Cmd}, req.Args...), " "))
			if _, err := control.ParseRequest([]byte(fmt.Sprintf("{%q:%q,%q:%s}", "cmd", req.Cmd, "args", quoted(req.Args)))); err != nil {
				t.Errorf("the daemon would not understand %v: %v", req, err)
			}
		}
		want := success
		if c.want == "" {
			want = noSuchSource
		}
		if got := strings.Join(did, ", "); got != c.want || r != want {
			t.Errorf("command %d: did %q with result %d, want %q", c.command, got, r, c.want)
		}
	}
	f := crowd()
	h := Handler{Daemon: f}
	for _, c := range []struct {
		answer control.Response
		ask    []byte
		want   result
	}{
		{control.Fail(control.CodeFailed, "no"), ask(cmdRefresh, 28), failed},
		{control.Fail(control.CodeNoSource, "no"), ask(cmdOnline, 60), noSuchSource},
		{control.Fail(control.CodeFailed, "no"), ask(cmdSmoothTime, 28), notEnabled},
		{control.Done(), ask(cmdSmoothTime, 28, 0, 0, 0, 2), invalidCommand},
	} {
		f.answer = c.answer
		if got := resultOf(h.Reply(t.Context(), Socket, c.ask, nil)); got != c.want {
			t.Errorf("%x, answered with %+v: got %d, want %d", c.ask, c.answer, got, c.want)
		}
	}
}

func quoted(args []string) string {
	if len(args) == 0 {
		return "[]"
	}
	return `["` + strings.Join(args, `","`) + `"]`
}

// TestSourcesByAddress: a source is found by its address or number, and by no
// other.
func TestSourcesByAddress(t *testing.T) {
	h := Handler{Daemon: crowd()}
	for _, c := range []struct {
		address []byte
		want    string
	}{
		{wire("192.0.2.1"), "host0.example"},
		{wire("2001:db8::1"), "host1.example"},
		{wire("192.0.2.9"), "host3.example"},
		{append(bytes.Clone(make([]byte, 10)), 0xff, 0xff, 192, 0, 2, 9, 0, familyIPv6, 0, 0), "host3.example"},
		{[]byte{0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, familyID, 0, 0}, "host2.example"},
		{[]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, familyID, 0, 0}, ""}, // has an address
		// As Telegraf, and all that is built on the same library, gives numbers back.
		{[]byte{0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, familyIPv6, 0, 0}, "host2.example"},
		{[]byte{0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, familyIPv6, 0, 0}, ""},
		{[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, familyIPv6, 0, 0}, ""},
		{make([]byte, addressLength), ""},
		{[]byte{192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0}, ""},
		{wire("192.0.2.2"), ""},
	} {
		got := h.Reply(t.Context(), Loopback, ask(cmdSourceName, 284, c.address...), nil)
		name := ""
		if resultOf(got) == success {
			name = string(bytes.TrimRight(got[replyHeader:], "\x00"))
		} else if resultOf(got) != noSuchSource {
			t.Errorf("%x: got %d", c.address, resultOf(got))
		}
		if name != c.want {
			t.Errorf("%x: got %q, want %q", c.address, name, c.want)
		}
	}
	for _, index := range []uint32{4, 1 << 31, 1<<32 - 1} {
		data := binary.BigEndian.AppendUint32(nil, index)
		if got := resultOf(h.Reply(t.Context(), Loopback, ask(cmdSourceData, 76, data...), nil)); got != noSuchSource {
			t.Errorf("source %d: got %d", index, got)
		}
	}
}

// TestReferenceClock: it is shown by its reference ID, and is no host.
func TestReferenceClock(t *testing.T) {
	f := crowd()
	f.report.Sources = append(f.report.Sources, status.Source{Ident: status.Ident{Name: "PPS", Address: "80.80.83.0", Kind: status.KindRefClock}, Sample: status.Sample{Mark: "*"}})
	h := Handler{Daemon: f}
	show := func(c command, n int, data ...byte) *reader {
		return &reader{t, h.Reply(t.Context(), Socket, ask(c, n, data...), nil)[replyHeader:]}
	}
	var s status.Source
	show(cmdSourceData, 76, 0, 0, 0, 4).sourceData(&s)
	if s.Kind != status.KindRefClock || s.Address != "80.80.83.0" {
		t.Errorf("sources: got %s %s, want a reference clock PPS", s.Kind, s.Address)
	}
	for _, r := range []*reader{show(cmdSourcestats, 84, 0, 0, 0, 4), show(cmdSelectData, 76, 0, 0, 0, 4)} {
		id := r.hex()
		if at := parseAddress(r.bytes(addressLength)); id != "50505300" || at != (address{}) {
			t.Errorf("got %s, %v, want PPS without an address", id, at)
		}
	}
	for _, c := range []command{cmdSourceName, cmdNTPData, cmdAuthData} {
		if got := resultOf(h.Reply(t.Context(), Socket, ask(c, 284, wire("80.80.83.0")...), nil)); got != noSuchSource {
			t.Errorf("command %d: got %d, want no such source", c, got)
		}
	}
	all := append(wire("0.0.0.0"), wire("1.2.3.4")...)
	h.Reply(t.Context(), Socket, ask(cmdOffline, 60, all...), nil)
	for _, req := range f.asked {
		if slices.Contains(req.Args, "80.80.83.0") {
			t.Errorf("did %v", req)
		}
	}
}

// TestDaemonGone: while the daemon ends, chronyc hears of a failure.
func TestDaemonGone(t *testing.T) {
	h := Handler{Daemon: &fixed{failure: errors.New("stopped")}}
	for _, c := range []command{cmdTracking, cmdSourceData, cmdActivity} {
		if got := resultOf(h.Reply(t.Context(), Socket, ask(c, 200), nil)); got != failed {
			t.Errorf("command %d: got %d, want %d", c, got, failed)
		}
	}
}

// TestNothingIsEmpty: the zero report is shown, as before the first reply.
func TestNothingIsEmpty(t *testing.T) {
	f := &fixed{answer: control.Done()}
	f.report.Sources = make([]status.Source, 1)
	h := Handler{Daemon: f}
	for c, n := range lengths() {
		if got := h.Reply(t.Context(), Socket, ask(c, n), nil); len(got) < replyHeader {
			t.Errorf("command %d: no reply", c)
		}
	}
	var zero Commands
	if reflect.DeepEqual(h.counts, zero) {
		t.Error("nothing was counted")
	}
}

// FuzzRequest: no request crashes the handler, moves the daemon by UDP, or gets
// a longer reply or one that is not chrony's.
func FuzzRequest(f *testing.F) {
	f.Add(true, ask(cmdTracking, 104))
	f.Add(false, ask(cmdBurst, 68, wire("192.0.2.1")...))
	f.Add(true, ask(cmdClientsByIndex3, 520, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9))
	f.Add(true, ask(cmdNTPData, 172, wire("2001:db8::1")...))
	f.Fuzz(func(t *testing.T, socket bool, request []byte) {
		d := crowd()
		h := Handler{Daemon: d}
		before := bytes.Clone(request)
		got := h.Reply(context.Background(), Door(socket), request, nil)
		if !bytes.Equal(before, request) {
			t.Fatal("the request was changed")
		}
		if len(got) > len(request) {
			t.Fatalf("%d bytes are answered by %d", len(request), len(got))
		}
		if len(got) > 0 && (len(got) < replyHeader || !bytes.Equal(got[16:20], request[8:12]) || got[1] != typeReply) {
			t.Fatalf("got %x", got)
		}
		if !socket && len(d.asked) > 0 {
			t.Fatalf("by UDP: did %v", d.asked)
		}
	})
}

// TestHostileReports: whatever the numbers of a report are, a reply is made.
func TestHostileReports(t *testing.T) {
	const seed = 11
	random := rand.New(rand.NewPCG(seed, 1))
	f := crowd()
	s := &f.report.Sources[0]
	s.Name = strings.Repeat("n", 300)
	s.NTP = &status.NTPData{ReferenceID: "not hexadecimal", Tests: "111 111 11111111111111111111", Sent: "?"}
	h := Handler{Daemon: f}
	for range 1000 {
		s.Stratum, s.PollLog2, s.Reach = int(random.Int64()), int(random.Int64()), -int(random.Int64())
		s.LastRx, s.Stats.SpanS, s.Stats.Samples = status.Ago(random.Int64()), random.NormFloat64()*1e30, -5
		s.Selection.Letter, s.Mark = "", ""
		f.report.Tracking.Stratum, f.report.Tracking.ReferenceID = -1, ""
		for c, n := range lengths() {
			if got := h.Reply(t.Context(), Socket, ask(c, n, wire("192.0.2.1")...), nil); len(got) < replyHeader {
				t.Fatalf("seed %d: command %d: no reply", seed, c)
			}
		}
	}
}
