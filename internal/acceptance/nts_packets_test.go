package acceptance

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ntsd/internal/interop"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// ntsRequest is a request and what its reply must have.
type ntsRequest struct {
	pkt      []byte
	uid      nts.UniqueID
	transmit ntptime.Timestamp
}

// request makes an authenticated request with a cookie, which stays in the
// session, and so many placeholders.
func request(t *testing.T, s *nts.Session, cookie []byte, placeholders int) (r ntsRequest) {
	t.Helper()
	aead, err := siv.New(s.AEAD, s.C2S)
	if err != nil {
		t.Fatal(err)
	}
	rand.Read(r.uid[:])
	nonce := make([]byte, s.AEAD.NonceSize())
	rand.Read(nonce)
	r.transmit = ntptime.Timestamp(binary.BigEndian.Uint64(r.uid[:])) // as random as that
	h := wire.Header{Version: wire.Version, Mode: wire.ModeClient, Transmit: r.transmit}
	r.pkt = nts.AppendClientRequest(nil, h, r.uid, cookie, placeholders, aead, nonce)
	return r
}

// send sends a packet from a socket of its own and returns the reply, nil where
// none comes in time.
func (s *ntsServer) send(pkt []byte, wait time.Duration) []byte {
	s.t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(onLoopback(s.ntp)))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(pkt); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 65536)
	n, err := conn.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	} else if err != nil {
		s.t.Fatal(err)
	}
	return buf[:n]
}

// TestCheck42NoAmplification: a reply to NTS is never longer than its request,
// with any algorithm and any number of placeholders; neither is a refusal. (See
// TestServerNeverAmplifies for what is no NTS.)
func TestCheck42NoAmplification(t *testing.T) {
	s := newWorld(t).serveNTS()
	for _, alg := range []siv.Algorithm{siv.AESSIVCMAC256, siv.AESSIVCMAC512, siv.AES128GCMSIV} {
		session := s.establish(alg)
		if session.AEAD != alg {
			t.Fatalf("AEAD: got %v, want %v", session.AEAD, alg)
		}
		s2c, err := siv.New(alg, session.S2C)
		if err != nil {
			t.Fatal(err)
		}
		for placeholders := range nts.MaxCookies + 2 {
			r := request(t, session, session.Cookies[0], placeholders)
			reply := s.send(r.pkt, limit)
			if len(reply) > len(r.pkt) {
				t.Errorf("%v, %d placeholders: %d bytes in reply to %d", alg, placeholders, len(reply), len(r.pkt))
			}
			opened, err := nts.OpenResponse(reply, &r.uid, s2c)
			if want := min(placeholders+1, nts.MaxCookies); err != nil || len(opened.Cookies) != want {
				t.Errorf("%v, %d placeholders: got %d cookies, %v; want %d", alg, placeholders, len(opened.Cookies), err, want)
			}
			// The same with a cookie that does not open.
			r = request(t, session, bytes.Repeat([]byte{7}, len(session.Cookies[0])), placeholders)
			if reply := s.send(r.pkt, limit); len(reply) > len(r.pkt) {
				t.Errorf("%v, %d placeholders: a refusal of %d bytes to %d", alg, placeholders, len(reply), len(r.pkt))
			}
		}
	}
}

// TestCheck63RefusalsAreSaid: what the server cannot open it answers with NTSN,
// for this request and in the clear; the client asks for new keys.
func TestCheck63RefusalsAreSaid(t *testing.T) {
	s := newWorld(t).serveNTS()
	session := s.establish(siv.AESSIVCMAC256)
	cookie := session.Cookies[0]
	changed := func(b []byte, at int) []byte {
		b = slices.Clone(b)
		b[at] ^= 1
		return b
	}
	refused := func(what string, r ntsRequest) {
		t.Helper()
		reply := s.send(r.pkt, limit)
		code, ok := nts.UnauthenticatedKiss(reply, &r.uid)
		h, err := wire.ParseHeader(reply)
		if !ok || code != wire.KissNTSN || err != nil || h.Stratum != 0 || h.Origin != r.transmit || len(reply) > len(r.pkt) {
			t.Errorf("%s: got kiss %v, %+v, %v; want NTSN", what, code, h, err)
		}
	}
	refused("a cookie of nobody", request(t, session, bytes.Repeat([]byte{7}, len(cookie)), 0))
	for _, at := range []int{0, len(cookie) / 2, len(cookie) - 1} {
		refused("a changed cookie", request(t, session, changed(cookie, at), 0))
	}
	r := request(t, session, cookie, 0)
	r.pkt = changed(r.pkt, len(r.pkt)-1)
	refused("a changed authenticator", r)
	s.exchange(session, "after all that")
	if got := s.stats().Verdicts["nak"]; got != 5 {
		t.Errorf("serverstats: got %d refusals, want 5", got)
	}
	// Keys that are lost: every client hears of it and helps itself.
	c := s.client(0)
	c.until("four replies", func(r *report) bool { return r.Sources[0].Counters.Good >= 4 })
	s.restart(func() {
		for _, folder := range []string{s.w.run, filepath.Join(s.w.dir, "state")} {
			if err := os.Remove(filepath.Join(folder, "ntskeys")); err != nil {
				t.Fatal(err)
			}
		}
	})
	var kiss *interop.KissError
	if _, err := interop.Exchange(session, limit); !errors.As(err, &kiss) || kiss.Code != wire.KissNTSN {
		t.Errorf("a cookie of lost keys: got %v, want NTSN", err)
	}
	rep := c.until("new keys in use", func(r *report) bool {
		x := r.Sources[0]
		return x.Auth.KEs == 2 && x.Reach&7 == 7
	})
	if x := rep.Sources[0]; x.Auth.NAKs == 0 {
		t.Errorf("the client counts no NAK: %+v", x.Auth)
	}
}
