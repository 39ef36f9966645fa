package mode6

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// ask builds a request as NTPsec's ntpq does.
func ask(op Op, association uint16, data string) []byte {
	r := Request{Version: 2, Op: op, Sequence: 7, Association: association}
	b := r.appendHeader(nil, 0, 0, 0, 0, len(data))
	b[1] &^= bitResponse
	b = append(b, data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// view has a source with NTS that is followed, a plain one that is combined with
// it, one that answered once, and one without an address.
func view() *View {
	now := status.Time(clock.WallUnix(1795304132, 30300000))
	source := func(id uint32, name, addr, mark string, reach int) status.Source {
		return status.Source{
			Ident:  status.Ident{ID: id, Name: name, Address: addr, Port: 123, Kind: "server"},
			Sample: status.Sample{Mark: mark, PollLog2: 4, Reach: reach, LastRx: 3, ErrorBoundS: 0.000170225},
			Stats:  status.Stats{Samples: 3, EstimatedOffsetS: -0.000057097, StdDevS: 0.000019488},
			Auth:   status.Auth{Mode: "none"},
			NTP: &status.NTPData{
				LocalAddress: "10.66.0.2", Mode: 4, Stratum: 1, PrecisionLog2: -27, ReferenceID: "47505300", DelayS: 0.00013845,
				ReferenceTime: now - 48e9, Transmitted: now - 3e9, Arrived: now - 3e9, Tests: "111 111 1111",
			},
			Counters: status.Counters{Sent: 8, Received: 9, Valid: 8, Verdicts: []status.Verdict{{Name: "origin timestamp does not match", Count: 1}}},
		}
	}
	a := source(1, "nts.test", "10.66.0.1", "*", 0o377)
	a.Auth, a.NTP.Authenticated = status.Auth{Mode: "nts", KeyID: 1, Cookies: 8}, true
	b := source(2, "10.66.1.1", "10.66.1.1", "+", 0o376)
	c := source(7, "gone.test", "2001:db8::7", "?", 0)
	d := source(0, `odd"name`, "", "?", 0)
	d.NTP, d.LastRx, d.Stats = nil, status.Never, status.Stats{}
	return &View{
		Report: status.Report{
			Time: now, Sources: []status.Source{a, b, c, d}, NTS: status.NTSClient{Sent: 8},
			Daemon: status.Daemon{Version: "1.0", UptimeS: 40.7},
			Tracking: status.Tracking{
				Synchronised: true, Stratum: 2, ReferenceID: "0A420001", LastOffsetS: -0.000001234, FreqPPM: -2.5,
				RootDelayS: 0.000053, RootDispersionS: 0.00103, ReferenceTime: now - 3e9,
			},
		},
		Server: status.ServerStats{Received: 5, Verdicts: map[string]uint64{"control": 12, "drop_access": 3}},
		Host:   Host{Processor: "mips", System: "Linux", Release: "6.6", PrecisionLog2: -20},
	}
}

// assembled checks the datagrams of an answer as ntpq does, and returns its
// status and its data.
func assembled(t *testing.T, request []byte, replies [][]byte) (word uint16, data []byte) {
	t.Helper()
	if len(replies) == 0 {
		t.Fatal("no answer")
	}
	for i, b := range replies {
		if len(b) < headerLen || len(b)%4 != 0 || len(b) > headerLen+maxData {
			t.Fatalf("datagram %d has %d bytes", i, len(b))
		}
		if b[0]&0x3f != request[0]&0x3f || b[1]&maskOp != request[1]&maskOp || !bytes.Equal(b[2:4], request[2:4]) || !bytes.Equal(b[6:8], request[6:8]) {
			t.Fatalf("datagram %d answers another request: %x", i, b[:headerLen])
		}
		last := i == len(replies)-1
		if b[1]&bitResponse == 0 || (b[1]&bitMore == 0) != last || b[1]&bitError != 0 {
			t.Fatalf("datagram %d of %d has bits %#x", i, len(replies), b[1])
		}
		count := int(binary.BigEndian.Uint16(b[10:]))
		if int(binary.BigEndian.Uint16(b[8:])) != len(data) || count > len(b)-headerLen || count == 0 && !last {
			t.Fatalf("datagram %d: offset and count of %x after %d bytes", i, b[:headerLen], len(data))
		}
		word = binary.BigEndian.Uint16(b[4:])
		data = append(data, b[headerLen:headerLen+count]...)
	}
	return word, data
}

// values asks for variables and returns them by name.
func values(t *testing.T, v *View, association uint16, names string) map[string]string {
	t.Helper()
	request := ask(opReadVars, association, names)
	_, data := assembled(t, request, Answer(request, v))
	all := make(map[string]string)
	for _, m := range regexp.MustCompile(`([a-z0-9_]+)=("[^"]*"|[^",\r]*)`).FindAllStringSubmatch(string(data), -1) {
		all[m[1]] = m[2]
	}
	return all
}

func wantValues(t *testing.T, got map[string]string, want string) {
	t.Helper()
	for _, pair := range strings.Fields(want) {
		name, value, _ := strings.Cut(pair, "=")
		if got[name] != value {
			t.Errorf("%s: got %q, want %q", name, got[name], value)
		}
	}
}

func TestSystemVariables(t *testing.T) {
	got := values(t, view(), 0, "")
	wantValues(t, got, `leap=0 stratum=2 precision=-20 rootdelay=0.053000 rootdisp=1.030000 refid=10.66.0.1
		reftime=0xeeaca941.07c1bda5 clock=0xeeaca944.07c1bda5 tc=4 peer=1 offset=0.001234 frequency=2.500000
		sys_jitter=0.019488 processor="mips" system="Linux" mintc=0`)
	if got["version"] != `"ntsd 1.0"` || got["nts_client_send"] != "" {
		t.Errorf("got %v", got)
	}
	wantValues(t, values(t, view(), 0, "peeradr,peermode,nts_client_send, ss_numctlreq,ss_restricted_r,ss_processed"),
		"peeradr=10.66.0.1:123 peermode=3 nts_client_send=8 ss_numctlreq=12 ss_restricted_r=3 ss_processed=32")
	lost := view()
	lost.Report.Tracking = status.Tracking{Leap: status.LeapUnsynchronised}
	wantValues(t, values(t, lost, 0, ""), "leap=3 stratum=16 refid=INIT peer=0 reftime=0x00000000.00000000")
}

// TestKernelVariables: what ntpq -c kerninfo asks for, if the kernel was asked.
func TestKernelVariables(t *testing.T) {
	v := view()
	if got := Answer(ask(opReadVars, 0, "koffset"), v); got[0][1]&bitError == 0 {
		t.Errorf("not asked: got %q", got)
	}
	v.Kernel = &Kernel{Offset: -1500, Frequency: clock.RatePPM(-2.5), MaxError: 193516e3, EstError: 16e3, Flags: 0x2041, Constant: 4}
	wantValues(t, values(t, v, 0, "koffset,kfreq,kmaxerr,kesterr,ktimeconst,kprecis,kfreqtol,kppsfreq,kppscaliberrs"), `koffset=-0.001500
		kfreq=-2.500000 kmaxerr=193.516000 kesterr=0.016000 ktimeconst=4 kprecis=0.001000 kfreqtol=500 kppsfreq=0 kppscaliberrs=0`)
	if got := values(t, v, 0, "kstflags")["kstflags"]; got != `"pll unsync nano"` {
		t.Errorf("flags: got %s", got)
	}
}

// TestReferenceClock: ntpq knows one by its address and the brackets in its name.
func TestReferenceClock(t *testing.T) {
	v := view()
	s := &v.Report.Sources[0]
	s.Kind, s.Name, s.Address, s.Auth, s.NTP.Stratum, s.NTP.ReferenceID = "refclock", "PPS1", "80.80.83.49", status.Auth{Mode: "none"}, 0, "50505331"
	wantValues(t, values(t, v, 1, ""), `srcadr=127.127.0.0 srchost="PPS1(0)" refid=PPS1 hmode=3 ntscookies=-1`)
	request := ask(opReadStatus, 0, "")
	if _, data := assembled(t, request, Answer(request, v)); data[2]&7 != 7 {
		t.Errorf("status: got %x, want pps.peer", data[:4])
	}
}

func TestPeerVariables(t *testing.T) {
	v := view()
	got := values(t, v, 1, "")
	wantValues(t, got, `srcadr=10.66.0.1 srcport=123 srchost="nts.test" dstadr=10.66.0.2 leap=0 hmode=3 stratum=1 ppoll=4
		hpoll=4 precision=-27 refid=GPS reftime=0xeeaca914.07c1bda5 rec=0xeeaca941.07c1bda5 xmt=0xeeaca941.07c1bda5
		reach=0xff unreach=0 delay=0.138450 offset=0.057097 jitter=0.019488 dispersion=0.170225 pmode=4 flash=0x0 ntscookies=8`)
	wantValues(t, values(t, v, 2, ""), "reach=0xfe unreach=1 ntscookies=-1 srchost=")
	wantValues(t, values(t, v, 7, "flash,reach,srcadr,bogusorg,sent"), "flash=0x1000 reach=0x0 srcadr=2001:db8::7 bogusorg=1 sent=8")
	ids := v.associations()
	wantValues(t, values(t, v, ids[3], ""), `srcadr=0.0.0.0 srchost="odd_name" refid=DNS stratum=16 flash=0x1600 rec=0x00000000.00000000 offset=0.000000`)
}

// TestVariablesOfNTPsec: whatever ntpq printed of NTPsec's daemon unasked, it
// prints of this one, but for what nobody knows here.
func TestVariablesOfNTPsec(t *testing.T) {
	for file, c := range map[string]struct {
		association uint16
		without     []string
	}{
		"ntpq-rv":       {0, []string{"associd", "status", "rc"}},
		"ntpq-rv-assoc": {1, []string{"associd", "status", "dstport", "headway"}},
	} {
		raw, err := os.ReadFile("../../testdata/peer-outputs/" + file + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		got := values(t, view(), c.association, "")
		for _, m := range regexp.MustCompile(`\b([a-z_]+)=`).FindAllStringSubmatch(string(raw), -1) {
			if _, ok := got[m[1]]; !ok && !slices.Contains(c.without, m[1]) {
				t.Errorf("%s: no variable %s", file, m[1])
			}
		}
	}
}

// TestStatusWords: as ntpq takes them apart.
func TestStatusWords(t *testing.T) {
	v := view()
	request := ask(opReadStatus, 0, "")
	word, data := assembled(t, request, Answer(request, v))
	if word != 0x0615 {
		t.Errorf("system: got %#04x, want 0x0615: leap_none, sync_ntp, clock_sync", word)
	}
	ids := v.associations()
	want := fmt.Sprintf("%04xf61a"+"%04x9414"+"%04x8013"+"%04x8011", ids[0], ids[1], ids[2], ids[3])
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("peers: got %s, want %s", got, want)
	}
	for _, c := range []struct {
		change func(*status.Tracking)
		want   uint16
	}{
		{func(t *status.Tracking) { *t = status.Tracking{Leap: status.LeapUnsynchronised} }, 0xc016},
		{func(t *status.Tracking) { t.Synchronised, t.Local = false, true }, 0x0515},
		{func(t *status.Tracking) { t.Leap = status.LeapInsert }, 0x4615},
	} {
		tr := view().Report.Tracking
		c.change(&tr)
		if got := systemStatus(&tr); got != c.want {
			t.Errorf("got %#04x, want %#04x", got, c.want)
		}
	}
}

// TestRefusals: what would change something is not permitted, what does not exist
// is said not to, each with the protocol's code.
func TestRefusals(t *testing.T) {
	tooLong := ask(opReadVars, 0, "leap")
	tooLong[11] = 5
	tooMuch := ask(opReadVars, 0, strings.Repeat("leap,", 100))
	for _, c := range []struct {
		name    string
		request []byte
		want    errorCode
	}{
		{"write variables", ask(opWriteVars, 0, "leap=1"), errPermission},
		{"write clock", ask(opWriteClock, 1, "x=1"), errPermission},
		{"configure", ask(opConfigure, 0, "server 192.0.2.1"), errPermission},
		{"save", ask(opSaveConfig, 0, "file"), errPermission},
		{"ordered list", ask(opReadList, 0, "ifstats"), errPermission},
		{"clock variables", ask(opReadClock, 1, ""), errAssociation},
		{"clients by a filter", ask(opReadMRU, 0, "nonce=0, laddr=::1"), errPermission},
		{"clients, all of a filter", ask(opReadMRU, 0, "nonce=0, recent=5"), errPermission},
		{"clients, how many", ask(opReadMRU, 0, "nonce=0, frags=x"), errFormat},
		{"trap", ask(6, 0, ""), errOp},
		{"0", ask(0, 0, ""), errOp},
		{"31", ask(31, 0, ""), errOp},
		{"association", ask(opReadVars, 3, ""), errAssociation},
		{"association's status", ask(opReadStatus, 3, ""), errAssociation},
		{"variable", ask(opReadVars, 0, "leap,nosuch"), errVariable},
		{"variable of a peer", ask(opReadVars, 0, "srcadr"), errVariable},
		{"count beyond the datagram", tooLong, errFormat},
		{"count beyond the limit", tooMuch, errFormat},
	} {
		replies := Answer(c.request, view())
		if len(replies) != 1 || len(replies[0]) != headerLen {
			t.Errorf("%s: got %x", c.name, replies)
			continue
		}
		r := replies[0]
		if r[1] != bitResponse|bitError|c.request[1] || r[4] != byte(c.want) || !bytes.Equal(r[2:4], c.request[2:4]) {
			t.Errorf("%s: got %x, want error %d", c.name, r, c.want)
		}
	}
}

// TestClients: as ntpq -c mrulist collects them, the one seen last at the end.
func TestClients(t *testing.T) {
	v := view()
	clients := []status.Client{
		{Address: "192.0.2.9", Requests: 3, IntervalS: 4, LastS: 10, Dropped: 1},
		{Address: "2001:db8::9", Requests: 1, LastS: 2.5},
		{Address: "192.0.2.10", KE: 4, LastS: -1}, // asked for keys alone
	}
	v.Clients = func() []status.Client { return slices.Clone(clients) }
	request := ask(opNonce, 0, "")
	if _, data := assembled(t, request, Answer(request, v)); string(data) != "nonce=0\r\n" {
		t.Errorf("nonce: got %q", data)
	}
	list := func(query string) string {
		request := ask(opReadMRU, 0, query)
		_, data := assembled(t, request, Answer(request, v))
		return string(data)
	}
	want := "nonce=0,\r\n" +
		"addr.0=192.0.2.9:0, last.0=0xeeaca93a.07c1bda5, first.0=0xeeaca932.07c1bda5, ct.0=3, mv.0=35, rs.0=0x0, dr.0=1,\r\n" +
		"addr.1=[2001:db8::9]:0, last.1=0xeeaca941.87c1bda5, first.1=0xeeaca941.87c1bda5, ct.1=1, mv.1=35, rs.1=0x0, dr.1=0,\r\n" +
		"now=0xeeaca944.07c1bda5, last.newest=0xeeaca941.87c1bda5\r\n"
	if got := list("nonce=0, frags=32, addr.0=192.0.2.9:0, last.0=0xeeaca93a.07c1bda5"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := list("nonce=0, mincount=2"); strings.Contains(got, "2001") || !strings.Contains(got, "192.0.2.9:0") {
		t.Errorf("mincount: got\n%s", got)
	}
	if got := list("nonce=0, limit=1"); !strings.Contains(got, "2001") || strings.Contains(got, "192.0.2.9:0") {
		t.Errorf("limit: got\n%s", got)
	}
	// More than there is room for: the latest.
	clients = nil
	for i := range 5000 {
		clients = append(clients, status.Client{Address: fmt.Sprintf("2001:db8:1111:2222:3333:4444:5555:%x", i), Requests: 4e9, IntervalS: 1e-9, LastS: float64(i), Dropped: 4e9})
	}
	for frags, datagrams := range map[int]int{1: 1, 32: maxFragments, 99: maxFragments} {
		request := ask(opReadMRU, 0, fmt.Sprintf("nonce=0, frags=%d", frags))
		replies := Answer(request, v)
		_, data := assembled(t, request, replies)
		text := string(data)
		if len(replies) > datagrams || len(replies) < datagrams-1 || !strings.HasSuffix(text, ", last.newest="+stamp(v.Report.Time)+"\r\n") || strings.Contains(text, "#") {
			t.Errorf("%d fragments: got %d, ending in %q", frags, len(replies), text[max(0, len(text)-80):])
		}
		if n := strings.Count(text, "addr."); n < 2*datagrams {
			t.Errorf("%d fragments: only %d clients", frags, n)
		}
	}
	v.Clients = nil
	if got := list("nonce=0"); got != "nonce=0,\r\nnow=0xeeaca944.07c1bda5\r\n" {
		t.Errorf("without a table: got %q", got)
	}
}

// TestNoAnswer: nothing answers what is no request, lest two daemons talk to each
// other for ever.
func TestNoAnswer(t *testing.T) {
	change := func(i int, b byte) []byte {
		r := ask(opReadVars, 0, "leap")
		r[i] = b
		return r
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": ask(opReadVars, 0, "")[:11], "response": change(1, 0x82), "error": change(1, 0x42),
		"fragment": change(1, 0x22), "offset": change(9, 4), "mode 7": change(0, 2<<3|7), "version 0": change(0, 6), "version 5": change(0, 5<<3|6),
	} {
		if got := Answer(b, view()); len(got) != 0 {
			t.Errorf("%s: got %x", name, got)
		}
	}
}

// TestLongAnswers: a thousand sources come in as many datagrams as it takes, and
// what ntpq could not collect is not sent.
func TestLongAnswers(t *testing.T) {
	v := view()
	for _, c := range []struct{ sources, datagrams int }{{117, 1}, {118, 2}, {1000, 9}, {5000, 32}} {
		v.Report.Sources = make([]status.Source, c.sources)
		for i := range v.Report.Sources {
			v.Report.Sources[i].ID = uint32(i + 1)
		}
		request := ask(opReadStatus, 0, "")
		replies := Answer(request, v)
		_, data := assembled(t, request, replies)
		if want := min(4*c.sources, maxAnswer); len(replies) != c.datagrams || len(data) != want {
			t.Errorf("%d sources: %d datagrams, %d bytes; want %d, %d", c.sources, len(replies), len(data), c.datagrams, want)
		}
	}
}

// TestAssociationsAreStable: a source keeps its number whatever becomes of the
// others, and no two have the same.
func TestAssociationsAreStable(t *testing.T) {
	v := view()
	before := v.associations()
	v.Report.Sources = v.Report.Sources[1:]
	if got := v.associations(); !slices.Equal(got, before[1:]) {
		t.Errorf("got %v, want %v", got, before[1:])
	}
	v.Report.Sources = nil
	for i := range 300 {
		s := status.Source{Ident: status.Ident{ID: uint32(1 + i*maxEngineID/100), Name: fmt.Sprint(i)}}
		if i%3 == 0 {
			s.ID = 0
		}
		v.Report.Sources = append(v.Report.Sources, s)
	}
	v.Report.Sources = append(v.Report.Sources, v.Report.Sources[0], v.Report.Sources[3]) // the same name twice
	seen := map[uint16]bool{}
	for _, id := range v.associations() {
		if id == 0 || seen[id] {
			t.Errorf("association %d twice, or 0", id)
		}
		seen[id] = true
	}
}

// TestService: questions in quick succession are answered from one report, whose
// time goes on; a daemon that has ended has no answer.
func TestService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		asked := 0
		s := Service{
			Report: func(context.Context) (status.Report, error) {
				asked++
				return view().Report, failure
			},
			Server: func() status.ServerStats { return view().Server },
		}
		clockOf := func() string {
			request := ask(opReadVars, 0, "clock")
			_, data := assembled(t, request, s.Answer(t.Context(), request))
			return strings.TrimSpace(string(data))
		}
		if got := clockOf(); got != "clock=0xeeaca944.07c1bda5" {
			t.Errorf("got %s", got)
		}
		time.Sleep(freshFor)
		if got := clockOf(); got != "clock=0xeeaca944.3af4f0d8" || asked != 1 {
			t.Errorf("after 200 ms: got %s and %d reports", got, asked)
		}
		time.Sleep(time.Nanosecond)
		if clockOf(); asked != 2 {
			t.Errorf("after more than that: got %d reports", asked)
		}
		time.Sleep(time.Second)
		failure = errors.New("stopped")
		if got := s.Answer(t.Context(), ask(opReadVars, 0, "")); got != nil {
			t.Errorf("from a daemon that has ended: got %x", got)
		}
		if got := s.Answer(t.Context(), []byte("nonsense")); got != nil || asked != 3 {
			t.Errorf("no request: got %x and %d reports", got, asked)
		}
	})
}

// FuzzAnswer: whatever is asked, what comes is a sound answer of bounded length.
func FuzzAnswer(f *testing.F) {
	f.Add(ask(opReadStatus, 0, ""))
	f.Add(ask(opReadVars, 1, "delay,offset"))
	f.Add(ask(opReadVars, 0, "nts_client_send,ss_uptime=4, sys_var_list"))
	f.Add(ask(opWriteVars, 0, "leap=1"))
	f.Add(ask(opReadMRU, 0, "nonce=0, frags=2, limit=0x3, mincount=1, addr.0=192.0.2.9:0"))
	f.Add(ask(opReadVars, 0, strings.Repeat("sys_var_list,", 36)))
	v := view()
	v.Clients = func() []status.Client {
		return []status.Client{{Address: "192.0.2.9", Requests: 3}, {Address: "2001:db8::1", Requests: 1}}
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		replies := Answer(request, v)
		total := 0
		for _, r := range replies {
			total += len(r)
		}
		if total > maxFragments*(headerLen+maxData) {
			t.Fatalf("%d bytes", total)
		}
		if len(replies) > 0 && replies[0][1]&bitError == 0 {
			assembled(t, request, replies)
		}
	})
}
