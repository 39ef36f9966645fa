package daemon

import (
	"fmt"
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/snapshot"
)

// Announcement tells other programs of this machine how the clock is. The
// actions are those of busybox's ntpd, whose listeners are ours: whoever hears
// of a stratum takes the time for valid.
type Announcement struct {
	Action    string // "step", "stratum", "periodic", "unsync"
	Stratum   uint8  // ours; 16 while the clock is not synchronised
	Frequency clock.Rate
	Offset    clock.Offset // of the step, or found at the last update
	Poll      ntptime.Exponent
}

// unsynchronised is the stratum of a clock that nobody should follow (RFC 5905
// section 7.3).
const unsynchronised = 16

// announceEvery is how often a good clock is told of, while nothing changes; as
// often as busybox does.
const announceEvery = 11 * time.Minute

// Env returns the variables for the scripts in /etc/hotplug.d/ntp: busybox's,
// and a mark by which our own script knows that it needs not tell us.
func (a Announcement) Env() []string {
	return []string{
		"ACTION=" + a.Action,
		fmt.Sprintf("stratum=%d", a.Stratum),
		fmt.Sprintf("freq_drift_ppm=%d", int64(math.Round(a.Frequency.PPM()))),
		fmt.Sprintf("poll_interval=%d", int64(math.Ceil(a.Poll.Duration().Seconds()))),
		fmt.Sprintf("offset=%.6f", a.Offset.Seconds()),
		"NTSD=1",
	}
}

// told is what was last announced.
type told struct {
	stratum uint8 // 0: nothing yet, or unsync
	next    clock.Mono
}

// announce tells of a change of stratum, of a loss, and of every eleventh
// minute of a good clock. A clock that is its own reference is not told of:
// nobody has said that its time is valid.
func (d *Daemon) announce(now clock.Reading) {
	if d.opt.Announce == nil {
		return
	}
	sys := d.engine.System(now)
	stratum := sys.Stratum
	if !sys.True() {
		stratum = 0
	}
	action := ""
	switch {
	case stratum != d.told.stratum && stratum == 0:
		action = "unsync"
	case stratum != d.told.stratum:
		action = "stratum"
	case stratum != 0 && now.Mono >= d.told.next:
		action = "periodic"
	default:
		return
	}
	d.told = told{stratum: stratum, next: now.Mono.Add(announceEvery)}
	snap := d.engine.Snapshot(now)
	d.opt.Announce(announcement(&snap, action, stratum, snap.Tracking.LastOffset))
}

// announceStep tells of a step that was made.
func (d *Daemon) announceStep(offset clock.Offset) {
	if d.opt.Announce != nil {
		snap := d.engine.Snapshot(d.opt.Clock.Read())
		d.opt.Announce(announcement(&snap, "step", d.told.stratum, offset))
	}
}

func announcement(snap *snapshot.Snapshot, action string, stratum uint8, offset clock.Offset) Announcement {
	a := Announcement{Action: action, Stratum: stratum, Frequency: -snap.Tracking.Frequency, Offset: offset}
	if stratum == 0 {
		a.Stratum = unsynchronised
	}
	for i := range snap.Sources {
		if s := &snap.Sources[i]; s.ID == snap.Tracking.Reference {
			a.Poll = ntptime.Exponent(s.Poll)
		}
	}
	return a
}
