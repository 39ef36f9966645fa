package acceptance

import (
	"bytes"
	"crypto/tls"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"ntsd/internal/interop"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// TestKEReload: neither a SIGHUP nor a changed configuration breaks off a
// client that is in the middle of its key establishment, nor turns away one
// that comes meanwhile.
func TestKEReload(t *testing.T) {
	s := newWorld(t).serveNTS()
	cfg := &tls.Config{RootCAs: s.w.ca.Pool(), ServerName: "127.0.0.1", NextProtos: []string{nts.ALPN}}
	begin := func() *tls.Conn {
		t.Helper()
		conn, err := tls.Dial("tcp", onLoopback(s.ke).String(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	finish := func(conn *tls.Conn, when string) {
		t.Helper()
		offered := []siv.Algorithm{siv.AESSIVCMAC256}
		_, err := conn.Write(nts.AppendRequest(nil, nts.Request{Protocols: []uint16{0}, AEADs: offered}))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		conn.Close()
		if resp, perr := nts.ParseResponse(answer, offered); err != nil || perr != nil || len(resp.Cookies) != 8 {
			t.Errorf("%s: got %+v, %v, %v; want 8 cookies", when, resp, perr, err)
		}
	}
	conn := begin()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.untilLog("configuration (re)?loaded|reload")
	finish(conn, "after a SIGHUP")

	conn = begin()
	old := conn.ConnectionState().PeerCertificates[0].Raw
	cert, key := s.w.keyPair()
	for _, path := range []string{cert, key} { // beside the old ones, which are in use
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path+"2", b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text := strings.NewReplacer("'"+cert+"'", "'"+cert+"2'", "'"+key+"'", "'"+key+"2'").Replace(s.text)
	s.w.write("ntsd.uci", text+"\toption keep '5'\n")
	s.ask("reload")
	eventually(t, "the new certificate", func() bool {
		c := begin() // gets in each time
		defer c.Close()
		return !bytes.Equal(c.ConnectionState().PeerCertificates[0].Raw, old)
	})
	finish(conn, "after a change")
	if _, err := interop.Establish(t.Context(), s.w.ca.Pool(), onLoopback(s.ke), siv.AESSIVCMAC256); err != nil {
		t.Error(err)
	}
	eventually(t, "three clients served", func() bool { return s.stats().KE.Good == 3 })
	if got := s.stats(); got.KE.Crowded+got.KE.Refused != 0 {
		t.Errorf("got %+v, want nobody turned away", got.KE)
	}
}
