// Package upstream describes one configured source of time to the deciding core:
// a server, a pool, a peer or a reference clock. It is layer 2 and holds no state.
//
// Non-goals: sections and options (config), and what becomes of a source (sources).
package upstream

import (
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/assoc"
	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/refclock"
	"ntsd/internal/selection"
	"ntsd/internal/siv"
)

// Defaults of a source, where zero has no meaning of its own.
const (
	defaultNTPPort    = 123
	defaultKEPort     = 4460
	defaultMaxSources = 4
)

// Kind tells how a source was configured.
type Kind uint8

// The kinds.
const (
	Server Kind = iota
	Pool
	Peer     // a symmetric association: LocalPort is set
	RefClock // a reference clock: Ref says which; of the rest Name, MinPoll and MaxPoll, samples and Select count
)

// Source is one configured server or pool.
type Source struct {
	Kind         Kind
	Name         string // host name or address literal
	Port         uint16 // NTP port
	NTS          bool
	NTSPort      uint16 // key establishment port
	AEADs        []siv.Algorithm
	TrustedCerts []string
	NoVal        bool
	Key          *mac.Secret // symmetric key of requests and replies; nil: none
	Operator     string
	Family       event.Family

	MinPoll, MaxPoll       ntptime.Exponent // 0 is a second, not a default
	IBurst                 bool
	XLeave                 bool
	Offline                bool
	LocalPort              uint16 // of a peer: the one that we serve on
	Interface              string // to send through, "": where the routes lead
	MaxDelay, MinDelay     time.Duration
	Correction             clock.Offset // added to every measured offset
	MinSamples, MaxSamples int
	// MaxUnreach is for how many polls a source counts whose reach register is
	// empty while no other answers; 0: any number, negative: none.
	MaxUnreach int
	MaxSources int // pool: associations wanted
	Filter     int // polls that make one sample

	MaxDelayRatio, MaxDelayDevRatio float64 // 0: not tested
	Select                          selection.Options
	Ref                             refclock.Config
}

// Equal reports whether an association made for s would serve t as well, so
// that a reload need not drop it.
func (s *Source) Equal(t *Source) bool {
	return s.Kind == t.Kind && s.Ref == t.Ref && s.Name == t.Name && s.Port == t.Port &&
		s.LocalPort == t.LocalPort && s.Family == t.Family &&
		s.NTS == t.NTS && s.NTSPort == t.NTSPort && s.NoVal == t.NoVal && s.Key.Equal(t.Key) &&
		slices.Equal(s.AEADs, t.AEADs) && slices.Equal(s.TrustedCerts, t.TrustedCerts) &&
		s.MinDelay == t.MinDelay && s.Correction == t.Correction && s.MinSamples == t.MinSamples && s.MaxSamples == t.MaxSamples
}

// SetDefaults fills in what the caller left out and zero cannot mean.
func (s *Source) SetDefaults() {
	if s.Port == 0 && s.Kind != RefClock {
		s.Port = defaultNTPPort
	}
	if s.NTSPort == 0 {
		s.NTSPort = defaultKEPort
	}
	if len(s.AEADs) == 0 {
		s.AEADs = []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256}
	}
	if s.MaxSources == 0 {
		s.MaxSources = defaultMaxSources
	}
}

// Association returns what an association with one of the source's addresses is
// made from.
func (s *Source) Association(id event.SourceID, addr netip.Addr, offline bool) assoc.Config {
	return assoc.Config{
		ID: id, Name: s.Name, Addr: addr, Port: s.Port,
		NTS: s.NTS, KEPort: s.NTSPort, AEADs: s.AEADs, TrustedCerts: s.TrustedCerts, NoVal: s.NoVal, Key: s.Key,
		MinPoll: s.MinPoll, MaxPoll: s.MaxPoll, IBurst: s.IBurst, Offline: offline,
		MaxDelay: s.MaxDelay, MinDelay: s.MinDelay, Correction: s.Correction, MinSamples: s.MinSamples, MaxSamples: s.MaxSamples,
		XLeave: s.XLeave, Interface: s.Interface, LocalPort: s.LocalPort, Filter: s.Filter,
		MaxDelayRatio: s.MaxDelayRatio, MaxDelayDevRatio: s.MaxDelayDevRatio,
	}
}

// Lost reports whether a source is of no use any more whose reach register has
// been empty for so many polls.
func (s *Source) Lost(polls int) bool { return s.MaxUnreach != 0 && polls > max(0, s.MaxUnreach) }

// Proof ranks how a source proves who it is.
func (s *Source) Proof() int {
	switch {
	case s.NTS:
		return 2
	case s.Key != nil:
		return 1
	}
	return 0
}
