package bootstrap

import (
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// Implementation constants of what is written to flash.
const (
	// writeEvery is the time between two writes of a running daemon.
	writeEvery = 24 * time.Hour
	// writeSoon is how long the first write after the start waits for the keys
	// of all servers.
	writeSoon = 5 * time.Second
	// fillApart is the least age of a reserve that is filled again at the stop:
	// the flash is worth more than cookies that are an hour younger.
	fillApart = time.Hour
)

// Flash decides when what a boot needs is written: after the first synchronisation
// if nothing of use is there, then once a day. Whether the time may be believed
// after a reboot is for the caller to say. The zero value is a machine without
// flash; make one with it by NewFlash.
type Flash struct {
	on     bool
	holds  event.Boot
	next   clock.Mono // of the next write; Never until the time was trusted
	filled clock.Wall // when the reserve was written, at the latest
}

// NewFlash returns a flash that holds b.
func NewFlash(b *event.Boot) Flash {
	return Flash{on: true, holds: *b, next: clock.Never, filled: b.Time}
}

// On reports whether there is flash to write to.
func (f *Flash) On() bool { return f.on }

// Holds is what was written last, for reading.
func (f *Flash) Holds() *event.Boot { return &f.holds }

// NextDeadline is when Due wants to be asked, as long as the time is trusted.
func (f *Flash) NextDeadline() clock.Mono {
	if !f.on {
		return clock.Never
	}
	return f.next
}

// Due reports whether to write now, under a trusted time; low says that the
// reserve wants filling.
func (f *Flash) Due(now clock.Reading, believed clock.Wall, low bool) bool {
	if !f.on {
		return false
	}
	if f.next == clock.Never {
		f.next = now.Mono.Add(writeEvery)
		if age := believed.Sub(f.holds.Time).Duration(); f.holds.Time == 0 || age > writeEvery || low {
			f.next = now.Mono.Add(writeSoon)
		}
	}
	return now.Mono >= f.next
}

// Old reports whether the reserve is worth filling again at that time.
func (f *Flash) Old(believed clock.Wall) bool { return believed.Sub(f.filled).Duration() >= fillApart }

// Written notes what is being written.
func (f *Flash) Written(now clock.Reading, p *event.Persist) {
	f.next, f.holds = now.Mono.Add(writeEvery), p.State
	if p.Fill {
		f.filled = p.State.Time
	}
}
