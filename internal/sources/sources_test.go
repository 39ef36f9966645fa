package sources

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/upstream"
)

func newSet(cfgs ...upstream.Source) *Set {
	env := &assoc.Env{Rand: rand.NewChaCha8([32]byte{1})}
	return New(cfgs, env, func(string) bool { return false })
}

// ids are the identities of all associations.
func (set *Set) ids() (all []event.SourceID) {
	for _, m := range set.Members() {
		all = append(all, m.Assoc.ID())
	}
	return all
}

func count[A event.Action](out []event.Action) (n int) {
	for _, a := range out {
		if _, ok := a.(A); ok {
			n++
		}
	}
	return n
}

// A name is asked for, its addresses are used: one of a server's, several of a
// pool's, and none that another source has.
func TestMaintain(t *testing.T) {
	now := clock.Reading{Mono: 1e9}
	set := newSet(
		upstream.Source{Name: "a.test"}, upstream.Source{Kind: upstream.Pool, Name: "pool.test", MaxSources: 3},
		upstream.Source{Name: "192.0.2.1"}, upstream.Source{Kind: upstream.RefClock, Name: "GPS"},
	)
	out := set.Maintain(now, true, nil)
	if n := count[event.Resolve](out); n != 2 || len(set.ids()) != 2 || !set.Awaited(set.All[0]) || !set.Changed {
		t.Fatalf("at first: %d names asked for, associations %v", n, set.ids())
	}
	if why := set.Lacks(set.All[0]); why != "name not resolved yet" {
		t.Errorf("what it lacks: %q", why)
	}
	addrs := make([]netip.Addr, 5)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)})
	}
	for _, name := range []string{"a.test", "pool.test"} {
		out = set.HandleResolved(now, event.Resolved{Name: name, Addrs: addrs}, nil)
		out = set.Maintain(now, true, out)
	}
	if a, p := set.All[0], set.All[1]; len(a.Members) != 1 || len(p.Members) != 3 || a.Member(addrs[0]) != nil || p.Member(addrs[0]) != nil {
		t.Errorf("the server has %d associations, the pool %d; want 1 and 3, and none with the address of another source", len(a.Members), len(p.Members))
	}
	for i, m := range set.All[1].Members {
		if got, want := m.Assoc.Addr(), addrs[2+i]; got != want {
			t.Errorf("association %d of the pool is with %v, want %v", i, got, want)
		}
	}
	if n := count[event.Notice](out); n != 3 { // resolved, and two addresses that others have
		t.Errorf("%d notices: %+v", n, out)
	}
	if m := set.Find(set.ids()[0]); m == nil || m.Source != set.All[0] || set.Find(99) != nil {
		t.Error("an association is not found, or one that is not there is")
	}
}

// TestOrder: the associations stand in the order of the configuration, also after a
// reload that brings no new one.
func TestOrder(t *testing.T) {
	a, b := upstream.Source{Name: "192.0.2.1"}, upstream.Source{Name: "192.0.2.2"}
	set := newSet(a, b)
	set.Maintain(clock.Reading{Mono: 1e9}, true, nil)
	before := set.ids()
	set.Changed = false
	set.HandleConfig([]upstream.Source{b, a}, nil)
	if after := set.ids(); len(after) != 2 || after[0] != before[1] || after[1] != before[0] || !set.Changed {
		t.Errorf("associations %v, before %v; changed %t", after, before, set.Changed)
	}
}

// TestOtherFamily: of the other family's addresses the first that has not failed
// takes the place, or the first of all; a source that rests stays as it is.
func TestOtherFamily(t *testing.T) {
	now := clock.Reading{Mono: 1e9}
	six, bad, good := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for name, c := range map[string]struct {
		addrs   []netip.Addr
		offline bool
		want    netip.Addr
	}{
		"one that has not failed": {[]netip.Addr{six, bad, good}, false, good},
		"the one there is":        {[]netip.Addr{six, bad}, false, bad},
		"none":                    {[]netip.Addr{six}, false, six},
		"a source that rests":     {[]netip.Addr{six, good}, true, six},
	} {
		set := newSet(upstream.Source{Name: "a.test"})
		set.Maintain(now, true, nil)
		set.HandleResolved(now, event.Resolved{Name: "a.test", Addrs: c.addrs}, nil)
		set.Maintain(now, true, nil)
		s := set.All[0]
		s.addrs.Fail(now.Mono, bad)
		s.Offline = c.offline
		_, moved := set.OtherFamily(now, s.Members[0], nil)
		if got := s.Members[0].Assoc.SourceAddr(); got != c.want || moved != (c.want != six) {
			t.Errorf("%s: asked at %v, moved: %v; want %v", name, got, moved, c.want)
		}
	}
}

// A reload keeps what did not change, and the keys that a source may still use.
func TestHandleConfig(t *testing.T) {
	now := clock.Reading{Mono: 1e9}
	aeads := []siv.Algorithm{siv.AESSIVCMAC256}
	nts1 := upstream.Source{Name: "192.0.2.1", NTS: true, AEADs: aeads}
	plain := upstream.Source{Name: "192.0.2.2"}
	pool := upstream.Source{Kind: upstream.Pool, Name: "pool.test", MaxSources: 3}
	set := newSet(nts1, plain, pool)
	set.Maintain(now, true, nil)
	set.HandleResolved(now, event.Resolved{Name: "pool.test", Addrs: []netip.Addr{
		netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("192.0.2.5"),
	}}, nil)
	set.Maintain(now, true, nil)
	before := set.ids()
	session := nts.Session{KEName: "192.0.2.1", KEAddr: netip.MustParseAddr("192.0.2.1"), KEPort: 4460, AEAD: aeads[0], Cookies: [][]byte{{1}}}
	set.Memory.Park(session)

	pool.MaxSources = 2
	nts1.NoVal = true // trusts something else now
	set.HandleConfig([]upstream.Source{pool, nts1}, nil)
	if len(set.All) != 2 || len(set.All[0].Members) != 2 || set.All[0].Members[0].Assoc.ID() != before[2] {
		t.Errorf("associations %v, were %v: want the first two of the pool's kept", set.ids(), before)
	}
	if len(set.All[1].Members) != 0 || set.Memory.Has(set.All[1].Keys(), session.KEAddr) {
		t.Error("keys of a server that is trusted for other reasons now are kept")
	}
	set.Memory.Park(session)
	out := set.HandleConfig([]upstream.Source{nts1, pool}, nil)
	if !set.Memory.Has(set.All[0].Keys(), session.KEAddr) || count[event.DropSession](out) != 0 {
		t.Error("keys of a source that did not change are dropped")
	}
	if out = set.HandleConfig(nil, nil); len(set.ids()) != 0 || count[event.DropSession](out) != 1 {
		t.Errorf("without sources: associations %v, %+v", set.ids(), out)
	}
}
