// Package event is the vocabulary between the deciding core and the world:
// what the core asks for (actions) and what the world tells it (events). It is
// the lowest package of layer 2; engine, assoc and discipline speak it, the
// daemon and the simulator carry it out. It decides nothing itself.
//
// Every time in it is on the undisciplined scale (clock.Mono) unless it is a
// civil time by nature, so no action or event changes its meaning when the
// clock is steered or stepped.
package event

import (
	"net/netip"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// SourceID names one association for as long as the engine lives. IDs are not
// used again.
type SourceID uint32

// Action is something the core wants done. The concrete types are those in
// this file; a consumer switches over all of them.
type Action interface{ action() }

// Send asks for one client request to leave from a fresh socket with an
// unpredictable source port (RFC 9109). A socket that an earlier Send of the
// same source opened is closed first. Data belongs to the receiver.
type Send struct {
	Source  SourceID
	Request uint64 // grows with each request of the source; comes back in Received
	To      netip.AddrPort
	// From, if valid, is the address that the request tells of having been used
	// before. From another one it must not leave: SendFailed.Moved is the answer.
	From netip.Addr
	// Interface is the device to send through, "" where the routes lead.
	Interface string
	// LocalPort is the port to send from, over a socket that stays open for what
	// To sends by itself, until CloseSocket or a Send that is Fresh; 0: a port
	// of its own for each request.
	LocalPort uint16
	Fresh     bool
	Data      []byte
}

// CloseSocket says that no reply to the source's last request is wanted any
// more.
type CloseSocket struct{ Source SourceID }

// Verify says at which time a certificate chain is judged. The core chooses
// it, because on a router without a real-time clock "now" may be unknown.
type Verify struct {
	At clock.Wall // strict: the time at which every certificate must be valid
	// Tentative judges at a moment inside the leaf's validity instead, and
	// demands only that no certificate expired before Floor.
	Tentative bool
	Floor     clock.Wall
}

// StartKE asks for one NTS key establishment. It is answered by exactly one
// KEDone with the same Source and Attempt.
type StartKE struct {
	Source       SourceID
	Attempt      uint64
	Name         string     // the configured host name (or address literal) to verify
	Addr         netip.Addr // where to connect
	Port         uint16
	AEADs        []siv.Algorithm // in order of preference
	TrustedCerts []string        // files or folders of this source; none: the global ones
	NoVal        bool            // do not check the name
	Verify       Verify
}

// Family restricts the addresses of a name.
type Family uint8

// The families of a source's option "family".
const (
	FamilyAny Family = iota
	FamilyIPv4
	FamilyIPv6
)

// Resolve asks for the addresses of a name. It is answered by exactly one
// Resolved with the same Name and Family.
type Resolve struct {
	Name   string
	Family Family
	// Unchecked asks for an answer that no validating resolver has checked: the
	// clock may be wrong, and whoever answers for the name must prove it by TLS.
	Unchecked bool
}

// SaveSession asks for the source's keys and unused cookies to be on disk
// before any later action of the same batch is carried out: the cookie that
// the next Send spends is no longer among them, so no crash can spend it
// again. Failure to write is not reported back.
type SaveSession struct{ Session nts.Session }

// DropSession asks for a saved session to be removed.
type DropSession struct {
	Addr netip.Addr
	Port uint16
}

// SaveBackoff asks for the key establishment backoff of a server to survive a
// restart, so that a crashing daemon does not hammer it. Failures 0 removes it.
type SaveBackoff struct {
	Addr      netip.Addr
	Port      uint16
	Failures  int
	NotBefore clock.Wall
}

// SaveDrift asks for the frequency to be remembered. Rate is the correction
// that was applied to the clock; skew bounds its error.
type SaveDrift struct{ Rate, Skew clock.Rate }

// TakeReserve asks for cookies to be taken off the flash, so that they can be
// sent: Rest, synced, is all that lies there afterwards. Where there is no
// route for any of Probes, which have no data, nothing is to be taken. It is
// answered by one ReserveTaken.
type TakeReserve struct {
	Probes []Send
	Rest   []nts.Session
}

// Persist asks for what a boot needs to be written to flash. State and Reserve
// are written together. Failure is not reported back.
type Persist struct {
	State   Boot
	Reserve []nts.Session // all of it; nil and empty: none
	Fill    bool          // Reserve is to be written, too
}

// SetRate asks for the wall clock to run at 1+Rate relative to Mono.
type SetRate struct{ Rate clock.Rate }

// Step asks for the wall clock to jump by Offset (positive: forward).
type Step struct{ Offset clock.Offset }

// Leap is the leap second state of RFC 5905 figure 9.
type Leap uint8

// The leap indicator's values.
const (
	LeapNone Leap = iota
	LeapInsert
	LeapDelete
	LeapUnsynchronised
)

// SetStatus asks for the kernel's status to be kept: it feeds adjtimex's
// readers, the kernel's copy to the RTC, and leap seconds. Leap is what the
// kernel is to do at the end of the UTC day, not what the servers say.
type SetStatus struct {
	Synchronised bool
	Leap         Leap
	MaxError     time.Duration
	EstError     time.Duration
	TAI          int32 // TAI-UTC in seconds; 0: unknown, what the kernel has stays
}

// Exit asks the daemon to end: a one-shot query has its answer.
type Exit struct{ Offset clock.Offset }

func (Send) action()        {}
func (CloseSocket) action() {}
func (StartKE) action()     {}
func (Resolve) action()     {}
func (SaveSession) action() {}
func (DropSession) action() {}
func (SaveBackoff) action() {}
func (SaveDrift) action()   {}
func (TakeReserve) action() {}
func (Persist) action()     {}
func (SetRate) action()     {}
func (Step) action()        {}
func (SetStatus) action()   {}
func (Exit) action()        {}
func (Notice) action()      {}
