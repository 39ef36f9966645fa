package daemon

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

// TestSettings: what limits the clock and corrects a source arrives in the
// core's terms, with the units and signs of chrony's directives.
func TestSettings(t *testing.T) {
	cfg := translate(settings(t, "server a.example offset -0.001 mindelay 0.002", "maxslewrate 500"))
	if got := cfg.MaxSlew.PPM(); math.Abs(got-500) > 1e-6 {
		t.Errorf("fastest slew: got %v ppm, want 500", got)
	}
	s := cfg.Sources[0]
	a := s.Association(1, netip.Addr{}, false)
	if got := a.Correction.Duration(); got != -time.Millisecond || a.MinDelay != 2*time.Millisecond {
		t.Errorf("got a correction of %v and a round trip of %v, want -1ms and 2ms", got, a.MinDelay)
	}
	if got := translate(settings(t, "server a.example")).MaxSlew.PPM(); math.Abs(got-83333) > 1e-3 {
		t.Errorf("fastest slew by default: got %v ppm, want 83333", got)
	}
}
