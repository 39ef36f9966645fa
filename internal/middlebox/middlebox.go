// Package middlebox finds out whether a network drops long NTP packets: there
// are firewalls that let a request of 48 bytes pass and nothing longer, or drop
// what is longer than some length. It is layer 2, free of I/O, and knows one
// path: that of one association with one server.
//
// That long requests get lost and short ones do not says little by itself. A
// client of NTS asks for a new cookie for each lost reply, so loss makes
// requests long, and any outage looks like a loss of long requests. So a
// suspicion begins a trial, in which a coin decides the length of each request.
// If loss had nothing to do with the length, then nobody could win money by
// betting on the length of a request whose fate is known: a capital of 1 that
// is staked so exceeds C with a probability of at most 1/C, however the losses
// come (Ville's inequality). A capital beyond all doubt is the finding.
//
// Non-goals: what is in a request (package nts), which replies count (assoc),
// and other servers to ask (sources).
package middlebox

import (
	"math/bits"
	"strconv"
)

// Implementation constants.
const (
	// suspicious is how many requests in a row are lost when a trial begins.
	suspicious = 3
	// rest is how many further requests must be lost before a trial of which
	// nothing came is repeated, where nothing is answered at all.
	rest = 16
	// deadBase is how many short requests in a row are lost when they cannot be
	// what long ones are compared with.
	deadBase = 2
	// longest is the most requests that a trial takes.
	longest = 96

	// beyond and perTrial are logarithms of the capital that ends a trial, in
	// hundredths: e^4 is 55, and each doubling of the number of trials takes four
	// times as much: the sum of 1/C over all trials is 1/110. In all its life an
	// association so believes in a middlebox that does not exist with a
	// probability of less than 1 %.
	beyond   = 400
	perTrial = 139
	// most doublings count.
	mostTrials = 10
	// ruin ends a trial without a finding.
	ruin = -300

	// nearGood replies allow one placeholder more while that makes a request
	// shorter than what got lost, farGood ones beyond; forget ends a finding that
	// has turned out to be too strict.
	nearGood = 8
	farGood  = 32
	forget   = 128
)

// kind says what a trial compares.
type kind uint8

const (
	none kind = iota
	// bulky compares requests that ask for several cookies with those that ask
	// for one.
	bulky
	// closed compares the shortest authenticated request with a bare header.
	closed
)

// odds are those of the coin, and what becomes of the capital when a part of it
// is staked on "lost" meaning long and "answered" meaning short. The lengths'
// chances are known, so the bet is fair: the mean of the capital stays.
type odds struct {
	short int // chance of a short request, of 256
	// Logarithms of the capital's growth, in hundredths, rounded down.
	lostLong, answeredShort int
	wrong                   int
}

// odds returns those of a kind. A long request may cost a cookie that is not
// replaced, so few are long where short ones work. Half of the capital is
// staked: more would be ruined by what gets lost beside.
func (k kind) odds() odds {
	if k == bulky {
		return odds{short: 192, lostLong: 91, answeredShort: 15, wrong: -70}
	}
	return odds{short: 128, lostLong: 40, answeredShort: 40, wrong: -70}
}

// Finding is what a path does to long requests. The zero value: nothing that we
// know of.
type Finding struct {
	Longest int `json:"longest_answered"` // the longest request that gets replies, in bytes; 0: no finding
	Lost    int `json:"shortest_lost"`    // the shortest that got none
	// Closed says that not even the shortest authenticated request gets a reply.
	Closed bool `json:"closed"`
}

// Found reports whether there is a finding.
func (f Finding) Found() bool { return f.Longest > 0 }

// String says it in words; empty: there is none.
func (f Finding) String() string {
	if !f.Found() {
		return ""
	}
	return "requests longer than " + strconv.Itoa(f.Longest) + " bytes get no reply"
}

// Sentence says it, and what is done about it while requests carry so many
// placeholders at most.
func (f Finding) Sentence(placeholders int) string {
	text := f.String() + ", for something on the way drops them: "
	if f.Closed {
		return text + "the shortest with NTS has " + strconv.Itoa(f.Lost)
	}
	return text + "at most " + strconv.Itoa(placeholders) + " of 7 spare cookies are asked for at once"
}

// Want is what the next request is to be.
type Want struct {
	Placeholders int  // that the cookie jar has room for
	Step         int  // bytes that each of them adds
	Last         bool // it spends the last cookie
	// Fresh: no reply has come under its keys yet, and they are from a key
	// establishment. A server may be silent because it lost the keys of others.
	Fresh bool
	Coin  byte // unpredictable, while the path is Undecided
}

// Choice is what it should be instead.
type Choice struct {
	Placeholders int
	Bare         bool // no more than a header, which spends no cookie
}

// Path is what is known of the path to a server. The zero value is a new path.
// It is not safe for concurrent use.
type Path struct {
	ever   bool // a request with a cookie was answered
	lost   int  // requests in a row without an answer
	base   int  // of them, with a cookie and no placeholders
	wait   int  // lost must reach it before the next trial
	trials int
	trial  trial

	finding Finding
	spare   int // placeholders that may be asked for, while there is a finding
	good    int // replies since that changed, or such a request was lost
	grown   bool

	sent sent
}

// trial is one that is going on; the zero value is none.
type trial struct {
	kind     kind
	requests int
	capital  int  // its logarithm, in hundredths
	passed   int  // the longest answered, in bytes
	shortest int  // long request that was lost
	reached  int  // placeholders that pass: nothing is long up to there
	again    bool // the latest long request was answered
}

// sent is the latest request.
type sent struct {
	open         bool // its fate is not known
	staked       bool
	long         bool
	bare         bool
	length       int
	placeholders int
}

// Undecided reports whether Next needs a coin.
func (p *Path) Undecided() bool { return p.trial.kind != none || p.lost >= suspicious }

// Next chooses the next request.
func (p *Path) Next(w Want) Choice {
	p.begin(w)
	c := Choice{Placeholders: min(w.Placeholders, p.allowed(w.Step))}
	p.sent = sent{open: true}
	o := p.trial.kind.odds()
	short := int(w.Coin) < o.short
	switch p.trial.kind {
	case none:
		return p.choose(c)
	case closed:
		if !w.Fresh {
			return p.choose(c)
		}
		c = Choice{Bare: short}
	case bulky:
		if w.Last { // it is too good for an experiment
			return p.choose(Choice{})
		}
		if c.Placeholders <= p.trial.reached {
			return p.choose(c)
		}
		if short {
			c.Placeholders = 0
		}
	}
	p.sent.staked, p.sent.long = true, !short
	return p.choose(c)
}

func (p *Path) choose(c Choice) Choice {
	p.sent.placeholders, p.sent.bare = c.Placeholders, c.Bare
	return c
}

// begin starts a trial if one is called for.
func (p *Path) begin(w Want) {
	if p.finding.Found() || p.lost < max(suspicious, p.wait) && p.trial.kind == none {
		return
	}
	k := bulky
	if !p.ever || p.base >= deadBase {
		k = closed
	}
	switch {
	case p.trial.kind == k, k == closed && !w.Fresh, k == bulky && w.Placeholders == 0:
		return
	}
	p.trial = trial{kind: k}
	p.trials++
}

// Sent tells the length of the request that Next chose.
func (p *Path) Sent(length int) { p.sent.length = length }

// Answered notes that something came back for the latest request.
func (p *Path) Answered() {
	s := &p.sent
	if !s.open {
		return
	}
	s.open = false
	p.lost, p.base, p.wait = 0, 0, 0
	p.ever = p.ever || !s.bare
	p.bet(s.staked && !s.long, s.staked && s.long)
	if p.trial.kind == closed && !s.bare {
		p.trial = trial{}
	}
	if p.finding.Found() && !s.bare {
		p.relax()
	}
}

// Lost notes that nothing came back for it. That the network refused it is not
// that: then nothing is noted.
func (p *Path) Lost() {
	s := &p.sent
	if !s.open {
		return
	}
	s.open = false
	p.lost++
	if !s.bare && s.placeholders == 0 {
		p.base++
	}
	p.bet(s.staked && s.long, s.staked && !s.long)
	if p.finding.Found() && s.placeholders > 0 {
		p.good = 0
	}
}

// bet moves the capital of the trial after the latest request.
func (p *Path) bet(won, lost bool) {
	t, s := &p.trial, &p.sent
	if t.kind == none || !won && !lost {
		return
	}
	o := t.kind.odds()
	t.requests++
	switch {
	case lost:
		t.capital += o.wrong
		if s.long && t.again { // twice in a row is no luck any more
			t.reached, t.shortest = max(t.reached, s.placeholders), 0
			t.passed = max(t.passed, s.length)
		}
	case s.long:
		t.capital += o.lostLong
		if t.shortest == 0 || s.length < t.shortest {
			t.shortest = s.length
		}
	default:
		t.capital += o.answeredShort
		t.passed = max(t.passed, s.length)
	}
	if s.long {
		t.again = lost
	}
	limit := beyond + perTrial*min(bits.Len(uint(p.trials)), mostTrials)
	switch {
	case t.capital >= limit && t.passed > 0 && t.shortest > 0:
		p.finding = Finding{Longest: t.passed, Lost: t.shortest, Closed: t.kind == closed}
		p.spare, p.good, p.grown = t.reached, 0, false
		p.trial = trial{}
	case t.capital <= ruin, t.requests >= longest:
		p.wait = p.lost + rest
		p.trial = trial{}
	}
}

// relax notes a reply while there is a finding: one to a request as long as
// those that got lost refutes it. It is also given up when something longer than
// at first got through and nothing has been lost since.
func (p *Path) relax() {
	s, f := &p.sent, &p.finding
	p.good++
	switch {
	case s.length >= f.Lost, p.grown && p.good >= forget:
		*f, p.grown = Finding{}, false
	case s.length > f.Longest:
		f.Longest, f.Closed = s.length, false
		p.spare, p.good, p.grown = max(p.spare, s.placeholders), 0, true
	}
}

// allowed is how many placeholders a request may carry now, if each adds step
// bytes.
func (p *Path) allowed(step int) int {
	enough := farGood
	if p.finding.Longest+step < p.finding.Lost {
		enough = nearGood
	}
	switch {
	case !p.finding.Found():
		return unlimited
	case p.good >= enough:
		return p.spare + 1
	}
	return p.spare
}

// unlimited is more placeholders than there ever are.
const unlimited = 255

// Spare is how many placeholders requests may carry, apart from a try now and
// then; limited is false where the path limits nothing.
func (p *Path) Spare() (n int, limited bool) { return p.spare, p.finding.Found() }

// Finding returns what the path does.
func (p *Path) Finding() Finding { return p.finding }

// Follow takes over a trial that is going on with another address of the same
// server, of which nothing came yet: whatever is in the way may be near us.
func (p *Path) Follow(o *Path) {
	if o.finding.Found() || o.ever {
		return
	}
	*p = Path{lost: o.lost, wait: o.wait, trials: o.trials, trial: o.trial}
}
