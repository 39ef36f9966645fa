package assoc

import (
	"slices"
	"testing"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// through polls n times over a path that drops what is longer than cut, and of
// the rest every drop-th packet (0: none). Key establishments always work.
func (b *bench) through(cut, drop, n int) {
	b.t.Helper()
	for i := range n {
		kes := count[event.StartKE](b)
		sent := len(b.sent)
		for len(b.sent) == sent {
			b.pass(max(0, b.a.NextDeadline().Sub(b.now.Mono)))
			b.take(b.a.HandleTimer(b.now, nil))
			if count[event.StartKE](b) > kes {
				kes++
				b.establish()
			}
		}
		req := b.sent[sent]
		switch {
		case len(req.Data) > cut || drop > 0 && i%drop == drop-1:
		case len(req.Data) == wire.HeaderLen:
			h := b.header(req)
			if v := b.reply(req, h.Append(nil)); v != VerdictShort {
				b.t.Fatalf("reply to a bare request: %v", v)
			}
		default:
			b.reply(req, b.authentic(req, b.header(req)))
		}
	}
}

// TestClosedPath: where only bare requests get replies that is found out and
// said once; no time is taken from them.
func TestClosedPath(t *testing.T) {
	b := newBench(t, Config{NTS: true, AEADs: []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV}})
	b.through(100, 0, 60)
	f := b.a.Auth().Path
	if !f.Closed || f.Longest != wire.HeaderLen || !b.a.Dead() || !b.a.PathClosed() {
		t.Errorf("%+v, dead: %v; want a closed path", f, b.a.Dead())
	}
	if b.a.Sampled() || b.a.Reach() != 0 || b.a.Last().Valid {
		t.Error("a reply without NTS told the time")
	}
	if n := b.notices(event.NoticePathShort); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
	if n := last[event.Notice](b); n.Kind == event.NoticePathShort && n.Text != "requests longer than 48 bytes get no reply" {
		t.Errorf("notice %q", n.Text)
	}
	// The shorter algorithm is asked for first from then on.
	if ke := last[event.StartKE](b); ke.AEADs[0] != siv.AES128GCMSIV || len(ke.AEADs) != 2 {
		t.Errorf("algorithms offered: %v", ke.AEADs)
	}
	if !slices.Equal(b.a.cfg.AEADs, []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV}) {
		t.Errorf("the configuration was changed: %v", b.a.cfg.AEADs)
	}
	b.through(1000, 6, 200)
	if f := b.a.Auth().Path; f.Found() || b.a.Reach() == 0 || b.notices(event.NoticePathOpen) != 1 {
		t.Errorf("when the path is open again: %+v, reach %o", f, b.a.Reach())
	}
}

// TestShorterKeysOpenThePath: a path that has room for the shorter cookies only
// is used with them.
func TestShorterKeysOpenThePath(t *testing.T) {
	b := newBench(t, Config{NTS: true, AEADs: []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV}})
	b.through(1000, 0, 1)
	long := len(b.sent[0].Data)
	b = newBench(t, Config{NTS: true, AEADs: []siv.Algorithm{siv.AESSIVCMAC256, siv.AES128GCMSIV}})
	b.through(long-1, 0, 80)
	if auth := b.a.Auth(); auth.AEAD != siv.AES128GCMSIV || b.a.Reach() != 0xff || auth.Path.Closed {
		t.Errorf("%v, reach %o, %+v; want short cookies that get through", auth.AEAD, b.a.Reach(), auth.Path)
	}
}

// TestLongRequestsVanish: requests become short, and cookies last.
func TestLongRequestsVanish(t *testing.T) {
	b := newBench(t, Config{NTS: true, MaxPoll: 6})
	b.through(1000, 0, 1)
	cut := len(b.sent[0].Data) + 4
	b.through(cut, 4, 200)
	auth := b.a.Auth()
	if !auth.Path.Found() || auth.Path.Closed || auth.Path.Longest != len(b.sent[0].Data) || auth.MaxPlaceholders != 0 {
		t.Fatalf("%+v, %d placeholders", auth.Path, auth.MaxPlaceholders)
	}
	kes, sent, long := auth.KERuns, len(b.sent), 0
	b.through(cut, 0, 330)
	for _, s := range b.sent[sent:] {
		if len(s.Data) > cut {
			long++
		}
	}
	if long > 10 || b.a.Auth().KERuns > kes+1 || b.notices(event.NoticePathShort) != 1 {
		t.Errorf("%d of 330 requests were too long, %d new keys, %d notices; want one in 33, 1 at most, and 1",
			long, b.a.Auth().KERuns-kes, b.notices(event.NoticePathShort))
	}
	b.through(1000, 5, 300) // without loss nothing long is asked for
	if auth := b.a.Auth(); auth.Path.Found() || auth.Cookies < 7 || auth.MaxPlaceholders != 7 {
		t.Errorf("without the middlebox: %+v", auth)
	}
}

// TestRefusedIsNotLost: what the network refuses says nothing about lengths.
func TestRefusedIsNotLost(t *testing.T) {
	b := newBench(t, Config{NTS: true})
	b.ke()
	for range 12 {
		req := b.poll()
		if len(req.Data) == wire.HeaderLen {
			t.Fatal("a bare request though nothing was lost")
		}
		b.a.HandleSendFailed(event.SendFailed{Source: req.Source, Request: req.Request, Reason: "no route", Unsent: true})
		b.pass(time.Second)
	}
}
