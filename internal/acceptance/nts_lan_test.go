package acceptance

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/siv"
	"ntsd/internal/status"
)

// lanNTS returns the section of a server that makes its own certificate.
func lanNTS(port uint16, more ...string) string {
	return section("nts_server", append([]string{"enabled", "yes", "selfsigned", "yes", "port", fmt.Sprint(port)}, more...)...)
}

// interfaces belong to one test at a time: a certificate for the LAN names the
// addresses that there are.
var interfaces sync.Mutex //nolint:gochecknoglobals // there is one such network

// ownInterfaces gives the test the network's interfaces until it ends.
func ownInterfaces(t *testing.T) {
	t.Helper()
	interfaces.Lock()
	t.Cleanup(interfaces.Unlock)
}

// authority returns what the daemon says of its authority.
func (d *daemon) authority() (ca status.CA) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.ask("ca", "--json")), &ca); err != nil {
		d.t.Fatal(err)
	}
	return ca
}

// establishWith gets keys from a server whose authority's certificate is in
// that text.
func establishWith(t *testing.T, pem string, at netip.AddrPort) error {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		t.Fatalf("no certificate in %q", pem)
	}
	_, err := interop.Establish(t.Context(), pool, at, siv.AESSIVCMAC256)
	return err
}

// TestLANAuthority: a server makes its authority and its certificate, clients
// that were given the former accept it, also after a restart and a reboot, and
// no longer after it was renewed.
func TestLANAuthority(t *testing.T) {
	w := newWorld(t)
	ownInterfaces(t)
	s := &ntsServer{w: w, ke: newPort(t), ntp: freePort(t)}
	s.text = w.config(source(w.nts(nil)), serving(s.ntp, "127.0.0.0/8"), lanNTS(s.ke))
	s.daemon = w.start(s.text)
	s.ready()
	exported := s.ask("ca", "export")
	if err := establishWith(t, exported, onLoopback(s.ke)); err != nil {
		t.Error(err)
	}
	ca := s.authority()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	names := " " + strings.Join(ca.Names, " ") + " "
	for _, want := range []string{strings.ToLower(host), strings.ToLower(host) + ".lan", "127.0.0.1"} {
		if !strings.Contains(names, " "+want+" ") {
			t.Errorf("names: got%swant %s", names, want)
		}
	}
	text := s.ask("ca", "-v")
	for _, want := range []string{ca.Fingerprint, ca.Subject, "trustedcerts", filepath.Join(w.dir, "state", "lan-ca.pem")} {
		if !strings.Contains(text, want) {
			t.Errorf("ca: got\n%swant %s", text, want)
		}
	}
	for _, between := range []func(){func() {}, func() {
		if err := os.RemoveAll(w.run); err != nil {
			t.Fatal(err)
		}
	}} {
		s.restart(between)
		if got := s.authority(); got.Fingerprint != ca.Fingerprint || got.NotAfter != ca.NotAfter {
			t.Errorf("after a restart: got %+v, want %+v", got, ca)
		}
		if err := establishWith(t, exported, onLoopback(s.ke)); err != nil {
			t.Error(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"lan-ca.key": 0o600, "lan-ca.pem": 0o644, "lan.pem": 0o600} {
		fileMode(t, filepath.Join(w.dir, "state", name), mode)
	}
	s.ask("ca", "renew")
	if renewed := s.authority(); renewed.Fingerprint == ca.Fingerprint || len(renewed.Names) == 0 {
		t.Errorf("renewed: got %+v", renewed)
	}
	if err := establishWith(t, exported, onLoopback(s.ke)); err == nil {
		t.Error("the old authority is still good")
	}
	if err := establishWith(t, s.ask("ca", "export"), onLoopback(s.ke)); err != nil {
		t.Error(err)
	}
}

// TestLANAuthorityWaits: no certificate is dated by a clock that nobody
// believes; keys are established from the synchronisation on.
func TestLANAuthorityWaits(t *testing.T) {
	w := newWorld(t)
	ownInterfaces(t)
	up := w.nts(nil)
	up.NoReply(true)
	ke := newPort(t)
	d := w.start(w.config(source(up), serving(freePort(t), "127.0.0.0/8"), lanNTS(ke)))
	d.untilLog("NTS keys will be given to clients once the clock is right")
	if ca := d.authority(); ca.Fingerprint == "" || len(ca.Names) != 0 {
		t.Errorf("before the time is known: got %+v, want an authority alone", ca)
	}
	if conn, err := net.Dial("tcp", onLoopback(ke).String()); err == nil {
		conn.Close()
		t.Error("the port is open already")
	}
	before := d.ask("ca", "export")
	up.NoReply(false)
	d.synchronised()
	d.untilLog(`msg="giving NTS keys to clients"`)
	if err := establishWith(t, before, onLoopback(ke)); err != nil {
		t.Error(err)
	}
}

// TestLANAuthorityIsOff: ca says what it needs.
func TestLANAuthorityIsOff(t *testing.T) {
	s := newWorld(t).serveNTS()
	for _, args := range [][]string{{"ca"}, {"ca", "export"}, {"ca", "renew"}} {
		r := s.client0(args...)
		if r.exit != 1 || !strings.Contains(r.stderr, "selfsigned") {
			t.Errorf("%v: got exit %d, %q", args, r.exit, r.stderr)
		}
	}
}

// client0 runs ntsctl to its end, however that is.
func (d *daemon) client0(args ...string) result {
	d.t.Helper()
	return runProgram(d.t, exec.Command(tool("ntsctl"), append([]string{"-h", d.socket}, args...)...))
}

// TestKeyTable: ntskeys tells of the keys, not what they are.
func TestKeyTable(t *testing.T) {
	s := newWorld(t).serveNTS()
	var got status.NTSKeys
	if err := json.Unmarshal([]byte(s.ask("ntskeys", "--json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Keys) != 1 || got.Keys[0].State != status.KeyCurrent || got.RotateS != 86400 || got.Waiting || got.Flash != 1 {
		t.Errorf("got %+v", got)
	}
	if next := clock.Wall(got.Next).Time(); time.Until(next) < 23*time.Hour || time.Until(next) > 24*time.Hour {
		t.Errorf("next rotation: got %v", next)
	}
	file, err := os.ReadFile(filepath.Join(s.w.run, "ntskeys"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Fields(string(file))[5] // NTSDKEYS1 made TIME key ID HEX
	if len(secret) != 64 {
		t.Fatalf("no key in %s", file)
	}
	for _, out := range []string{s.ask("ntskeys", "-v"), s.ask("ntskeys", "--json"), s.ask("ntskeys", "-c"), s.log()} {
		if strings.Contains(out, secret) {
			t.Errorf("the key is shown: %s", out)
		}
	}
}

// TestKEInterface: key establishment is offered on the addresses of the named
// interfaces alone, as they come and go, and on each of the ports.
func TestKEInterface(t *testing.T) {
	w := newWorld(t)
	ownInterfaces(t)
	device := fmt.Sprintf("ke%d", os.Getpid()%10000)
	link := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			interop.Unavailable(t, "acceptance: ip %v: %v: %s", args, err, out)
		}
	}
	if os.Getenv(moved) == "" {
		interop.Unavailable(t, "acceptance: no network of its own")
	}
	link("link", "add", "br-"+device, "type", "bridge")
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "ip", "link", "del", "br-"+device).Run() })
	link("link", "set", "br-"+device, "up")
	link("addr", "add", "10.77.0.1/24", "dev", "br-"+device)
	cert, key := w.keyPair()
	one, two := newPort(t), newPort(t)
	d := w.start(w.config(source(w.nts(nil)), serving(freePort(t), "0.0.0.0/0"),
		w.ntsSection(one, cert, key)+"\tlist interface '"+device+"'\n\tlist port '"+fmt.Sprint(two)+"'\n"))
	d.untilLog(`msg="giving NTS keys to clients"`)
	open := func(addr string, port uint16) bool {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, fmt.Sprint(port)), limit)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	for _, p := range []uint16{one, two} {
		if !open("10.77.0.1", p) || open("127.0.0.1", p) {
			t.Errorf("port %d: on the interface %v, elsewhere %v; want true, false", p, open("10.77.0.1", p), open("127.0.0.1", p))
		}
	}
	link("addr", "add", "10.78.0.1/24", "dev", "br-"+device)
	d.ask("reload")
	eventually(t, "the new address", func() bool { return open("10.78.0.1", one) })
	link("addr", "del", "10.77.0.1/24", "dev", "br-"+device)
	link("addr", "add", "10.77.0.1/32", "dev", "lo")
	t.Cleanup(func() {
		_ = exec.CommandContext(context.Background(), "ip", "addr", "del", "10.77.0.1/32", "dev", "lo").Run()
	})
	d.ask("reload")
	eventually(t, "the address that has gone", func() bool { return !open("10.77.0.1", one) })
	if !open("10.78.0.1", two) {
		t.Error("the other address is closed")
	}
}

// TestNoFlash: where state_dir cannot be written everything works until the next
// boot, and the log says once what that means.
func TestNoFlash(t *testing.T) {
	w := newWorld(t)
	ownInterfaces(t)
	state := filepath.Join(w.dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	ke := newPort(t)
	path := w.write("ntsd.uci", w.config(source(w.nts(nil)), serving(freePort(t), "127.0.0.0/8"), lanNTS(ke)))
	line := append(w.namespace(fmt.Sprintf("mount --bind %[1]s %[1]s && mount -o remount,bind,ro %[1]s && ", state)),
		tool("ntsd"), "-x", "-t", lifetime, "-f", path)
	d := w.launch(line, path, filepath.Join(w.run, "ntsd.sock"))
	d.untilLog(`msg="giving NTS keys to clients"`)
	if err := establishWith(t, d.ask("ca", "export"), onLoopback(ke)); err != nil {
		t.Error(err)
	}
	d.ask("reload")
	for _, want := range []string{"cookie keys cannot be kept over a reboot", "certificate authority cannot be saved"} {
		if n := strings.Count(d.log(), want); n != 1 {
			t.Errorf("%q: said %d times, want once", want, n)
		}
	}
	if entries, err := os.ReadDir(state); err != nil || len(entries) != 0 {
		t.Errorf("written all the same: %v, %v", entries, err)
	}
}

// TestCertificateEnds: an operator is told before the certificate that he has to
// renew ends, and when it has.
func TestCertificateEnds(t *testing.T) {
	w := newWorld(t)
	cert, key := w.keyPair() // for an hour
	d := w.start(w.config(source(w.nts(nil)), serving(freePort(t), "127.0.0.0/8"), w.ntsSection(newPort(t), cert, key)))
	d.untilLog("certificate of the NTS server expires soon")
	past := demo.CertSpec{Names: []string{"localhost"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	if err := demo.WriteKeyPair(w.cert(past).Cert, cert, key); err != nil {
		t.Fatal(err)
	}
	d.ask("reload")
	d.untilLog("certificate of the NTS server has expired")
}
