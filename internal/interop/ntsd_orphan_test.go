package interop

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ntsd/internal/status"
)

// orphanage returns the configuration of an ntsd that knows these others and
// nobody else.
func orphanage(others ...*Host) []string {
	sections := []string{
		Section("allow") + "\tlist subnet '192.0.2.0/24'\n",
		Section("local", "enabled", "1", "stratum", "10", "orphan", "1", "distance", "0", "waitsynced", "3", "waitunsynced", "0"),
	}
	for _, h := range others {
		sections = append(sections, plainSource(h.IPv4.String(), quickly))
	}
	return sections
}

// follows reports whether a host has its time from another one that is an
// orphan.
func follows(r *status.Report, keeper netip.Addr) bool {
	t := &r.Tracking
	return t.Synchronised && t.Stratum == 11 && t.ReferenceAddress == keeper.String()
}

// TestNtsdOrphans: two of ours and two chronyds know nobody but each other. All
// follow the one with the smallest address, which is a chronyd; when it is gone,
// the next, which is ours.
func TestNtsdOrphans(t *testing.T) {
	l := newLab(t)
	hosts := []*Host{l.Host("first"), l.Host("second"), l.Host("third"), l.Host("fourth")}
	others := func(own *Host) (all []*Host) {
		for _, h := range hosts {
			if h != own {
				all = append(all, h)
			}
		}
		return all
	}
	chronyd := func(h *Host) *Process {
		line, _ := h.commandSocket()
		lines := []string{line, "local stratum 10 orphan", "allow all"}
		for _, o := range others(h) {
			lines = append(lines, fmt.Sprintf("server %s minpoll %d maxpoll %d", o.IPv4, quickly, quickly))
		}
		return h.StartChronyd(l.peers, lines...)
	}
	first := chronyd(hosts[0])
	second := l.ntsd("second", orphanage(others(hosts[1])...)...)
	third := l.ntsd("third", orphanage(others(hosts[2])...)...)
	chronyd(hosts[3])
	chronyFollows := func(keeper *Host) {
		t.Helper()
		hosts[3].waitFor("sync with "+keeper.Name, func() bool {
			f := strings.Split(hosts[3].chronyc(l.peers, "-n", "-c", "tracking"), ",")
			return f[0] == refid(keeper.IPv4) && f[2] == "11"
		})
	}
	for _, d := range []*daemon{second, third} {
		d.until("sync with the first", func(r *status.Report) bool { return follows(r, hosts[0].IPv4) })
	}
	chronyFollows(hosts[0])
	if got := hosts[0].chronyc(l.peers, "-n", "tracking"); !strings.Contains(got, "7F7F0101") {
		t.Errorf("the keeper follows somebody:\n%s", got)
	}

	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second.until("a keeper", func(r *status.Report) bool { return r.Tracking.Local })
	third.until("sync with the second", func(r *status.Report) bool { return follows(r, hosts[1].IPv4) })
	chronyFollows(hosts[1])
	tracking := second.ask("tracking")
	for _, want := range []string{"Reference ID    : 7F7F0101 ()\n", "Stratum         : 10\n", "Leap status     : Normal\n"} {
		if !strings.Contains(tracking, want) {
			t.Errorf("tracking of the keeper lacks %q:\n%s", want, tracking)
		}
	}
	// One time: what the others measure against it.
	s := third.untilSource(hosts[1].IPv4.String(), "selection", func(s *status.Source) bool { return s.Mark == "*" })
	if off := time.Duration(s.AdjustedOffsetS * 1e9); off.Abs() > 10*time.Millisecond {
		t.Errorf("the third is %v off the second", off)
	}
}
