// Package assoc is one association with one server: when it is polled, what a
// request holds, which replies count, and the keys and cookies of Network Time
// Security behind them. It is layer 2 and sans-IO: events go in, actions come
// out, the filter inside collects the samples.
//
// Non-goals: choosing addresses and replacing dead ones (sources), judging servers
// against each other (selection), which exchange an interleaved request asks about
// (interleave), how long key establishment is left alone (backoff).
package assoc

import (
	"io"
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/filter"
	"ntsd/internal/interleave"
	"ntsd/internal/mac"
	"ntsd/internal/middlebox"
	"ntsd/internal/ntptime"
	"ntsd/internal/siv"
	"ntsd/internal/symmetric"
	"ntsd/internal/wire"
)

// Config is what an association is made from. It is never changed while a
// request is under way except by HandleConfig.
type Config struct {
	ID           event.SourceID
	Name         string     // as configured; with NTS the name to verify
	Addr         netip.Addr // of the server; with NTS of the key establishment server
	Port         uint16     // NTP port
	NTS          bool
	KEPort       uint16
	AEADs        []siv.Algorithm // in order of preference
	TrustedCerts []string
	NoVal        bool
	Key          *mac.Secret // symmetric key, which the caller has checked; nil: none. Without effect beside NTS

	MinPoll, MaxPoll ntptime.Exponent
	IBurst           bool
	XLeave           bool // interleaved mode, where the server has it
	Offline          bool // starts without polling
	// LocalPort makes the association a symmetric one, from that port; 0: it is
	// a client's. NTS, IBurst and XLeave have no effect then.
	LocalPort              uint16
	Interface              string
	MaxDelay, MinDelay     time.Duration
	Correction             clock.Offset // added to every measured offset
	MinSamples, MaxSamples int
	// MaxDelayRatio and MaxDelayDevRatio are the limits of chrony's tests B and
	// C, 0: none. Filter is how many polls make one sample, 0 or 1: each does.
	MaxDelayRatio, MaxDelayDevRatio float64
	Filter                          int
}

// Env is what all associations of one engine share. The engine owns it and
// sets Verify and Pivot before it hands an event on.
type Env struct {
	Rand   io.Reader    // unpredictable; a failure panics
	Verify event.Verify // for key establishments that start now
	Pivot  clock.Wall   // timestamps mean the time nearest to it
	Bounds Bounds       // of what an authenticated reply may say
	// Resolution is that of the local clock, 0 when it is too fine to matter.
	Resolution time.Duration
	// Self returns what our own packets say about the clock; only for symmetric
	// associations. Rate is the oscillator's correction, RateSD its deviation;
	// RateKnown says that a new association may rely on them.
	Self         func(clock.Reading) wire.Header
	Rate, RateSD clock.Rate
	RateKnown    bool
	// NTS is counted by the associations, those that have ended included.
	NTS NTSCounts
}

// Assoc is one association. It is not safe for concurrent use; make one with
// New. It keeps no slice of an event.
type Assoc struct {
	cfg    Config
	env    *Env
	filter *filter.Filter
	key    *mac.Key // nil: none

	to      netip.AddrPort // where requests go; no address while unknown
	ntpHost string         // the name whose address is awaited
	online  bool
	// reference: it is no server but a clock at this machine, which tells by itself.
	reference bool

	nextPoll clock.Mono
	closeAt  clock.Mono // the reply window of the request ends
	poll     ntptime.Exponent
	minPoll  ntptime.Exponent // raised by RATE
	denied   bool
	doubtful bool // the filter refused the last sample
	burst    burst
	settling settling

	request  request
	peer     symmetric.State  // of a symmetric association
	xleave   interleave.State // of a client's
	ahead    ahead
	batch    batch
	requests uint64
	reach    uint8
	missed   int    // polls in a row without a usable reply
	problem  string // with the last of them
	silent   bool   // the loss was announced
	kissed   wire.KissCode

	sampled  bool // ever
	trust    trust
	lastRx   clock.Mono
	last     Exchange
	sample   filter.Sample
	measured clock.Offset
	bound    time.Duration // of the sample's error, over all servers between

	keys     keys
	ke       establishment
	way      middlebox.Path
	wayTold  bool // people know of the finding
	shorter  bool // shorter packets were asked for because of it
	counters counters
}

// New returns an association that polls soon after now.
func New(cfg Config, env *Env, now clock.Reading) *Assoc {
	a := &Assoc{
		cfg: cfg, env: env, online: !cfg.Offline,
		nextPoll: clock.Never, closeAt: clock.Never,
		poll: cfg.MinPoll, minPoll: cfg.MinPoll,
	}
	samples := filter.Config{MinSamples: cfg.MinSamples, MaxSamples: cfg.MaxSamples, MinDelay: cfg.MinDelay}
	if env.RateKnown {
		samples.Rate, samples.RateSD = env.Rate, env.RateSD
	}
	a.filter = filter.New(samples)
	if !cfg.NTS {
		a.to = netip.AddrPortFrom(cfg.Addr, cfg.Port)
	}
	if cfg.Key != nil && !cfg.NTS {
		a.key = newKey(cfg.Key)
	}
	if a.online {
		a.begin(now)
	}
	return a
}

// begin starts polling, with a burst if that is configured. RFC 8633: a
// power cut must not make all clients of a region ask at once.
func (a *Assoc) begin(now clock.Reading) {
	if a.reference {
		return
	}
	if a.cfg.IBurst && !a.isPeer() {
		a.burst, a.settling = burst{good: iburstGood, left: iburstMax, atStart: true}, settling{}
	}
	a.nextPoll = now.Mono.Add(a.randomBelow(startSpread))
}

// HandleTimer does what is due.
func (a *Assoc) HandleTimer(now clock.Reading, out []event.Action) []event.Action {
	if now.Mono >= a.closeAt {
		out = a.lookBack(out)
	}
	if a.online && now.Mono >= a.nextPoll {
		out = a.pollNow(now, out)
	}
	return out
}

// NextDeadline is when HandleTimer wants to be called.
func (a *Assoc) NextDeadline() clock.Mono { return min(a.nextPoll, a.closeAt) }

// HandleSendFailed notes why a request will see no reply. The cookie in it is
// spent all the same, as it may have left before the network refused it, unless
// the event says that nothing left.
func (a *Assoc) HandleSendFailed(ev event.SendFailed) {
	if ev.Request != a.request.id || a.request.answered {
		return
	}
	a.request.problem = ev.Reason
	if ev.Unsent {
		a.unspend()
	}
	if ev.Moved && a.xleave.Known() {
		// Nothing has left and nothing is lost: ask anew, and tell nothing.
		a.xleave.Forget()
		a.request.answered, a.request.reached = true, true
		a.nextPoll = min(a.nextPoll, a.request.asked)
	}
}

// HandleConfig takes over the options that need no new association: poll
// interval, delay bound.
func (a *Assoc) HandleConfig(cfg Config) {
	raised := a.minPoll > a.cfg.MinPoll
	a.cfg.MinPoll, a.cfg.MaxPoll = cfg.MinPoll, cfg.MaxPoll
	a.cfg.MaxDelay, a.cfg.IBurst = cfg.MaxDelay, cfg.IBurst
	a.cfg.MaxDelayRatio, a.cfg.MaxDelayDevRatio = cfg.MaxDelayRatio, cfg.MaxDelayDevRatio
	if !cfg.XLeave || a.cfg.Interface != cfg.Interface {
		a.xleave.Forget()
	}
	a.cfg.XLeave, a.cfg.Interface = cfg.XLeave, cfg.Interface
	if a.cfg.Filter != cfg.Filter {
		a.cfg.Filter, a.batch = cfg.Filter, batch{}
	}
	if !raised || a.minPoll < cfg.MinPoll {
		a.minPoll = cfg.MinPoll
	}
	a.clampPoll()
}

// HandleLeap takes note that civil time has jumped by a leap second, the
// server's like ours. One that does without it looks like one that has jumped.
func (a *Assoc) HandleLeap(by clock.Offset) {
	a.filter.Shift(by)
	a.ahead.valid = false
	a.xleave.Forget() // its times are from before it
	a.batch = batch{}
	a.sample.True = a.sample.True.Add(by.Duration())
}

// SetOnline starts or stops polling. Going online begins like a start, also
// when the association was online but without replies: a link came up.
func (a *Assoc) SetOnline(now clock.Reading, online bool, out []event.Action) []event.Action {
	a.xleave.Forget() // the link may be another one
	a.peer = symmetric.State{}
	switch {
	case !online:
		a.online, a.nextPoll = false, clock.Never
		a.burst, a.settling, a.doubtful = burst{}, settling{}, false
		a.batch = batch{}
		a.request.answered = true // nothing is awaited, nothing is missed
		return a.closeSocket(out)
	case a.online && a.reach != 0:
		return out
	}
	a.online = true
	if a.ke.backoff.HandleOnline(now) {
		a.retryKE(now)
	}
	a.begin(now)
	return out
}

// Burst asks for up to most requests in quick succession, until good of them
// brought a sample.
func (a *Assoc) Burst(now clock.Reading, good, most int) {
	if !a.online || a.reference || a.isPeer() {
		return
	}
	a.burst = burst{good: max(1, good), left: min(max(1, most), maxBurst)}
	a.nextPoll = now.Mono
}

// Close ends the association: no reply is wanted any more.
func (a *Assoc) Close(out []event.Action) []event.Action {
	a.online, a.nextPoll = false, clock.Never
	return a.closeSocket(out)
}

// SetNTPAddr answers NeedAddr.
func (a *Assoc) SetNTPAddr(now clock.Reading, addr netip.Addr) {
	a.ntpHost = ""
	a.keys.session.NTPAddr = netip.AddrPortFrom(addr, a.keys.session.NTPAddr.Port())
	a.moveTo(a.keys.session.NTPAddr)
	if a.online {
		a.nextPoll = now.Mono
	}
}

// NeedAddr returns the name of the NTP server whose address must be found
// before polling can go on, "" when there is none.
func (a *Assoc) NeedAddr() string { return a.ntpHost }

// moveTo makes requests go to another address: what was measured of the old
// one says nothing about it.
func (a *Assoc) moveTo(to netip.AddrPort) {
	if a.to == to {
		return
	}
	if a.to.IsValid() {
		a.filter.Reset()
		a.ahead = ahead{}
		a.reach, a.missed, a.sampled, a.doubtful = 0, 0, false, false
		a.xleave.Reset()
		a.batch, a.peer = batch{}, symmetric.State{}
		a.way, a.wayTold, a.shorter = middlebox.Path{}, false, false
	}
	a.to = to
}

// random fills b. A generator that fails would make requests predictable.
func (a *Assoc) random(b []byte) {
	if _, err := io.ReadFull(a.env.Rand, b); err != nil {
		panic("assoc: random generator failed: " + err.Error())
	}
}

// randomBelow returns a uniform duration in [0, d), to 1/65536 of d.
func (a *Assoc) randomBelow(d time.Duration) time.Duration {
	var b [2]byte
	a.random(b[:])
	return d / 65536 * time.Duration(uint16(b[0])<<8|uint16(b[1]))
}
