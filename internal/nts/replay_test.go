package nts

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// What each capture must show. The counts are of this session's packets; the
// files also hold plain NTP and other sessions.
var captures = []struct {
	name      string
	aead      siv.Algorithm
	compliant bool
	cookieLen int
	exchanges int // request and reply, both verified
	saved     string
}{
	{"chrony-new-client_chrony-new-server_aead30", siv.AES128GCMSIV, true, 64, 4, "chrony-aead30.nts.txt"},
	{"chrony-new-client_chrony-new-server_aead15", siv.AESSIVCMAC256, false, 96, 5, "chrony-aead15.nts.txt"},
	{"chrony-new-client_chrony-4.3-server", siv.AESSIVCMAC256, false, 100, 4, ""},
	{"chrony-new-client_ntpsec-server", siv.AESSIVCMAC256, false, 104, 8, ""},
}

func TestCaptures(t *testing.T) {
	for _, c := range captures {
		t.Run(c.name, func(t *testing.T) {
			cp := readCapture(t, c.name)
			req, err := ParseRequest(cp.request)
			if err != nil {
				t.Fatalf("request %x: %v", cp.request, err)
			}
			if !req.OffersNTPv4() || len(req.AEADs) == 0 {
				t.Errorf("request = %+v, want NTPv4 and AEADs", req)
			}
			// Our own request for the same is the same.
			if got := AppendRequest(nil, req); !bytes.Equal(got, cp.request) {
				t.Errorf("our request = %x, want %x", got, cp.request)
			}
			resp, err := ParseResponse(cp.response, req.AEADs)
			if err != nil {
				t.Fatalf("response %x: %v", cp.response, err)
			}
			if resp.AEAD != c.aead || resp.CompliantGCMSIV != c.compliant ||
				len(resp.Cookies) != MaxCookies || len(resp.Cookies[0]) != c.cookieLen {
				t.Errorf("response = AEAD %v, compliant %v, %d cookies of %d; want %v, %v, 8 of %d", resp.AEAD,
					resp.CompliantGCMSIV, len(resp.Cookies), len(resp.Cookies[0]), c.aead, c.compliant, c.cookieLen)
			}
			id, _ := ExporterIDs(resp.AEAD, resp.CompliantGCMSIV)
			r := replay{t: t, known: map[string]bool{}}
			r.c2s = cp.export(t, ExporterContext(id, true), resp.AEAD.KeySize())
			r.s2c = cp.export(t, ExporterContext(id, false), resp.AEAD.KeySize())
			r.up, r.down = newAEAD(t, resp.AEAD, r.c2s), newAEAD(t, resp.AEAD, r.s2c)
			for _, cookie := range resp.Cookies {
				r.known[string(cookie)] = true
			}
			for _, p := range cp.packets {
				r.packet(p)
			}
			if r.exchanges != c.exchanges {
				t.Errorf("%d exchanges verified, want %d", r.exchanges, c.exchanges)
			}
			if c.saved != "" {
				r.compareSaved(c.saved)
			}
		})
	}
}

func newAEAD(t testing.TB, alg siv.Algorithm, key []byte) siv.AEAD {
	t.Helper()
	a, err := siv.New(alg, key)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// replay follows one session through its packets.
type replay struct {
	t         *testing.T
	c2s, s2c  []byte
	up, down  siv.AEAD
	known     map[string]bool // cookies of this session
	req       ServerRequest   // the last request of the session
	exchanges int
}

func (r *replay) packet(p datagram) {
	if p.to.Port() == 123 {
		req, err := ParseServerRequest(p.data)
		if err == nil && r.known[string(req.Cookie)] {
			r.request(p.data, req)
		}
		return
	}
	if r.req.packet != nil {
		r.reply(p.data)
	}
}

func (r *replay) request(pkt []byte, req ServerRequest) {
	r.t.Helper()
	if err := req.Verify(r.up, nil); err != nil {
		r.t.Errorf("request %x: %v", pkt, err)
	}
	// The same header, cookie and nonce in our hands make the same packet.
	hdr, _ := wire.ParseHeader(pkt)
	got := AppendClientRequest(nil, hdr, UniqueID(req.UniqueID), req.Cookie, req.Placeholders, r.up, req.auth.nonce)
	if !bytes.Equal(got, pkt) {
		r.t.Errorf("our request = %x\nwant %x", got, pkt)
	}
	r.answerRekeyed(pkt)
	r.req = req
}

// answerRekeyed puts a cookie of ours, with the session's keys in it, in the
// place of the captured one; all else stays as the client made it. Our server
// answers that, and the client could open the reply.
func (r *replay) answerRekeyed(captured []byte) {
	r.t.Helper()
	alg := r.up.Algorithm()
	ring, err := NewKeyring(CookieKey{ID: 5, Key: [CookieKeyLen]byte{1}})
	if err != nil {
		r.t.Fatal(err)
	}
	cookie := func(n byte) []byte { return ring.Seal(nil, alg, r.c2s, r.s2c, [CookieNonceLen]byte{n}) }
	pkt := bytes.Clone(captured[:wire.HeaderLen])
	exts := wire.PacketExtensions(captured)
	for x, ok := exts.Next(); ok; x, ok = exts.Next() {
		switch x.Type {
		case extCookie:
			pkt = wire.AppendExtension(pkt, extCookie, cookie(0))
		case extPlaceholder:
			pkt = wire.AppendExtension(pkt, extPlaceholder, make([]byte, CookieLen(alg)))
		case extAuthenticator:
			a, _ := parseAuthenticator(x)
			pkt = appendAuthenticator(pkt, 0, r.up, a.nonce, nil, a.padding)
		default:
			pkt = wire.AppendExtension(pkt, x.Type, x.Body)
		}
	}
	req, err := ParseServerRequest(pkt)
	if err != nil {
		r.t.Fatalf("with a cookie of ours: %x: %v", pkt, err)
	}
	var keys Keys
	if err := ring.Open(req.Cookie, &keys); err != nil {
		r.t.Fatal(err)
	}
	if err := req.Verify(newAEAD(r.t, keys.Algorithm, keys.C2S()), nil); err != nil {
		r.t.Fatalf("with a cookie of ours: %x: %v", pkt, err)
	}
	var fresh []byte
	for n := range req.MaxNewCookies() {
		fresh = append(fresh, cookie(byte(n+1))...)
	}
	hdr := wire.Header{Version: 4, Mode: wire.ModeServer, Stratum: 2}
	out := AppendServerResponse(nil, hdr, &req, fresh, newAEAD(r.t, keys.Algorithm, keys.S2C()), make([]byte, alg.NonceSize()))
	uid := UniqueID(req.UniqueID)
	if rep, err := OpenResponse(out, &uid, r.down); err != nil || len(rep.Cookies) != req.MaxNewCookies() || len(out) > len(pkt) {
		r.t.Errorf("our reply of %d bytes to %d: %v, %d cookies, want %d", len(out), len(pkt), err, len(rep.Cookies), req.MaxNewCookies())
	}
}

func (r *replay) reply(pkt []byte) {
	r.t.Helper()
	uid := UniqueID(r.req.UniqueID)
	rep, err := OpenResponse(pkt, &uid, r.down)
	if err == ErrNotNTS || err == ErrUniqueID {
		return // of another association
	}
	if err != nil {
		r.t.Errorf("reply %x: %v", pkt, err)
		return
	}
	if rep.Header.Mode != wire.ModeServer || len(rep.Cookies) != r.req.MaxNewCookies() {
		r.t.Errorf("reply: mode %d with %d cookies, want mode 4 with %d",
			rep.Header.Mode, len(rep.Cookies), r.req.MaxNewCookies())
	}
	var fresh []byte
	for _, c := range rep.Cookies {
		r.known[string(c)] = true
		fresh = append(fresh, c...)
	}
	r.exchanges++
	r.rebuild(pkt, rep, fresh)
	r.req = ServerRequest{}
}

// rebuild makes the same reply as the server, where its cookies have our length
// and its fields our order.
func (r *replay) rebuild(pkt []byte, rep Reply, fresh []byte) {
	r.t.Helper()
	if len(rep.Cookies[0]) != CookieLen(r.down.Algorithm()) {
		return
	}
	uid := UniqueID(r.req.UniqueID)
	auth, err := findReply(pkt, &uid)
	if err != nil {
		r.t.Fatal(err)
	}
	got := AppendServerResponse(nil, rep.Header, &r.req, fresh, r.down, auth.nonce)
	if !bytes.Equal(got, pkt) {
		r.t.Errorf("our reply = %x\nwant %x", got, pkt)
	}
}

// compareSaved checks the keys and cookies against the file in which the
// client saved the same session.
func (r *replay) compareSaved(name string) {
	r.t.Helper()
	f, err := os.Open(filepath.Join(captureDir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	keys := strings.Fields(lines[4]) // context id, AEAD, S2C, C2S
	if got := unhex(r.t, keys[3]); !bytes.Equal(got, r.c2s) {
		r.t.Errorf("C2S key = %x, want %x", r.c2s, got)
	}
	if got := unhex(r.t, keys[2]); !bytes.Equal(got, r.s2c) {
		r.t.Errorf("S2C key = %x, want %x", r.s2c, got)
	}
	for _, l := range lines[5:] {
		if !r.known[string(unhex(r.t, l))] {
			r.t.Errorf("saved cookie %s was not seen in the capture", l)
		}
	}
}
