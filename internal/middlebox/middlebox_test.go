package middlebox

import (
	"math/rand/v2"
	"testing"
)

// Lengths of requests under AES-SIV-CMAC-256 with chrony's cookies.
const (
	bare = 48
	base = 228
	step = 104
	jar  = 8
)

// client is a cookie jar with a path: what package assoc does, without the
// protocol.
type client struct {
	path     Path
	rng      *rand.Rand
	cookies  int
	proven   bool
	requests int
	long     int // those with placeholders
	bares    int
	keys     int
}

// poll sends one request; passes decides its fate by its length.
func (c *client) poll(passes func(length int) bool) {
	if c.cookies == 0 {
		c.cookies, c.proven = jar, false
		c.keys++
	}
	choice := c.path.Next(Want{
		Placeholders: jar - c.cookies, Step: step, Last: c.cookies == 1, Fresh: !c.proven, Coin: byte(c.rng.Uint32()),
	})
	c.requests++
	length := bare
	if !choice.Bare {
		c.cookies--
		length = base + step*choice.Placeholders
	} else {
		c.bares++
	}
	if choice.Placeholders > 0 {
		c.long++
	}
	c.path.Sent(length)
	if !passes(length) {
		c.path.Lost()
		return
	}
	c.path.Answered()
	if !choice.Bare {
		c.proven = true
		c.cookies = min(jar, c.cookies+1+choice.Placeholders)
	}
}

// losses returns a law of loss that does not look at lengths: independent,
// in runs, in outages of hours, or all the time.
func losses(rng *rand.Rand) func(int) bool {
	share := rng.Float64()
	switch rng.IntN(4) {
	case 0:
		return func(int) bool { return rng.Float64() >= share }
	case 1: // good and bad spells
		bad, spell := false, 1+30*rng.Float64()
		return func(int) bool {
			if rng.Float64() < 1/spell {
				bad = !bad
			}
			return !bad || rng.Float64() < 0.1
		}
	case 2: // rare long outages
		left := 0
		return func(int) bool {
			if left--; left < -200 && rng.Float64() < 0.01 {
				left = rng.IntN(100)
			}
			return left < 0
		}
	}
	return func(int) bool { return rng.Float64() < 0.05*share }
}

// TestNoFalseAlarm: where loss does not go by length nothing is found.
func TestNoFalseAlarm(t *testing.T) {
	const worlds, requests = 1000, 3000
	found, trials := 0, 0
	for seed := range uint64(worlds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := client{rng: rng, cookies: jar}
		passes := losses(rng)
		for range requests {
			c.poll(passes)
			if c.path.Finding().Found() {
				t.Logf("seed %d: %+v after %d requests", seed, c.path.Finding(), c.requests)
				found++
				break
			}
		}
		trials += c.path.trials
	}
	t.Logf("%d findings in %d trials of %d worlds", found, trials, worlds)
	if found > worlds/100 {
		t.Errorf("%d of %d worlds without a middlebox have a finding, want 1%% at most", found, worlds)
	}
	if trials < worlds {
		t.Errorf("only %d trials: this test could not fail", trials)
	}
}

// TestRecognised: a cut is found, and at the right length, within so many
// requests that are longer than it, whatever else gets lost.
func TestRecognised(t *testing.T) {
	const worlds, within = 1000, 32
	missed, wrong, lost, requests, keys := 0, 0, 0, 0, 0
	for seed := range uint64(worlds) {
		rng := rand.New(rand.NewPCG(seed, 2))
		c := client{rng: rng, cookies: jar}
		cut, share := bare+rng.IntN(base+step-bare), 0.3*rng.Float64()
		if cut >= base {
			share = max(share, 0.02) // without loss no request is long
		}
		n, first := 0, 0
		for n <= within && c.requests < 10000 && !c.path.Finding().Found() {
			c.poll(func(length int) bool {
				if length > cut {
					if n++; n == 1 {
						first = c.requests
					}
				}
				return length <= cut && rng.Float64() >= share
			})
		}
		f := c.path.Finding()
		switch {
		case !f.Found():
			missed++
			t.Logf("seed %d: cut %d, loss %.2f: not after %d requests", seed, cut, share, c.requests)
		case f.Longest > cut || f.Lost <= cut || f.Closed != (cut < base):
			wrong++
			t.Logf("seed %d: cut %d, loss %.2f: %+v", seed, cut, share, f)
		default:
			lost, requests, keys = lost+n, requests+c.requests-first, keys+c.keys
		}
	}
	t.Logf("%d missed, %d wrong; in the mean %.1f long requests of %.1f since the first, %.1f key establishments",
		missed, wrong, float64(lost)/worlds, float64(requests)/worlds, float64(keys)/worlds)
	if missed > worlds/20 || wrong > worlds/100 {
		t.Errorf("%d of %d cuts missed, %d at the wrong length; want 5%% and 1%% at most", missed, worlds, wrong)
	}
}

// TestSoftCut: three of four long packets get lost, as somebody's provider had
// it.
func TestSoftCut(t *testing.T) {
	const worlds = 200
	missed := 0
	for seed := range uint64(worlds) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := client{rng: rng, cookies: jar}
		for c.requests < 2000 && !c.path.Finding().Found() {
			c.poll(func(length int) bool {
				return rng.Float64() >= 0.05 && (length <= base || rng.Float64() < 0.25)
			})
		}
		if !c.path.Finding().Found() {
			missed++
		}
	}
	if missed > worlds/20 {
		t.Errorf("%d of %d soft cuts missed", missed, worlds)
	}
}

// found returns a client that knows of a cut.
func found(t *testing.T, cut int) *client {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, uint64(cut)))
	t.Logf("seed 7, %d", cut)
	c := &client{rng: rng, cookies: jar}
	for c.requests < 3000 && !c.path.Finding().Found() {
		c.poll(func(length int) bool { return length <= cut && rng.Float64() >= 0.2 })
	}
	if !c.path.Finding().Found() {
		t.Fatalf("no finding after %d requests", c.requests)
	}
	return c
}

// TestGrowsAndEnds: after the finding requests become as long as they can be;
// once the middlebox is gone so is the finding, and the jar is full.
func TestGrowsAndEnds(t *testing.T) {
	const cut = base + step + 10
	c := found(t, cut)
	for range 100 {
		c.poll(func(length int) bool { return length <= cut })
	}
	n, limited := c.path.Spare()
	if f := c.path.Finding(); !limited || n != 1 || f.Longest > cut || f.Lost <= cut {
		t.Errorf("%d placeholders (limited: %v), %+v; want 1 under a cut at %d", n, limited, f, cut)
	}
	c.cookies = 1 // else nothing long is asked for
	for range 300 {
		c.poll(func(int) bool { return true })
	}
	if f := c.path.Finding(); f.Found() || c.cookies != jar {
		t.Errorf("%+v, %d cookies; want no finding and a full jar", f, c.cookies)
	}
}

// TestClosedEnds: the first authenticated reply refutes that none comes.
func TestClosedEnds(t *testing.T) {
	c := found(t, 100)
	if f := c.path.Finding(); !f.Closed || f.Longest != bare || f.Lost != base || c.bares == 0 {
		t.Fatalf("%+v", f)
	}
	before := c.bares
	for range 20 {
		c.poll(func(length int) bool { return length <= 100 })
	}
	if c.bares != before || !c.path.Finding().Closed {
		t.Errorf("bare requests after the finding: %d; %+v", c.bares-before, c.path.Finding())
	}
	c.poll(func(int) bool { return true })
	if f := c.path.Finding(); f.Found() {
		t.Errorf("%+v after an authenticated reply", f)
	}
}

// TestSilentServer: a server that is dead, or lost the keys of our cookies, is
// not taken for a middlebox, and little is spent on the question.
func TestSilentServer(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 0))
	t.Log("seed 9")
	c := client{rng: rng, cookies: jar}
	for range 400 {
		c.poll(func(int) bool { return false })
	}
	if c.path.Finding().Found() || c.bares > 120 {
		t.Errorf("%+v, %d bare requests of %d", c.path.Finding(), c.bares, c.requests)
	}
	c = client{rng: rng, cookies: jar}
	c.poll(func(int) bool { return true })
	for c.keys == 0 && c.requests < 100 {
		c.poll(func(length int) bool { return length == bare })
	}
	if c.bares > 0 {
		t.Errorf("%d bare requests though a reply came under these keys", c.bares)
	}
}

// TestFollow: a trial goes on with the next address, a finding does not.
func TestFollow(t *testing.T) {
	var p, next Path
	p.lost, p.trials, p.trial = 4, 1, trial{kind: closed, capital: 100, requests: 2}
	if next.Follow(&p); next.trial != p.trial || next.lost != 4 {
		t.Errorf("the trial does not go on: %+v", next)
	}
	p.finding = Finding{Longest: bare, Lost: base, Closed: true}
	next = Path{}
	if next.Follow(&p); next != (Path{}) {
		t.Errorf("a finding about one path is taken for one about another: %+v", next)
	}
}

// TestOneOutcome: an outcome counts once, and a refused request has none.
func TestOneOutcome(t *testing.T) {
	var p Path
	p.Next(Want{})
	p.Sent(base)
	p.Lost()
	p.Answered()
	p.Lost()
	if p.lost != 1 || p.ever {
		t.Errorf("%+v", p)
	}
	p.Next(Want{}) // refused: nothing is noted
	p.Next(Want{})
	p.Answered()
	if p.lost != 0 || !p.ever {
		t.Errorf("%+v", p)
	}
}
