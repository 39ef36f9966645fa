package engine

import (
	"testing"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/mac"
	"ntsd/internal/selection"
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
	var all []Source
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
	cfg := sources(all...)
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
	cfg := sources(src)
	w.start(cfg)
	w.run(time.Minute)
	id := w.source(0).ID
	same := src
	same.Key = symmetricKey()
	w.perform(w.eng.HandleConfig(w.now, sources(same), nil))
	w.run(time.Second)
	if got := w.source(0).ID; got != id {
		t.Errorf("the association was made anew: %d, before %d", got, id)
	}
	other := symmetricKey()
	other.Value = []byte("fedcba9876543210")
	srv.key, same.Key = other, other
	w.perform(w.eng.HandleConfig(w.now, sources(same), nil))
	w.run(time.Minute)
	if got := w.source(0); got.Reach == 0 || got.ID == id {
		t.Errorf("under the new key: got %+v", got)
	}
}
