package acceptance

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/interop"
	"ntsd/internal/siv"
)

// listen opens the sockets of a socket unit as systemd does, and has daemons of
// this world get them.
func (w *world) listen() (ke, ntp uint16) {
	w.t.Helper()
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(onLoopback(0)))
	if err != nil {
		w.t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(onLoopback(0)))
	if err != nil {
		w.t.Fatal(err)
	}
	defer tcp.Close()
	for _, s := range []interface{ File() (*os.File, error) }{udp, tcp} {
		f, err := s.File()
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { f.Close() })
		w.given = append(w.given, f)
	}
	return uint16(tcp.Addr().(*net.TCPAddr).Port), uint16(udp.LocalAddr().(*net.UDPAddr).Port)
}

// activated starts a daemon as systemd does: it has the sockets, and folders in
// its environment.
func (w *world) activated(text string) *daemon {
	w.t.Helper()
	path := w.write("ntsd.uci", text)
	env := fmt.Sprintf("LISTEN_FDS=%d LISTEN_PID=$$ STATE_DIRECTORY=%s RUNTIME_DIRECTORY=%s", len(w.given), filepath.Join(w.dir, "state"), w.run)
	line := []string{"sh", "-c", env + ` exec "$@"`, "sh", tool("ntsd"), "-x", "-t", lifetime, "-f", path}
	return w.launch(line, path, filepath.Join(w.run, "ntsd.sock"))
}

// TestSocketActivation: the daemon serves on the sockets that systemd opened,
// through changes of its configuration, and what comes while it restarts is
// served afterwards.
func TestSocketActivation(t *testing.T) {
	w := newWorld(t)
	s := &ntsServer{w: w}
	s.ke, s.ntp = w.listen()
	cert, key := w.keyPair()
	text := w.config(source(w.nts(nil)), serving(s.ntp, "127.0.0.0/8"), w.ntsSection(s.ke, cert, key))
	text = strings.NewReplacer(w.run, "/var/run/ntsd", filepath.Join(w.dir, "state"), "/etc/ntsd/state").Replace(text)
	s.text = text
	s.daemon = w.activated(s.text)
	s.ready()
	fileMode(t, filepath.Join(w.dir, "state", "ntskeys"), 0o600)
	session := s.establish(siv.AESSIVCMAC256)
	s.exchange(session, "at first")

	s.w.write("ntsd.uci", s.text+"\toption keep '5'\n")
	s.ask("reload")
	s.untilLog("(?s)giving NTS keys to clients.*giving NTS keys to clients")
	s.exchange(s.establish(siv.AESSIVCMAC256), "after a change")

	s.stop()
	waiting := make(chan error, 1)
	go func() { // while there is no daemon
		_, err := interop.Establish(t.Context(), w.ca.Pool(), onLoopback(s.ke), siv.AESSIVCMAC256)
		waiting <- err
	}()
	conn, err := net.Dial("udp", onLoopback(s.ntp).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append([]byte{4<<3 | 3}, make([]byte, 47)...)); err != nil {
		t.Fatal(err)
	}
	s.daemon = w.activated(s.text)
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 100)); n != 48 {
		t.Errorf("a request that came before the start: got %d bytes, %v", n, err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("a client that came before the start: %v", err)
	}
	s.ready()
	s.exchange(session, "after the restart")
}

// notify stands in for systemd: path is where a daemon sends its words, next waits for
// one of them.
func (w *world) notify() (path string, next func() string) {
	t := w.t
	t.Helper()
	path = filepath.Join(w.dir, "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = heard.Close() })
	return path, func() string {
		t.Helper()
		b := make([]byte, 100)
		if err := heard.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		n, err := heard.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// TestNotifySwitchedOff: a daemon that is switched off ends as one that was ready, or
// systemd would start it again and again.
func TestNotifySwitchedOff(t *testing.T) {
	w := newWorld(t)
	path, next := w.notify()
	cmd := exec.Command(tool("ntsd"), "-x", "-f", w.write("off", "config ntsd\n\toption enabled 0\n"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	if r := runProgram(t, cmd); r.exit != 0 {
		t.Errorf("exit status %d: %s", r.exit, r.stderr)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("got %q, want READY=1", got)
	}
}

// TestNotify: systemd learns when the daemon is ready, and hears it live.
func TestNotify(t *testing.T) {
	w := newWorld(t)
	path, next := w.notify()
	config := w.write("ntsd.uci", w.config(source(w.nts(nil))))
	line := []string{
		"sh", "-c", "NOTIFY_SOCKET=" + path + ` WATCHDOG_USEC=200000 WATCHDOG_PID=$$ exec "$@"`, "sh",
		tool("ntsd"), "-x", "-t", lifetime, "-f", config,
	}
	d := w.launch(line, config, filepath.Join(w.run, "ntsd.sock"))
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := next(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	d.stop()
	for got := next(); got != "STOPPING=1"; got = next() {
		if got != "WATCHDOG=1" {
			t.Fatalf("got %s, want STOPPING=1", got)
		}
	}
}
