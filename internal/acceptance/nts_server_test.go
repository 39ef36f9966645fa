package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/status"
)

// lastPort numbers the TCP ports that were given out, below those that the
// kernel gives out.
var lastPort atomic.Uint32 //nolint:gochecknoglobals // tests share one loopback network

// newPort returns a TCP port that nobody has, and no other test gets.
func newPort(t *testing.T) uint16 {
	t.Helper()
	for range 1000 {
		port := uint16(20000 + lastPort.Add(1))
		ln, err := net.Listen("tcp", fmt.Sprint(":", port))
		if err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no free TCP port")
	return 0
}

// ntsServer is a daemon that serves NTS on loopback.
type ntsServer struct {
	*daemon
	w       *world
	ke, ntp uint16
	text    string // its configuration
}

// serveNTS starts a daemon that follows a server and serves NTS itself.
func (w *world) serveNTS() *ntsServer {
	w.t.Helper()
	s := &ntsServer{w: w, ke: newPort(w.t), ntp: freePort(w.t)}
	cert, key := w.keyPair()
	s.text = w.config(source(w.nts(nil)), serving(s.ntp, "127.0.0.0/8"), w.ntsSection(s.ke, cert, key))
	s.daemon = w.start(s.text)
	s.ready()
	return s
}

// ready waits until the server is synchronised and tells its clients so.
func (s *ntsServer) ready() {
	s.t.Helper()
	s.synchronised()
	eventually(s.t, "a synchronised reply", func() bool {
		got, err := interop.ExchangePlain(onLoopback(s.ntp), silence)
		return err == nil && got.Header.Stratum != 0
	})
	s.untilLog(`msg="giving NTS keys to clients" port=` + fmt.Sprint(s.ke))
}

// restart ends the server, does something and starts it again.
func (s *ntsServer) restart(between func()) {
	s.t.Helper()
	s.stop()
	between()
	s.daemon = s.w.start(s.text)
	s.ready()
}

// keyPair writes a certificate for the loopback address and its key.
func (w *world) keyPair() (cert, key string) {
	w.t.Helper()
	cert, key = filepath.Join(w.dir, "server.pem"), filepath.Join(w.dir, "server.key")
	pair := w.cert(demo.CertSpec{Names: []string{"localhost"}, Addrs: []netip.Addr{onLoopback(0).Addr()}}).Cert
	if err := demo.WriteKeyPair(pair, cert, key); err != nil {
		w.t.Fatal(err)
	}
	return cert, key
}

func (w *world) ntsSection(port uint16, cert, key string) string {
	return section("nts_server", "enabled", "yes", "cert", cert, "key", key, "port", fmt.Sprint(port))
}

// establish gets keys and cookies from the server.
func (s *ntsServer) establish(aeads ...siv.Algorithm) *nts.Session {
	s.t.Helper()
	session, err := interop.Establish(s.t.Context(), s.w.ca.Pool(), onLoopback(s.ke), aeads...)
	if err != nil {
		s.t.Fatal(err)
	}
	return &session
}

// exchange wants a good reply to an authenticated request.
func (s *ntsServer) exchange(session *nts.Session, when string) {
	s.t.Helper()
	if got, err := interop.Exchange(session, limit); err != nil || got.Header.Stratum != 2 {
		s.t.Errorf("%s: got %+v, %v; want stratum 2", when, got.Header, err)
	}
}

// client starts another daemon that has its time from this server.
func (s *ntsServer) client(number int) *daemon {
	s.t.Helper()
	w := &world{t: s.t, dir: filepath.Join(s.w.dir, fmt.Sprint("c", number)), ca: s.w.ca}
	w.run = filepath.Join(w.dir, "run")
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := w.ca.WritePEM(w.caFile()); err != nil {
		s.t.Fatal(err)
	}
	// Twice a second: eight lost replies are reason for new keys, and a restart
	// of the server may take a second or two.
	return w.start(w.config(section("server", "hostname", "127.0.0.1", "nts", "yes", "ntsport", fmt.Sprint(s.ke), "minpoll", "-1", "maxpoll", "-1")))
}

// stats returns the server's counters.
func (s *ntsServer) stats() (got status.ServerStats) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.ask("serverstats", "--json")), &got); err != nil {
		s.t.Error(err)
	}
	return got
}

// TestCheck22CookieKeysSurviveRestart: cookies from before a restart of the
// server are good after it, and after a reboot, which empties the run-time
// folder; the keys are in files that are nobody else's.
func TestCheck22CookieKeysSurviveRestart(t *testing.T) {
	s := newWorld(t).serveNTS()
	session := s.establish(siv.AESSIVCMAC256)
	s.exchange(session, "at first")
	for i := range 2 {
		s.restart(func() { fileMode(t, filepath.Join(s.w.run, "ntskeys"), 0o600) })
		s.exchange(session, fmt.Sprint("after restart ", i+1))
	}
	s.restart(func() {
		fileMode(t, filepath.Join(s.w.dir, "state", "ntskeys"), 0o600)
		if err := os.RemoveAll(s.w.run); err != nil {
			t.Fatal(err)
		}
	})
	s.exchange(session, "after a reboot")
	if got := s.stats(); got.Verdicts["nak"] != 0 || got.Authenticated == 0 {
		t.Errorf("serverstats: got %+v", got)
	}
}

// TestCheck37RestartIsNoKeyEstablishmentStorm: the clients of a server that was
// restarted go on with their cookies: none asks for keys again.
func TestCheck37RestartIsNoKeyEstablishmentStorm(t *testing.T) {
	s := newWorld(t).serveNTS()
	const clients = 3
	var all []*daemon
	for i := range clients {
		all = append(all, s.client(i))
	}
	replies := func(d *daemon) uint64 {
		rep := d.until("four replies", func(r *report) bool { return r.Sources[0].Counters.Good >= 4 })
		return rep.Sources[0].Counters.Good
	}
	for _, d := range all {
		replies(d)
	}
	s.restart(func() {})
	for i, d := range all {
		before := replies(d)
		rep := d.until("replies after the restart", func(r *report) bool { return r.Sources[0].Counters.Good >= before+4 })
		if a := rep.Sources[0].Auth; a.KEs != 1 || a.NAKs != 0 {
			t.Errorf("client %d: got %d key establishments, %d NAKs; want 1, 0", i, a.KEs, a.NAKs)
		}
	}
	if got := s.stats(); got.Authenticated < 4*clients || got.Verdicts["nak"] != 0 {
		t.Errorf("serverstats: got %+v", got)
	}
}

// TestCheck24ServerStats: serverstats has the fields of the guide, and one NTS
// client makes those of NTS rise.
func TestCheck24ServerStats(t *testing.T) {
	s := newWorld(t).serveNTS()
	before := s.stats()
	c := s.client(0)
	c.until("four replies", func(r *report) bool { return r.Sources[0].Counters.Good >= 4 })
	c.stop()
	after := s.stats()
	if ke := after.KEAccepted - before.KEAccepted; ke != 1 {
		t.Errorf("NTS-KE connections accepted: got %d more, want 1", ke)
	}
	if n := after.Authenticated - before.Authenticated; before.Authenticated != 0 || n < 4 {
		t.Errorf("authenticated NTP packets: got %d and %d more, want 0 and at least 4", before.Authenticated, n)
	}
	if after.Received < before.Received+4 || after.Dropped != before.Dropped {
		t.Errorf("got %+v, then %+v", before, after)
	}
	out := s.ask("serverstats")
	var lines []string
	for _, field := range []struct {
		name string
		n    uint64
	}{
		{"NTP packets received", after.Received},
		{"NTP packets dropped", after.Dropped},
		{"Command packets received", 0},
		{"Command packets dropped", 0},
		{"Client log records dropped", 0},
		{"NTS-KE connections accepted", after.KEAccepted},
		{"NTS-KE connections dropped", after.KEDropped},
		{"Authenticated NTP packets", after.Authenticated},
	} {
		lines = append(lines, fmt.Sprintf("%-27s: %d\n", field.name, field.n))
	}
	if !strings.HasPrefix(out, strings.Join(lines, "")) {
		t.Errorf("serverstats: got\n%swant\n%s", out, strings.Join(lines, ""))
	}
	// What is no request is dropped and counted.
	conn, err := net.Dial("udp", onLoopback(s.ntp).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("no time")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "dropped packet", func() bool { return s.stats().Dropped == after.Dropped+1 })
}
