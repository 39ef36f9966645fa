package assoc

import (
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// mustParse returns the NTS fields of a request.
func mustParse(t *testing.T, req event.Send) nts.ServerRequest {
	t.Helper()
	r, err := nts.ParseServerRequest(req.Data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNTSVerdicts(t *testing.T) {
	for _, c := range []struct {
		want  Verdict
		name  string
		reply func(b *bench, req event.Send) []byte
	}{
		{VerdictAccepted, "", func(b *bench, req event.Send) []byte { return b.authentic(req, b.header(req)) }},
		{VerdictPlain, "", func(b *bench, req event.Send) []byte { return b.header(req).Append(nil) }},
		{VerdictPlain, "kiss", func(b *bench, req event.Send) []byte {
			h := b.header(req)
			h.Stratum, h.ReferenceID = 0, wire.KissDeny.ReferenceID()
			return h.Append(nil)
		}},
		{VerdictUniqueID, "", func(b *bench, req event.Send) []byte {
			data := b.authentic(req, b.header(req))
			data[wire.HeaderLen+10] ^= 1
			return data
		}},
		{VerdictUniqueID, "NAK", func(b *bench, req event.Send) []byte {
			r := mustParse(b.t, req)
			r.UniqueID[3] ^= 1
			return nts.AppendKiss(nil, b.header(req), &r, wire.KissNTSN)
		}},
		{VerdictForged, "header", func(b *bench, req event.Send) []byte {
			data := b.authentic(req, b.header(req))
			data[1]++ // stratum
			return data
		}},
		{VerdictForged, "ciphertext", func(b *bench, req event.Send) []byte {
			data := b.authentic(req, b.header(req))
			data[len(data)-5] ^= 1
			return data
		}},
		{VerdictMalformed, "", func(b *bench, req event.Send) []byte {
			data := b.authentic(req, b.header(req))
			return data[:len(data)-8]
		}},
		{VerdictNAK, "", func(b *bench, req event.Send) []byte {
			r := mustParse(b.t, req)
			return nts.AppendKiss(nil, b.header(req), &r, wire.KissNTSN)
		}},
		{VerdictRate, "", func(b *bench, req event.Send) []byte {
			r := mustParse(b.t, req)
			return nts.AppendKiss(nil, b.header(req), &r, wire.KissRate)
		}},
		{VerdictDenied, "authenticated", func(b *bench, req event.Send) []byte {
			h := b.header(req)
			h.Stratum, h.ReferenceID = 0, wire.KissDeny.ReferenceID()
			return b.authentic(req, h)
		}},
		{VerdictForged, "a kiss that is none, not authenticated", func(b *bench, req event.Send) []byte {
			r := mustParse(b.t, req)
			return nts.AppendKiss(nil, b.header(req), &r, 'I'<<24|'N'<<16|'I'<<8|'T')
		}},
		{VerdictUnsynchronised, "INIT", func(b *bench, req event.Send) []byte {
			h := b.header(req)
			h.Leap, h.Stratum, h.ReferenceID = wire.LeapUnknown, 0, wire.ReferenceID{'I', 'N', 'I', 'T'}
			return b.authentic(req, h)
		}},
		{VerdictUnsynchronised, "", func(b *bench, req event.Send) []byte {
			h := b.header(req)
			h.Leap = wire.LeapUnknown
			return b.authentic(req, h)
		}},
		{VerdictOrigin, "", func(b *bench, req event.Send) []byte {
			h := b.header(req)
			h.Origin++
			return b.authentic(req, h)
		}},
	} {
		t.Run(c.want.String()+" "+c.name, func(t *testing.T) {
			b := newBench(t, Config{NTS: true})
			b.ke()
			req := b.poll()
			if got := b.reply(req, c.reply(b, req)); got != c.want {
				t.Errorf("verdict %q, want %q", got, c.want)
			}
			if reached := b.a.Reach() != 0; reached != (c.want == VerdictAccepted) {
				t.Errorf("reach %o", b.a.Reach())
			}
		})
	}
}

func TestForgedRepliesDoNotStopTheTrueOne(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	req := b.poll()
	r := mustParse(t, req)
	good := b.authentic(req, b.header(req))
	for range 3 {
		b.reply(req, b.header(req).Append(nil))
		b.reply(req, nts.AppendKiss(nil, b.header(req), &r, wire.KissNTSN))
		b.reply(req, nts.AppendKiss(nil, b.header(req), &r, wire.KissDeny))
	}
	if v := b.reply(req, good); v != VerdictAccepted {
		t.Fatalf("the true reply: %v", v)
	}
	for range 3 {
		b.poll()
	}
	if n := count[event.StartKE](b); n != 1 {
		t.Errorf("%d key establishments, want 1", n)
	}
}

// TestForgedNAKsWithoutKE: who blocks both replies and key establishments gains
// nothing but their absence; the cookies are still used.
func TestForgedNAKsWithoutKE(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	req := b.poll()
	b.reply(req, b.authentic(req, b.header(req)))
	for range 3 {
		req = b.poll()
		r := mustParse(t, req)
		b.reply(req, nts.AppendKiss(nil, b.header(req), &r, wire.KissNTSN))
		n := count[event.StartKE](b)
		b.pass(b.a.NextDeadline().Sub(b.now.Mono))
		b.take(b.a.HandleTimer(b.now, nil)) // the reply window ends
		req = b.poll()
		if count[event.StartKE](b) == n+1 {
			ke := last[event.StartKE](b)
			b.take(b.a.HandleKEDone(b.now, event.KEDone{Attempt: ke.Attempt, Failure: nts.FailureNetwork, Reason: "blocked"}, nil))
		}
		if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictAccepted {
			t.Fatalf("reply to an old cookie: %v", v)
		}
	}
	if n := count[event.StartKE](b); n > 4 {
		t.Errorf("%d key establishments", n)
	}
}

func TestPlaceholdersRefillTheJar(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	first := b.poll()
	b.reply(first, b.authentic(first, b.header(first)))
	for lost := range 8 {
		req := b.poll()
		// Then the path is on trial, and a coin decides: see package middlebox.
		r := mustParse(t, req)
		if r.Placeholders != lost && (lost < 3 || r.Placeholders != 0) {
			t.Errorf("after %d lost replies: %d placeholders", lost, r.Placeholders)
		}
		if got := len(last[event.SaveSession](b).Session.Cookies); got != 7-lost {
			t.Errorf("%d cookies saved, want %d", got, 7-lost)
		}
	}
	b = newBench(t, Config{NTS: true})
	b.ke()
	for range 2 {
		b.poll()
	}
	req := b.poll()
	b.reply(req, b.authentic(req, b.header(req)))
	if got := b.a.Auth().Cookies; got != 8 {
		t.Errorf("%d cookies after a reply, want 8", got)
	}
}

// TestWriteAhead: the session is saved before the request that spends a cookie
// of it, and without that cookie.
func TestWriteAhead(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	for range 8 {
		b.out = nil
		req := b.poll()
		n := len(b.out)
		save, ok := b.out[n-2].(event.SaveSession)
		if _, isSend := b.out[n-1].(event.Send); !ok || !isSend {
			t.Fatalf("actions %T, %T; want SaveSession, Send", b.out[n-2], b.out[n-1])
		}
		spent := string(mustParse(t, req).Cookie)
		for _, c := range save.Session.Cookies {
			if string(c) == spent {
				t.Error("the saved session holds the cookie that is being spent")
			}
		}
		if len(b.sent)%2 == 0 {
			b.reply(req, b.authentic(req, b.header(req)))
		}
	}
}

func TestRekeyWithAReplyUnderWay(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	req := b.poll()
	b.a.Rekey(b.now)
	b.take(b.a.HandleTimer(b.now, nil))
	b.establish()
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictAccepted {
		t.Fatalf("reply under the old keys: %v", v)
	}
	s, _ := b.a.Session()
	if len(s.Cookies) != 8 {
		t.Errorf("%d cookies, want the 8 of the new session", len(s.Cookies))
	}
	b.pass(time.Second)
	req = b.poll()
	if v := b.reply(req, b.authentic(req, b.header(req))); v != VerdictAccepted {
		t.Errorf("reply under the new keys: %v", v)
	}
	if b.a.Auth().KeyID != 2 {
		t.Errorf("key id %d, want 2", b.a.Auth().KeyID)
	}
}

func TestKEDoneOfAnotherAttempt(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.pass(time.Second)
	b.take(b.a.HandleTimer(b.now, nil))
	ke := last[event.StartKE](b)
	b.take(b.a.HandleKEDone(b.now, event.KEDone{Attempt: ke.Attempt + 1, Failure: nts.FailureTLS, Reason: "x"}, nil))
	b.take(b.a.HandleKEDone(b.now, event.KEDone{Attempt: ke.Attempt, Session: nts.Session{AEAD: siv.AESSIVCMAC256, C2S: []byte("short")}}, nil))
	if auth := b.a.Auth(); auth.KeyID != 0 || auth.LastError == "" {
		t.Errorf("a session with a short key: %+v", auth)
	}
	if n := b.notices(event.NoticeKEFailed); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
}

func TestLostKEDone(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	for range 5 {
		b.pass(b.a.NextDeadline().Sub(b.now.Mono))
		b.take(b.a.HandleTimer(b.now, nil))
	}
	if n := count[event.StartKE](b); n < 2 {
		t.Errorf("%d key establishments, want another after %v", n, keLost)
	}
}

func TestNTSPollAllocations(t *testing.T) {
	const most = 40 // two AEAD calls, packet, identifiers, cookies
	b := newBench(t, Config{NTS: true})
	b.ke()
	if n := testing.AllocsPerRun(50, func() {
		b.out, b.sent = b.out[:0], b.sent[:0]
		req := b.poll()
		b.a.HandleReceived(b.now, event.Received{Request: req.Request, From: req.To, Data: req.Data}, nil)
		b.a.keys.session.Cookies = append(b.a.keys.session.Cookies, make([]byte, 96))
	}); n > most {
		t.Errorf("%v allocations per poll, want at most %d", n, most)
	}
}

// Where sub-second polls lose nearly every reply, the cookies are gone in no
// time: RFC 8915 §4.2's least interval holds between good key establishments
// as well.
func TestHastyPollsDoNotHammerTheKEServer(t *testing.T) {
	b := newBench(t, Config{NTS: true, MinPoll: -3, MaxPoll: -3})
	begun, answered := b.now.Mono, 0
	for b.now.Mono.Sub(begun) < time.Minute {
		b.pass(max(0, b.a.NextDeadline().Sub(b.now.Mono)))
		n, kes := len(b.sent), count[event.StartKE](b)
		b.take(b.a.HandleTimer(b.now, nil))
		if count[event.StartKE](b) > kes {
			b.establish()
			answered = 0
		}
		if len(b.sent) > n && answered == 0 && len(b.sent[n].Data) > wire.HeaderLen { // the first under new keys
			b.reply(b.sent[n], b.authentic(b.sent[n], b.header(b.sent[n])))
			answered++
		}
	}
	if n := count[event.StartKE](b); n < 3 || n > 7 {
		t.Errorf("%d key establishments in a minute, want one in 10 s at most", n)
	}
}

// TestNTSCounts: what ntpq -c nts shows of the client. A reply that does not
// verify is an error, a NAK too; what is no reply to this request is neither.
func TestNTSCounts(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	req := b.poll()
	r := mustParse(t, req)
	b.reply(req, b.header(req).Append(nil))
	b.reply(req, nts.AppendKiss(nil, b.header(req), &r, wire.KissNTSN))
	stray := b.header(req)
	stray.Origin++
	b.reply(req, b.authentic(req, stray))
	b.reply(req, b.authentic(req, b.header(req)))
	b.reply(req, b.authentic(req, b.header(req))) // a duplicate
	b.poll()
	if got, want := b.a.env.NTS, (NTSCounts{Sent: 2, Good: 1, Bad: 2, KEGood: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	b = newBench(t, Config{NTS: true})
	b.pass(startSpread)
	b.take(b.a.HandleTimer(b.now, nil))
	ke := last[event.StartKE](b)
	b.take(b.a.HandleKEDone(b.now, event.KEDone{Attempt: ke.Attempt, Failure: nts.FailureTLS, Reason: "no"}, nil))
	if got, want := b.a.env.NTS, (NTSCounts{KEBad: 1}); got != want {
		t.Errorf("after a failure: got %+v, want %+v", got, want)
	}
}
