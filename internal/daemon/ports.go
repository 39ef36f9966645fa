package daemon

import (
	"context"
	"errors"
	"net/netip"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/snapshot"
)

// Clock is the clock that is kept: the kernel's, or its dry-run twin.
type Clock interface {
	Read() clock.Reading
	// Rate is the correction in force.
	Rate() (clock.Rate, error)
	SetRate(clock.Rate) (clock.Rate, error)
	Step(clock.Offset) error
	SetStatus(event.SetStatus) error
}

// Network opens sockets for client requests.
type Network interface {
	// Open returns a fresh socket for one request, with a source port that an
	// attacker off the path cannot guess. ErrMoved: it would not send from
	// s.From. With s.LocalPort it is that port's, which a server may have too,
	// for many packets; Datagram.Sent is then of the latest.
	Open(s event.Send) (Socket, error)
}

// ErrMoved says that a request would leave from another address than it may.
var ErrMoved = errors.New("daemon: our own address has changed")

// Socket carries one request and the replies to it, or those of a peer. Send and
// Receive may be called at the same time. Close ends Receive with os.ErrClosed.
type Socket interface {
	Send(data []byte) error
	Receive(buf []byte) (Datagram, error)
	Close() error
}

// Datagram is what Receive found in the buffer it was given.
type Datagram struct {
	Length         int
	From           netip.AddrPort
	Local          netip.Addr
	Sent, Received event.Stamp
}

// KeyExchanger runs NTS key establishment. Whatever goes wrong is in the
// answer.
type KeyExchanger interface {
	Exchange(ctx context.Context, ke event.StartKE, trust Trust) event.KEDone
}

// Trust is the set of certificate authorities that sources without their own
// are checked against.
type Trust struct {
	System bool
	Files  []string
}

// Resolver turns names into addresses. Whatever goes wrong is in the answer.
type Resolver interface {
	Resolve(ctx context.Context, r event.Resolve) event.Resolved
}

// Flash keeps what outlives the power, and counts what is written there. Written may
// be called at any time, the others one after the other.
type Flash interface {
	// Load returns what is sound; what is not is refused by name in the errors.
	Load() (event.Boot, []nts.Session, []error)
	// TakeReserve leaves only rest there. When it returns nil that is on the
	// disk, and what was taken will not come back.
	TakeReserve(rest []nts.Session) error
	Persist(event.Persist) error
	// Written returns how many files were written within a day, and since the
	// start.
	Written() (day int, total uint64)
}

// Statistics keeps files of what was measured. Its methods do not wait.
type Statistics interface {
	Configure(config.Statistics)
	// Wanted reports whether there is anything to record.
	Wanted() bool
	// Record takes note of what an event has changed: before is a reading of the
	// clocks from before it, s the state after it, which belongs to the receiver,
	// and got the datagram if the event was one.
	Record(before clock.Reading, s *snapshot.Snapshot, got *event.Received)
}

// Store keeps what outlives the process. Loading returns what is sound; what
// is not is refused by name in the errors.
type Store interface {
	Sessions() ([]nts.Session, []error)
	Backoffs() ([]event.Backoff, []error)
	Drift() (rate, skew clock.Rate, found bool, err error)
	SaveSession(nts.Session) error
	DropSession(addr netip.Addr, port uint16) error
	SaveBackoff(event.Backoff) error
	SaveDrift(rate, skew clock.Rate) error
}
