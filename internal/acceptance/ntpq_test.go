package acceptance

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/ntpq"
	"ntsd/internal/siv"
)

// TestCheck55ListLikeNtpqWithNTSMark: ntsctl peers lists the servers as ntpq -p
// does, in NTPsec's columns, with the cookies held in column t; and a program that
// asks by mode 6 on this machine gets the same.
func TestCheck55ListLikeNtpqWithNTSMark(t *testing.T) {
	w := newWorld(t)
	secure, plain := w.nts(nil), w.plain(nil)
	d := w.start(w.config(source(secure), source(plain), section("server", "hostname", "never.invalid"),
		section("selection", "authselectmode", "ignore"), section("monitor", "ntpq", "yes")))
	d.until("full reach", func(r *report) bool {
		return r.Tracking.Synchronised && r.Sources[0].Reach == 255 && r.Sources[1].Reach == 255
	})
	var lines []string
	eventually(t, "eight cookies, full reach, and both servers used", func() bool {
		lines = strings.Split(strings.TrimSuffix(d.ask("peers"), "\n"), "\n")
		return len(lines) == 5 && strings.Fields(lines[2])[3] == "8" && strings.Trim(lines[2][:1]+lines[3][:1], "*+-") == "" &&
			strings.Contains(lines[2], " 377 ") && strings.Contains(lines[3], " 377 ")
	})
	if got, want := strings.Fields(lines[0]), strings.Fields("remote refid st t when poll reach delay offset jitter"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("columns: got %v, want %v", got, want)
	}
	for i, want := range []string{host(secure) + " .DEMO. 1 8", host(plain) + " .DEMO. 1 u", "never.invalid .DNS. 16 u"} {
		f := strings.Fields(lines[2+i][1:])
		if got := strings.Join(f[:4], " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		reach := map[bool]string{true: "0", false: "377"}[i == 2]
		if f[6] != reach {
			t.Errorf("%s: got reach %s, want %s", f[0], f[6], reach)
		}
		for _, ms := range f[7:] {
			if x, err := strconv.ParseFloat(ms, 64); err != nil || x > 50 || x < -50 {
				t.Errorf("%s: got %s ms, want it near 0", f[0], ms)
			}
		}
	}
	var peers []ntpq.Peer
	eventually(t, "a list in JSON, with full reach", func() bool {
		err := json.Unmarshal([]byte(d.ask("--json", "peers")), &peers)
		return err == nil && len(peers) == 3 && peers[1].Type == "u" && peers[1].Reach == 255
	})
	if got := d.ask("-c", "peers"); strings.Count(got, "\n") != 3 || strings.Count(got, ",") != 30 {
		t.Errorf("-c: got %q", got)
	}
	if os.Getenv(moved) == "" {
		return // port 123 is not this test's own
	}
	for _, to := range []string{"127.0.0.1:123", "[::1]:123"} {
		list := controlQuestion(t, to, 1, 0, "")
		if len(list) != 12 {
			t.Fatalf("%s: got %d bytes for 3 associations", to, len(list))
		}
		var vars string
		eventually(t, "full reach by mode 6", func() bool {
			vars = string(controlQuestion(t, to, 2, binary.BigEndian.Uint16(list), ""))
			return strings.Contains(vars, "reach=0xff,")
		})
		for _, want := range []string{"srcadr=" + host(secure), "refid=DEMO", "stratum=1", "ntscookies="} {
			if !strings.Contains(vars, want) {
				t.Errorf("%s: %q is not in %q", to, want, vars)
			}
		}
	}
}

// controlQuestion asks by mode 6 (RFC 9327) and returns the data of the answer.
func controlQuestion(t *testing.T, to string, op byte, association uint16, names string) []byte {
	t.Helper()
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	q := append([]byte{2<<3 | 6, op, 0, 7, 0, 0, byte(association >> 8), byte(association), 0, 0, 0, byte(len(names))}, names...)
	var data []byte
	for more := true; more; {
		if q != nil {
			if _, err := conn.Write(q); err != nil {
				t.Fatal(err)
			}
			q = nil
		}
		buf := make([]byte, 1024)
		_ = conn.SetReadDeadline(time.Now().Add(limit))
		n, err := conn.Read(buf)
		if err != nil || n < 12 || buf[1]&0x80 == 0 || buf[1]&0x40 != 0 {
			t.Fatalf("%s: got %x, %v", to, buf[:max(n, 0)], err)
		}
		more = buf[1]&0x20 != 0
		data = append(data, buf[12:12+binary.BigEndian.Uint16(buf[10:])]...)
	}
	return data
}

// counters asks for the counters of NTS.
func (d *daemon) counters() (n ntpq.NTS) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.ask("--json", "nts")), &n); err != nil {
		d.t.Error(err)
	}
	return n
}

// TestCheck56NTSCounters: ntsctl nts counts what the guide's ntpq -c nts counts:
// as a client each request, each good and each false reply, each key establishment
// that went well or did not; as a server each request, each cookie made, opened
// and refused, and each client that came for keys.
func TestCheck56NTSCounters(t *testing.T) {
	w := newWorld(t)
	good, refusing := w.nts(nil), w.nts(func(c *demo.ServerConfig) {
		c.Cert = w.cert(demo.CertSpec{Names: []string{"somebody.else"}}).Cert
	})
	s := &ntsServer{w: w, ke: newPort(t), ntp: freePort(t)}
	cert, key := w.keyPair()
	s.text = w.config(source(good), source(refusing), serving(s.ntp, "127.0.0.0/8"), w.ntsSection(s.ke, cert, key))
	s.daemon = w.start(s.text)
	s.ready()

	// As a client.
	rep := s.until("some replies", func(r *report) bool { return find(t, r, host(good)).Counters.Good >= 5 })
	n := s.counters()
	if seen := find(t, rep, host(good)).Counters; n.ClientSend < seen.Sent || n.ClientRecvGood < seen.Valid || n.ClientRecvGood > n.ClientSend {
		t.Errorf("as a client: got %+v, ntpdata had %+v before", n, seen)
	}
	if n.KEProbesGood != 1 || n.KEProbesBad == 0 || n.ClientRecvBad != 0 {
		t.Errorf("as a client: got %+v, want one good key establishment, and bad ones", n)
	}
	good.Tamper(1)
	eventually(t, "a reply with an error", func() bool {
		bad := s.counters().ClientRecvBad
		if bad == 0 {
			good.Tamper(1) // the other one came when nobody waited any more
		}
		return bad >= 1
	})
	good.Tamper(0)

	// As a server.
	session := s.establish(siv.AESSIVCMAC256)
	for range 3 {
		s.exchange(session, "good")
	}
	changed := *session
	changed.Cookies = [][]byte{append([]byte(nil), session.Cookies[0]...)}
	changed.Cookies[0][20] ^= 1
	if _, err := interop.Exchange(&changed, limit); err == nil {
		t.Error("a changed cookie is accepted")
	}
	old := *session
	old.Cookies = [][]byte{append([]byte(nil), session.Cookies[1]...)}
	old.Cookies[0][0] ^= 1 // of another key
	if _, err := interop.Exchange(&old, limit); err == nil {
		t.Error("a cookie of another key is accepted")
	}
	if conn, err := net.Dial("tcp", onLoopback(s.ke).String()); err != nil {
		t.Error(err)
	} else {
		fmt.Fprint(conn, "EHLO example.net\r\n")
		conn.Close()
	}
	eventually(t, "a bad key establishment", func() bool { return s.counters().KEServesBad == 1 })
	n = s.counters()
	want := ntpq.NTS{
		ServerRecvGood: 3, ServerRecvBad: 2, ServerSend: 3, CookieMake: 8 + 3, CookieDecode: 3, CookieDecodeTooOld: 1, CookieDecodeError: 1,
		KEServesGood: 1, KEServesBad: 1, KEProbesGood: n.KEProbesGood,
		KEProbesBad: n.KEProbesBad, ClientSend: n.ClientSend, ClientRecvGood: n.ClientRecvGood, ClientRecvBad: n.ClientRecvBad,
	}
	if n != want {
		t.Errorf("as a server:\n got %+v\nwant %+v", n, want)
	}
	text := s.ask("nts")
	for _, label := range []string{
		"NTS client sends:", "NTS client recvs good:", "NTS client recvs w error:", "NTS server recvs good:", "NTS server recvs w error:",
		"NTS server sends:", "NTS make cookies:", "NTS decode cookies:", "NTS decode cookies old:", "NTS decode cookies too old:",
		"NTS decode cookies error:", "NTS KE client probes good:", "NTS KE client probes bad:", "NTS KE serves good:", "NTS KE serves bad:",
	} {
		if strings.Count(text, label+" ") != 1 {
			t.Errorf("%q is not there once:\n%s", label, text)
		}
	}
	if got := s.ask("-c", "nts"); strings.Count(got, ",") != 16 {
		t.Errorf("-c: got %q", got)
	}
}
