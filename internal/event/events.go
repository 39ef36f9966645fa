package event

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
)

// StampKind says who took a timestamp: the closer to the wire, the better.
type StampKind uint8

// The kinds of timestamp, worst first.
const (
	StampNone StampKind = iota
	StampDaemon
	StampKernel
	StampHardware
)

// Stamp is the moment a packet left or arrived, on the undisciplined scale.
type Stamp struct {
	At   clock.Mono
	Kind StampKind
}

// Received is a datagram that came back to the socket of a Send, the latest
// where that has a LocalPort. It has been checked for nothing. Data is only
// valid during the call.
type Received struct {
	Source   SourceID
	Request  uint64
	From     netip.AddrPort
	Local    netip.Addr
	Sent     Stamp // when the request left
	Received Stamp // when this datagram arrived
	Data     []byte
}

// SendFailed says that a Send could not be carried out, or that the network
// refused it later (ICMP). Reason is one line for people.
type SendFailed struct {
	Source  SourceID
	Request uint64
	Reason  string
	Unsent  bool // nothing left this machine
	Moved   bool // it would have left from another address than Send.From
}

// KEInfo is what is worth telling about a finished key establishment.
type KEInfo struct {
	TLSVersion  string
	CipherSuite string
	Group       string // key exchange group
	PostQuantum bool
	Subject     string // of the leaf certificate
	Issuer      string
	NotBefore   clock.Wall // the validity that all certificates of the chain share
	NotAfter    clock.Wall
	Duration    time.Duration
}

// KEDone answers a StartKE: Failure is FailureNone and Session and Info are
// set, or Failure says what kind of thing went wrong and Reason says it in
// words.
type KEDone struct {
	Source  SourceID
	Attempt uint64
	Session nts.Session
	// NTPHost is the NTP server that the server named, when it did so by a host
	// name: Session.NTPAddr then has a port and no address, and the core asks
	// for the name to be resolved.
	NTPHost string
	Info    KEInfo
	Failure nts.FailureClass
	Reason  string
	NoRoute bool // this machine has none: nothing left it
}

// Resolved answers a Resolve. Without addresses, Reason says why in one line;
// Temporary says that trying again soon makes sense.
type Resolved struct {
	Name      string
	Family    Family
	Addrs     []netip.Addr
	Temporary bool
	Reason    string
}

// Restored is a session found on disk at start: it spares a key establishment.
type Restored struct{ Session nts.Session }

// Backoff is a key establishment backoff found on disk at start.
type Backoff struct {
	Addr      netip.Addr
	Port      uint16
	Failures  int
	NotBefore clock.Wall
}

// ReserveTaken answers a TakeReserve. OK: the flash holds no more than Rest,
// and the cookies taken may be sent. Offline: there was no route, nothing was
// done. Else Reason says what went wrong.
type ReserveTaken struct {
	OK, Offline bool
	Reason      string
}

// Boot is what survives a reboot. The zero value is "nothing known".
type Boot struct {
	// Time is the last time known to be right, at most TimeError off; 0: none.
	Time      clock.Wall
	TimeError time.Duration
	// Rate is the correction of the oscillator, Skew bounds its error.
	Rate, Skew clock.Rate
	RateKnown  bool
	Hosts      []Host
	Backoffs   []Backoff
}

// Host is where a name was last found.
type Host struct {
	Name  string
	Addrs []netip.Addr
}

// CommandKind is what an operator asks of the running core.
type CommandKind uint8

// The commands.
const (
	CommandOnline CommandKind = iota + 1
	CommandOffline
	CommandBurst
	CommandMakeStep
	CommandRefresh        // resolve names again, replace addresses that are gone
	CommandRekey          // drop cookies, establish new keys
	CommandSmoothReset    // serve the believed time from now on
	CommandSmoothActivate // begin to smooth what is served
	// CommandOtherFamily: there is no route to the address, but to some of the
	// other family. Another address of the name is asked; without one the source
	// rests.
	CommandOtherFamily
)

// Command is one request of an operator. Target selects sources by address or
// by configured name; empty means all.
type Command struct {
	Kind      CommandKind
	Target    string
	Good, Max int // burst: wanted good samples, most requests
}
