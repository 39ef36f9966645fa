// Package config turns /etc/config/ntsd, or chrony's one-shot directives, into
// one checked Config. It is layer 3: it imports uci and the value types, and
// nothing reads files but through what the caller passes in.
//
// One table (Schema) holds every section and option with its kind, default,
// documentation and whether this version acts on it. Reading, checking and
// printing are all driven by that table, so they cannot disagree.
//
// Not here: writing configuration, watching for changes, and any decision that
// needs the network or the clock.
package config

import (
	"log/slog"
	"net/netip"
	"strconv"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/siv"
)

// Config is a checked configuration. All fields hold effective values: what
// the file leaves out has its default (see Schema). It is made once and then
// only read, so it may be shared.
type Config struct {
	Main        Main
	Sources     []Source // servers and pools, in the order of the file, none disabled
	Peers       []Source // symmetric peers, likewise
	DHCP        *Source  // how to use servers learnt from DHCP; nil: not at all
	MakeStep    MakeStep
	NTS         NTS
	Selection   Selection
	Bootstrap   Bootstrap
	SmoothTime  SmoothTime
	SystemClock SystemClock
	HWTimestamp HWTimestamp
	Logging     Logging
	Allow       []Access
	Deny        []Access
	Serve       Serve
	Local       Local
	NTSServer   NTSServer
	Statistics  Statistics
	Monitor     Monitor
	Keys        []Key
	KeyFiles    []KeyFile
	RefClocks   []RefClock
	Secrets     []mac.Secret // symmetric keys of Keys and KeyFiles, once LoadKeys has read them
	Places      Places       // the files that lines are counted through, see Place
	SourceDirs  bool         // it names folders in which other programs put sources
	Digest      string       // of the file's text, see Digest; empty: not from a file
}

// Main is the section `ntsd 'main'`.
type Main struct {
	Enabled          bool
	LogLevel         slog.Level
	StateDir         string // on flash: what survives a reboot
	RunDir           string // in memory: what survives a restart; relative paths as given
	User             string // empty: the one it was started as
	Clock            ClockMode
	RTCSync          bool
	UseSystemServers bool // also take system.ntp.server and use_dhcp
}

// ClockMode says which clock is steered.
type ClockMode string

const (
	ClockKernel ClockMode = "kernel" // the kernel's clock
	ClockNone   ClockMode = "none"   // none: measure only
)

// Kind is the type of the section that a source comes from.
type Kind string

const (
	Server Kind = "server"          // one address of the name
	Pool   Kind = "pool"            // up to MaxSources addresses of the name
	Peer   Kind = "peer"            // symmetric association
	DHCP   Kind = "dhcp_ntp_server" // pattern for what DHCP names; no Name
)

// Source is one server, pool or peer.
type Source struct {
	Kind     Kind
	Name     string // host name without a final dot, or address literal without brackets
	Operator string // who runs it, for counting independent sources; never empty but for DHCP
	Line     int    // where the section begins, for messages; 0: not from a file

	Family    event.Family
	Interface string // send through it; empty: any
	Port      uint16 // of NTP, where KE names no other
	NTSPort   uint16 // of NTS-KE

	NTS          bool
	NoVal        bool            // with NTS: the server's name is not checked; never counts as authenticated
	TrustedCerts []string        // files or folders, added to those of the section nts
	AEADs        []siv.Algorithm // in order of preference
	Key          uint32          // id of a symmetric key; 0: none

	MinPoll, MaxPoll ntptime.Exponent // MinPoll <= MaxPoll
	IBurst           bool
	XLeave           bool
	Filter           int // samples per filtered one; 0: no filter

	MaxDelay         time.Duration // round trips above it are ignored
	MinDelay         time.Duration // of the path, where known to be constant; 0: measured
	Correction       clock.Offset  // added to every measured offset
	MaxDelayRatio    float64       // against the smallest delay; 0: not tested
	MaxDelayDevRatio float64       // against the spread of the offsets; 0: not tested
	MinSamples       int           // kept for the regression; 0: as the discipline likes
	MaxSamples       int           // likewise; 1: no waiting for a second sample
	MaxUnreach       int           // polls that it is used for while unreachable
	MaxSources       int           // of a pool: addresses used at once

	Prefer, Trust, Require, NoSelect, Offline bool // chrony's meaning
}

// MakeStep allows steps: when the offset is above Threshold, in the first
// Limit updates. Limit 0: never, negative: always.
type MakeStep struct {
	Threshold time.Duration
	Limit     int
}

// NTS is what all NTS sources share.
type NTS struct {
	RTCCheck     bool     // see Bootstrap.Mode, which it decides unless that is set
	SystemCerts  bool     // trust the system's CA certificates
	TrustedCerts []string // files or folders of further ones
}

// AuthMode says how authenticated and plain sources are mixed.
type AuthMode string

const (
	AuthRequire AuthMode = "require" // authenticated ones only
	AuthPrefer  AuthMode = "prefer"  // plain ones only when no authenticated one is there
	AuthMix     AuthMode = "mix"     // plain ones cannot outvote authenticated ones
	AuthIgnore  AuthMode = "ignore"  // no difference
)

// Selection is how the sources are weighed against each other.
type Selection struct {
	MinSources    int
	AuthMode      AuthMode
	MaxDistance   time.Duration // root distance
	CombineLimit  float64       // times the distance of the selected one
	ReselectDist  time.Duration
	StratumWeight time.Duration // per stratum
}

// BootstrapMode says how certificates are judged before the clock is set.
type BootstrapMode string

const (
	BootstrapLadder          BootstrapMode = "ladder"          // tentatively, then again in full
	BootstrapStrict          BootstrapMode = "strict"          // in full, by whatever clock there is
	BootstrapNoCertTimeCheck BootstrapMode = "nocerttimecheck" // without their dates: the last resort
)

// Bootstrap is how the first time is found.
type Bootstrap struct {
	Mode     BootstrapMode
	Agree    int           // operators that must agree; 0: a majority
	Deadline time.Duration // after which the log says what is missing
}

// SmoothTime smooths the time that is served. MaxRate 0: off.
type SmoothTime struct {
	MaxRate   clock.Rate // largest frequency offset of the served time
	MaxWander clock.Rate // its largest change per second
	LeapOnly  bool
}

// LeapMode says what happens at a leap second.
type LeapMode string

const (
	LeapSystem LeapMode = "system"
	LeapStep   LeapMode = "step"
	LeapSlew   LeapMode = "slew"
	LeapIgnore LeapMode = "ignore"
)

// HWTimestamp are the network cards that stamp packets.
type HWTimestamp struct {
	Interfaces []string // devices; empty: none
}

// SystemClock describes the kernel's clock.
type SystemClock struct {
	Precision   time.Duration // 0: measured
	LeapSecMode LeapMode
	MaxSlew     clock.Rate // fastest slew; 0: a second in twelve
	LeapFile    string     // leap-seconds.list; empty: none
}

// Logging is what is worth a line in the log.
type Logging struct {
	LogChange time.Duration // clock corrections above it
}

// Access is one `allow` or `deny` section.
type Access struct {
	Interfaces []string // logical interfaces: their subnets
	Subnets    []netip.Prefix
}

// RateLimit bounds replies per client address.
type RateLimit struct {
	Enabled  bool
	Interval ntptime.Exponent // between replies
	Burst    int              // replies in a row
	Leak     int              // one in 2^Leak of the others is answered all the same
}

// Serve is the NTP server.
type Serve struct {
	Enabled     bool
	Interfaces  []string // empty: all
	Ports       []uint16
	Interleaved bool
	RateLimit   RateLimit
	Clients     bool // keep a table of clients
	MaxClients  int
	Advertise   bool // by DHCP and DHCPv6 to the LAN
	Intercept   bool // the LAN's other NTP traffic
}

// Local serves time when upstream is gone.
type Local struct {
	Enabled    bool
	Stratum    int
	Orphan     bool
	Distance   time.Duration
	Activate   time.Duration
	WaitSynced time.Duration
	// WaitUnsynced may be WaitByOrphan.
	WaitUnsynced time.Duration
}

// WaitByOrphan is a WaitUnsynced that depends on Orphan, as chrony's default.
const WaitByOrphan time.Duration = -1

// NTSServer is the NTS-KE server and its cookie keys.
type NTSServer struct {
	Enabled        bool
	Certs, Keys    []string // pairs
	Ports          []uint16
	Interfaces     []string // empty: all
	NTPServer      string   // named to clients; empty: the KE server itself
	NTPPort        uint16   // likewise; 0: 123
	Rotate         time.Duration
	Keep           int    // old cookie keys
	KeysFile       string // shared by a fleet; empty: in the state folder
	MaxConnections int
	Timeout        time.Duration
	RateLimit      RateLimit
	SelfSigned     bool
}

// bridgePrefix is what OpenWrt puts before the name of a logical interface to
// name its bridge.
const bridgePrefix = "br-"

// IsInterface reports whether a network device is the logical interface of that
// name.
func IsInterface(device, logical string) bool {
	return device == logical || device == bridgePrefix+logical
}

// Statistics are files of measurements.
type Statistics struct {
	Dir     string // empty: none
	Logs    []string
	Keep    int   // days; 0: for ever
	MaxSize int64 // of all files together in bytes; 0: any
}

// Monitor is what other programs may ask.
type Monitor struct {
	ChronySocket string // empty: none
	ChronyPort   uint16 // on loopback; 0: none
	NTPQ         bool   // mode 6 on loopback
	Metrics      string // text file; empty: none
}

// Key is a symmetric key.
type Key struct {
	ID         uint32
	Type       string
	SecretFile string
	Secret     string // never printed in messages
	Line       int    // where the section begins, for messages
}

// KeyFormat is whose file of keys it is.
type KeyFormat string

const (
	KeysChrony KeyFormat = "chrony"
	KeysNTP    KeyFormat = "ntp" // ntpsec's and ntpd's
)

// KeyFile is a file of symmetric keys.
type KeyFile struct {
	File    string
	Format  KeyFormat
	Trusted []uint32 // ids; empty: all
	Line    int      // where the section begins, for messages
}

// RefClock is a reference clock. Zero values: chrony's defaults.
type RefClock struct {
	Driver        string
	Parameter     string // device, segment or socket, with the driver's options
	RefID         string
	Poll, DPoll   ntptime.Exponent
	Offset        clock.Offset
	Delay         time.Duration
	Precision     time.Duration
	MaxDispersion time.Duration
	Width         time.Duration
	Rate          int // pulses per second
	Lock          string
	MaxLockAge    int // pulses
	Filter        int
	MinSamples    int
	MaxSamples    int
	MaxUnreach    int // polls that it is used for while unreachable
	Stratum       int
	PPS, TAI      bool
	Local         bool
	Prefer, Trust bool
	Require       bool
	NoSelect      bool
}

// Name is the clock's reference ID; by default chrony's for the i-th clock: its
// driver and its number.
func (r *RefClock) Name(i int) string {
	name := []byte(r.Driver[:3] + strconv.Itoa(i%10))
	if i >= 10 {
		name[2] = byte('0' + i/10%10)
	}
	if r.RefID != "" {
		return r.RefID
	}
	return string(name)
}

// Usable reports whether the configuration leaves the daemon anything to do:
// a source of time, now or later, or something to serve without one.
func (c *Config) Usable() bool {
	if c == nil {
		return false
	}
	sources := len(c.Sources) + len(c.Peers) + len(c.RefClocks)
	return sources > 0 || c.SourceDirs || c.DHCP != nil || c.Main.UseSystemServers || c.Local.Enabled || c.NTSServer.Enabled
}
