package nts

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ntsd/internal/siv"
)

var both = []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256}

// msg joins records and an End of Message.
func msg(records ...Record) []byte {
	var b []byte
	for _, r := range records {
		b = r.Append(b)
	}
	return appendEnd(b)
}

func crit(typ RecordType, body ...byte) Record { return Record{Type: typ, Critical: true, Body: body} }
func soft(typ RecordType, body ...byte) Record { return Record{Type: typ, Body: body} }

func cookie(n int, fill byte) Record {
	return Record{Type: RecordCookie, Body: bytes.Repeat([]byte{fill}, n)}
}

// The bytes chronyc's daemon sends, checked by hand: next protocol 0, AEAD 30
// then 15, record 1024, end.
func TestAppendRequest(t *testing.T) {
	got := AppendRequest(nil, Request{Protocols: []uint16{0}, AEADs: both, CompliantGCMSIV: true})
	want := unhex(t, "80010002"+"0000"+"80040004"+"001e000f"+"04000000"+"80000000")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	// RFC 8915 §4.1.7, §4.1.8: "Servers MAY set the Critical Bit on records of
	// this type; clients SHOULD NOT."
	got = AppendRequest(nil, Request{Protocols: []uint16{0}, AEADs: both, Server: "a", Port: 5})
	want = unhex(t, "80010002"+"0000"+"80040004"+"001e000f"+"00060001"+"61"+"00070002"+"0005"+"80000000")
	if !bytes.Equal(got, want) {
		t.Errorf("with server and port: got %x, want %x", got, want)
	}
	full := Request{Protocols: []uint16{0, 7}, AEADs: both, Server: "ntp.example.", Port: 1230}
	back, err := ParseRequest(AppendRequest(nil, full))
	if err != nil || !reflect.DeepEqual(back, full) {
		t.Errorf("round trip = %+v, %v; want %+v", back, err, full)
	}
}

func TestParseRequestErrors(t *testing.T) {
	np, aead := crit(RecordNextProtocol, 0, 0), crit(RecordAEAD, 0, 15)
	cases := []struct {
		name string
		msg  []byte
		code ErrorCode
		ok   bool
	}{
		{"plain", msg(np, aead), 0, true},
		{"AEAD first, not critical (ntpsec)", msg(soft(RecordAEAD, 0, 15), np), 0, true},
		{"unknown not critical", msg(np, aead, soft(0x4000, 1, 2)), 0, true},
		{"no NTPv4 and no AEAD", msg(crit(RecordNextProtocol, 0, 9)), 0, true},
		{"unknown critical", msg(np, aead, crit(0x4000)), CodeUnrecognizedCritical, false},
		{"empty", nil, CodeBadRequest, false},
		{"only the end", msg(), CodeBadRequest, false},
		{"no next protocol", msg(aead), CodeBadRequest, false},
		{"two next protocols", msg(np, np, aead), CodeBadRequest, false},
		{"odd next protocol", msg(crit(RecordNextProtocol, 0, 0, 0), aead), CodeBadRequest, false},
		{"empty next protocol", msg(crit(RecordNextProtocol), aead), CodeBadRequest, false},
		{"next protocol not critical", msg(soft(RecordNextProtocol, 0, 0), aead), CodeBadRequest, false},
		{"no AEAD", msg(np), CodeBadRequest, false},
		{"two AEADs", msg(np, aead, aead), CodeBadRequest, false},
		{"empty AEAD", msg(np, crit(RecordAEAD)), CodeBadRequest, false},
		{"odd AEAD", msg(np, crit(RecordAEAD, 0)), CodeBadRequest, false},
		{"error record", msg(np, aead, crit(RecordError, 0, 1)), CodeBadRequest, false},
		{"warning record", msg(np, aead, crit(RecordWarning, 0, 1)), CodeBadRequest, false},
		{"cookie", msg(np, aead, cookie(64, 1)), CodeBadRequest, false},
		{"record 1024 with a body", msg(np, aead, soft(RecordCompliantGCMSIV, 1)), CodeBadRequest, false},
		{"port 0", msg(np, aead, crit(RecordPort, 0, 0)), CodeBadRequest, false},
		{"server not ASCII", msg(np, aead, crit(RecordServer, 0xc3, 0xa9)), CodeBadRequest, false},
		{"end not critical", append(msg(np, aead)[:14:14], 0, 0, 0, 0), CodeBadRequest, false},
		{"end with a body", append(msg(np, aead)[:14:14], 0x80, 0, 0, 1, 0), CodeBadRequest, false},
		{"bytes after the end", append(msg(np, aead), 0), CodeBadRequest, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseRequest(c.msg)
			if c.ok {
				if err != nil {
					t.Errorf("err = %v, want nil", err)
				}
				return
			}
			var re *RequestError
			if !errors.As(err, &re) || re.Code != c.code {
				t.Errorf("err = %v, want code %d", err, c.code)
			}
		})
	}
}

func TestParseResponseErrors(t *testing.T) {
	np, aead, ck := crit(RecordNextProtocol, 0, 0), crit(RecordAEAD, 0, 15), cookie(96, 1)
	cases := []struct {
		name  string
		msg   []byte
		want  string // part of the error; empty: accepted
		class FailureClass
	}{
		{"plain", msg(np, aead, ck), "", FailureNone},
		{"cookie before AEAD before protocol", msg(ck, aead, np), "", FailureNone},
		{"critical cookie", msg(np, aead, crit(RecordCookie, 1, 2, 3)), "", FailureNone},
		{"AEAD not critical", msg(np, soft(RecordAEAD, 0, 15), ck), "", FailureNone},
		{"unknown not critical", msg(soft(0x3fff, 1), np, aead, ck), "", FailureNone},
		{"server and port not critical", msg(np, aead, ck, soft(RecordServer, 'a'), soft(RecordPort, 0, 9)), "", FailureNone},
		{"too long a cookie beside a good one", msg(np, aead, cookie(MaxCookieLen+1, 1), ck), "", FailureNone},
		{"unknown critical", msg(np, aead, ck, crit(0x3fff, 1)), "unknown critical record 16383", FailureProtocol},
		{"empty", nil, "truncated", FailureProtocol},
		{"no protocol", msg(aead, ck), "no next protocol", FailureProtocol},
		{"two protocol records", msg(np, np, aead, ck), "next protocol", FailureProtocol},
		{"two protocols", msg(crit(RecordNextProtocol, 0, 0, 0, 1), aead, ck), "next protocols", FailureProtocol},
		{"other protocol", msg(crit(RecordNextProtocol, 0, 1), aead, ck), "next protocols", FailureProtocol},
		{"protocol not critical", msg(soft(RecordNextProtocol, 0, 0), aead, ck), "next protocol", FailureProtocol},
		{"empty protocol", msg(crit(RecordNextProtocol)), "does not offer NTPv4", FailureServer},
		{"no AEAD", msg(np, ck), "no AEAD", FailureProtocol},
		{"empty AEAD", msg(np, crit(RecordAEAD)), "none of our AEAD", FailureServer},
		{"two AEADs", msg(np, crit(RecordAEAD, 0, 15, 0, 30), ck), "AEAD algorithms", FailureProtocol},
		{"AEAD not offered", msg(np, crit(RecordAEAD, 0, 17), ck), "none of our AEAD algorithms; it has 17", FailureServer},
		{"no cookie", msg(np, aead), "no usable cookie", FailureProtocol},
		{"only unusable cookies", msg(np, aead, cookie(0, 0), cookie(MaxCookieLen+1, 1)), "no usable cookie", FailureProtocol},
		{"error", msg(crit(RecordError, 0, 1)), "bad request", FailureServer},
		{"error beats the rest", msg(np, aead, ck, crit(RecordError, 0, 2)), "internal server error", FailureServer},
		{"unknown warning", msg(np, aead, ck, crit(RecordWarning, 0, 9)), "warning 9", FailureServer},
		{"error and warning not critical", msg(soft(RecordError, 0, 1), soft(RecordWarning, 0, 1)), "bad request", FailureServer},
		{"error of one byte", msg(crit(RecordError, 1)), "error record", FailureProtocol},
		{"bytes after the end", append(msg(np, aead, ck), 1), "end of message", FailureProtocol},
		{"end not critical", append(msg(np, aead, ck)[:len(msg(np, aead, ck))-4:len(msg(np, aead, ck))-4], 0, 0, 0, 0), "end of message", FailureProtocol},
		{"two servers", msg(np, aead, ck, crit(RecordServer, 'a'), crit(RecordServer, 'b')), "server record", FailureProtocol},
		{"server with zone", msg(np, aead, ck, crit(RecordServer, []byte("fe80::1%eth0")...)), "server record", FailureProtocol},
		{"server in brackets", msg(np, aead, ck, crit(RecordServer, []byte("[::1]")...)), "server record", FailureProtocol},
		{"port of 1 byte", msg(np, aead, ck, crit(RecordPort, 1)), "port record", FailureProtocol},
		{"port 0", msg(np, aead, ck, crit(RecordPort, 0, 0)), "port record", FailureProtocol},
		{"error before something malformed", msg(crit(RecordError, 0, 1), crit(RecordPort, 0, 0)), "bad request", FailureServer},
		{"error before an unknown critical record", msg(crit(RecordError, 0, 1), crit(0x3fff)), "bad request", FailureServer},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseResponse(c.msg, both)
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
			if got := ClassOf(err); got != c.class {
				t.Errorf("class = %v, want %v", got, c.class)
			}
		})
	}
}

// The bytes by hand: next protocol, AEAD, server and port critical, two cookies
// that are not (RFC 8915 §4.1.6), end.
func TestAppendResponse(t *testing.T) {
	got := AppendResponse(nil, Response{AEAD: siv.AESSIVCMAC256, Cookies: [][]byte{{1, 2}, {3}}, Server: "a", Port: 5})
	want := unhex(t, "80010002"+"0000"+"80040002"+"000f"+"80060001"+"61"+"80070002"+"0005"+
		"00050002"+"0102"+"00050001"+"03"+"80000000")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestResponseRoundTrip(t *testing.T) {
	for _, r := range []Response{
		{AEAD: siv.AESSIVCMAC256, Cookies: [][]byte{{1, 2, 3}}},
		{AEAD: siv.AES128GCMSIV, CompliantGCMSIV: true, Cookies: [][]byte{{1}, {2}}, Server: "2001:db8::1", Port: 4123},
		{AEAD: siv.AESSIVCMAC256, Cookies: [][]byte{{1}}, Server: "192.0.2.1"},
		{AEAD: siv.AESSIVCMAC256, Cookies: [][]byte{{1}}, Server: "ntp_1.example.net."},
		{AEAD: siv.AESSIVCMAC256, Cookies: [][]byte{{1}}, Port: 1},
	} {
		got, err := ParseResponse(AppendResponse(nil, r), both)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("round trip = %+v, %v; want %+v", got, err, r)
		}
	}
}

// RFC 8915 §4.1.6 allows any number of cookies; we keep eight.
func TestMoreThanEightCookies(t *testing.T) {
	r := Response{AEAD: siv.AESSIVCMAC256}
	for i := range 12 {
		r.Cookies = append(r.Cookies, bytes.Repeat([]byte{byte(i)}, 100))
	}
	got, err := ParseResponse(AppendResponse(nil, r), both)
	if err != nil || len(got.Cookies) != 8 || got.Cookies[7][0] != 7 {
		t.Errorf("%d cookies, err %v; want the first 8", len(got.Cookies), err)
	}
}

func TestRefusalsAndErrors(t *testing.T) {
	if _, err := ParseResponse(AppendRefusal(nil, true), both); !errors.Is(err, ErrNoNTPv4) {
		t.Errorf("no protocol: %v, want ErrNoNTPv4", err)
	}
	if _, err := ParseResponse(AppendRefusal(nil, false), both); !errors.Is(err, ErrNoAEAD) {
		t.Errorf("no AEAD: %v, want ErrNoAEAD", err)
	}
	for _, code := range []ErrorCode{0, 1, 2, 77} {
		_, err := ParseResponse(AppendError(nil, code), both)
		var pe *PeerError
		if !errors.As(err, &pe) || pe.Code != code {
			t.Errorf("error %d: got %v", code, err)
		}
	}
}

func TestChoose(t *testing.T) {
	all := []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512}
	for _, c := range []struct {
		offered   []siv.Algorithm
		compliant bool
		alg, id   siv.Algorithm
	}{
		{[]siv.Algorithm{30, 15}, true, 30, 30},  // chrony today
		{[]siv.Algorithm{30, 15}, false, 15, 15}, // chrony up to 4.6: its export is wrong
		{[]siv.Algorithm{15, 30}, true, 15, 15},
		{[]siv.Algorithm{30}, false, 30, 15}, // nothing else to offer it
		{[]siv.Algorithm{30}, true, 30, 30},
		{[]siv.Algorithm{17, 15}, false, 17, 17},
		{[]siv.Algorithm{99, 16}, false, 16, 16},
		{[]siv.Algorithm{99}, false, 0, 0},
	} {
		alg, id, ok := Request{AEADs: c.offered, CompliantGCMSIV: c.compliant}.Choose(all)
		if alg != c.alg || id != c.id || ok != (c.alg != 0) {
			t.Errorf("offered %d, compliant %v: %d exported as %d, %v; want %d as %d",
				c.offered, c.compliant, alg, id, ok, c.alg, c.id)
		}
	}
}

// RFC 8915 §4.1.5: "if the client includes AEAD_AES_SIV_CMAC_256 in its AEAD
// Algorithm Negotiation record" the answer "MUST NOT be empty", wherever it
// stands in a request of any length that we take.
func TestChooseFromALongList(t *testing.T) {
	req := Request{Protocols: []uint16{0}, AEADs: make([]siv.Algorithm, 500)}
	req.AEADs[499] = siv.AESSIVCMAC256
	b := AppendRequest(nil, req)
	if len(b) > MaxRequestMessage {
		t.Fatalf("request of %d bytes", len(b))
	}
	back, err := ParseRequest(b)
	if err != nil {
		t.Fatal(err)
	}
	if alg, _, ok := back.Choose(both); !ok || alg != siv.AESSIVCMAC256 {
		t.Errorf("Choose = %v, %v; want AEAD 15", alg, ok)
	}
	many := make([]byte, 60000)
	_, err = ParseResponse(msg(crit(RecordNextProtocol, many...), crit(RecordAEAD, 0, 15), cookie(96, 1)), both)
	if err == nil || len(err.Error()) > 100 {
		t.Errorf("response with 30000 protocols: %v, want a short error", err)
	}
	_, err = ParseResponse(msg(crit(RecordNextProtocol, 0, 0), crit(RecordAEAD, many...), cookie(96, 1)), both)
	if err == nil || len(err.Error()) > 100 {
		t.Errorf("response with 30000 algorithms: %v, want a short error", err)
	}
}

// The message may be cut anywhere: it is "self-delimiting" (RFC 8915 §4).
func TestFramerEverySplit(t *testing.T) {
	m := AppendResponse(nil, Response{AEAD: 15, Cookies: [][]byte{bytes.Repeat([]byte{0}, 100), {1}}, Port: 123})
	whole := append(bytes.Clone(m), "trailing"...)
	for cut := range whole {
		var f Framer
		if got, want := f.Done(whole[:cut]), cut >= len(m); got != want {
			t.Errorf("%d of %d bytes: done = %v, want %v", cut, len(m), got, want)
		}
		if !f.Done(whole) || f.off != len(m) {
			t.Errorf("cut at %d: end = %d, want %d", cut, f.off, len(m))
		}
	}
	var f Framer
	for n := range m {
		if f.Done(m[:n]) {
			t.Fatalf("byte by byte: done after %d of %d", n, len(m))
		}
	}
	if !f.Done(m) || f.off != len(m) {
		t.Errorf("byte by byte: end = %d, want %d", f.off, len(m))
	}
}

// RFC 8915 section 5.1.
func TestExporterContext(t *testing.T) {
	for _, c := range []struct {
		alg  siv.Algorithm
		c2s  bool
		want string
	}{
		{siv.AESSIVCMAC256, true, "0000000f00"},
		{siv.AESSIVCMAC256, false, "0000000f01"},
		{siv.AES128GCMSIV, true, "0000001e00"},
		{0x1234, false, "0000123401"},
	} {
		if got := fmt.Sprintf("%x", ExporterContext(c.alg, c.c2s)); got != c.want {
			t.Errorf("%v, c2s %v: %s, want %s", c.alg, c.c2s, got, c.want)
		}
	}
	for _, c := range []struct {
		alg       siv.Algorithm
		compliant bool
		id, alt   siv.Algorithm
	}{{15, false, 15, 0}, {15, true, 15, 0}, {30, true, 30, 0}, {30, false, 15, 30}, {17, false, 17, 0}} {
		if id, alt := ExporterIDs(c.alg, c.compliant); id != c.id || alt != c.alt {
			t.Errorf("%d compliant %v: %d, %d; want %d, %d", c.alg, c.compliant, id, alt, c.id, c.alt)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add(AppendRequest(nil, Request{Protocols: []uint16{0}, AEADs: both, CompliantGCMSIV: true, Server: "a.b", Port: 9}))
	f.Add(msg(crit(RecordNextProtocol, 0, 9)))
	f.Fuzz(func(t *testing.T, m []byte) {
		r, err := ParseRequest(m)
		if err != nil {
			var re *RequestError
			if !errors.As(err, &re) {
				t.Fatalf("%T, want *RequestError", err)
			}
			return
		}
		var fr Framer
		if !fr.Done(m) || fr.off != len(m) {
			t.Fatalf("parsed, but the framer found an end at %d of %d", fr.off, len(m))
		}
		if !r.OffersNTPv4() && r.AEADs == nil {
			return // we never send such a one
		}
		if back, err := ParseRequest(AppendRequest(nil, r)); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("round trip of %+v = %+v, %v", r, back, err)
		}
		r.Choose(both)
	})
}

func FuzzParseResponse(f *testing.F) {
	f.Add(AppendResponse(nil, Response{AEAD: 30, CompliantGCMSIV: true, Cookies: [][]byte{{1}, {2, 3}}, Server: "::1", Port: 5}))
	f.Add(AppendError(nil, 1))
	f.Add(AppendRefusal(nil, false))
	f.Fuzz(func(t *testing.T, m []byte) {
		r, err := ParseResponse(m, both)
		if err != nil {
			if ClassOf(err) == FailureNone {
				t.Errorf("%v has no class", err)
			}
			return
		}
		if back, err := ParseResponse(AppendResponse(nil, r), both); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("round trip of %+v = %+v, %v", r, back, err)
		}
	})
}
