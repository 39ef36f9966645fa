package engine

import (
	"slices"
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/selection"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

func symmetricKey() *mac.Secret {
	return &mac.Secret{ID: 5, Type: mac.AES128, Value: []byte("0123456789abcdef")}
}

// TestSymmetricKeysDoNotVote: where NTS servers are configured by name, those
// with symmetric keys have no say in the first time; afterwards they count as
// authenticated, and are not waited for like keys on trial.
func TestSymmetricKeysDoNotVote(t *testing.T) {
	w, servers, cfg := climbers(t, 34)
	for i, name := range []string{"k.test", "l.test", "m.test", "n.test"} {
		w.serve(name, addr(11+i), server{key: symmetricKey(), offset: time.Hour})
		s := plainSource(name)
		s.Key = symmetricKey()
		cfg.Sources = append(cfg.Sources, s)
	}
	for _, s := range servers {
		s.dead = true
	}
	w.start(cfg)
	w.run(5 * time.Minute)
	if s := w.eng.Snapshot(w.now); s.Tracking.Synchronised || s.Bootstrap.Phase != bootstrap.PhaseSearching {
		t.Fatalf("synchronised %t, %v, by symmetric keys alone", s.Tracking.Synchronised, s.Bootstrap.Phase)
	}
	for _, s := range servers {
		s.dead = false
	}
	for _, s := range w.servers {
		s.offset = 0
	}
	w.run(10 * time.Minute)
	s := w.eng.Snapshot(w.now)
	if !s.Tracking.Synchronised || s.Bootstrap.Phase != bootstrap.PhaseDone {
		t.Fatalf("synchronised %t, %v, waits for %q", s.Tracking.Synchronised, s.Bootstrap.Phase, s.Bootstrap.Waiting)
	}
	for _, src := range s.Sources[3:] {
		if !src.Auth.Symmetric || src.State == selection.StateNotReady || src.State == selection.StateUnreachable {
			t.Errorf("%s: got %v, %+v", src.Name, src.State, src.Auth)
		}
	}
}

// TestSymmetricKeysAreAuthenticated: authselectmode counts them like NTS, plain
// liars do not outvote them, and a wrong key gives no time.
func TestSymmetricKeysAreAuthenticated(t *testing.T) {
	w := newWorld(t, 35, 0)
	var all []upstream.Source
	for i, name := range []string{"k.test", "wrong.test", "a.test", "b.test", "c.test"} {
		srv, src := server{offset: time.Second}, plainSource(name)
		if i < 2 {
			srv = server{key: symmetricKey()}
			src.Key = symmetricKey()
		}
		if i == 1 {
			src.Key.Type = mac.SHA1
		}
		w.serve(name, addr(i+1), srv)
		all = append(all, src)
	}
	cfg := with(all...)
	cfg.Selection.AuthMode = selection.AuthMix
	w.start(cfg)
	w.run(5 * time.Minute)
	s := w.eng.Snapshot(w.now)
	if !s.Tracking.Synchronised || !s.Tracking.Authenticated || s.Tracking.ReferenceName != "k.test" || w.wrong().Abs() > 50*time.Millisecond {
		t.Errorf("got %+v, wrong by %v; want k.test", s.Tracking, w.wrong())
	}
	if src := w.source(1); src.Reach != 0 || src.Auth.KeyType != mac.SHA1 {
		t.Errorf("under the wrong key: got %+v", src)
	}
}

// TestReloadedKey: a key that has changed is used at once; one that is as it was
// costs nothing.
func TestReloadedKey(t *testing.T) {
	w := newWorld(t, 36, 0)
	srv := w.serve("k.test", addr(1), server{key: symmetricKey()})
	src := plainSource("k.test")
	src.Key = symmetricKey()
	cfg := with(src)
	w.start(cfg)
	w.run(time.Minute)
	id := w.source(0).ID
	same := src
	same.Key = symmetricKey()
	w.perform(w.eng.HandleConfig(w.now, with(same), nil))
	w.run(time.Second)
	if got := w.source(0).ID; got != id {
		t.Errorf("the association was made anew: %d, before %d", got, id)
	}
	other := symmetricKey()
	other.Value = []byte("fedcba9876543210")
	srv.key, same.Key = other, other
	w.perform(w.eng.HandleConfig(w.now, with(same), nil))
	w.run(time.Minute)
	if got := w.source(0); got.Reach == 0 || got.ID == id {
		t.Errorf("under the new key: got %+v", got)
	}
}

// TestPeersGoFirst: a peer is told the time, so its packet is alone in its batch,
// and what else is due follows at once.
func TestPeersGoFirst(t *testing.T) {
	w := newWorld(t, 37, 0)
	w.serve("a.test", addr(1), server{})
	peer := upstream.Source{Kind: upstream.Peer, Name: addr(2), LocalPort: 123, MinPoll: 6, MaxPoll: 6}
	w.eng = New(with(plainSource("a.test"), peer), w, w.now)
	w.perform(w.eng.HandleStart(w.now, nil, nil, nil))
	w.run(time.Minute)
	w.now.Mono = max(w.source(0).LastRx, w.now.Mono).Add(time.Hour) // both are due
	w.now.Wall = w.now.Wall.Add(time.Hour)
	var kinds []uint16
	for range 2 {
		for _, a := range w.eng.HandleTimer(w.now, nil) {
			if s, ok := a.(event.Send); ok {
				kinds = append(kinds, s.LocalPort)
				h, err := wire.ParseHeader(s.Data)
				if peer := h.Mode == wire.ModeSymmetricActive; err != nil || peer != (s.LocalPort == 123) {
					t.Errorf("got %+v", h)
				}
			}
		}
		if w.eng.NextDeadline() > w.now.Mono && len(kinds) < 2 {
			t.Fatalf("got %v, and nothing is due", kinds)
		}
	}
	if !slices.Equal(kinds, []uint16{123, 0}) {
		t.Errorf("got %v, want the peer's packet first and alone", kinds)
	}
}

// TestPeerTellsTheClock: a packet to a peer says what a reply to a client would.
func TestPeerTellsTheClock(t *testing.T) {
	w := newWorld(t, 38, 0)
	w.serve("a.test", addr(1), server{})
	w.start(with(plainSource("a.test")))
	h := w.eng.self(w.now)
	if h.Leap != wire.LeapUnknown || h.Stratum != 0 || h.ReferenceID != (wire.ReferenceID{}) {
		t.Errorf("before there is a time: got %+v", h)
	}
	w.run(5 * time.Minute)
	h, sys := w.eng.self(w.now), w.eng.System(w.now)
	if h.Leap != wire.LeapNone || h.Stratum != 3 || h.ReferenceID != sys.ReferenceID || h.ReferenceTime.Wall(w.now.Wall) != sys.ReferenceTime ||
		h.RootDelay.Duration() < sys.RootDelay || h.RootDispersion.Duration() < sys.RootDispersion || h.Precision > -10 {
		t.Errorf("got %+v, want %+v", h, sys)
	}
}
