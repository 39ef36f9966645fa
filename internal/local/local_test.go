package local

import (
	"testing"
	"time"

	"ntsd/internal/clock"
)

// TestIs: when the clock is its own reference, step by step.
func TestIs(t *testing.T) {
	const near, far = 10 * time.Millisecond, 2 * time.Second
	type step struct {
		at        time.Duration
		following bool
		distance  time.Duration
		update    bool
		local     bool
	}
	house := Config{Enabled: true, Stratum: 10, Distance: time.Second}
	with := func(change func(*Config)) Config {
		c := house
		change(&c)
		return c
	}
	for _, c := range []struct {
		name  string
		cfg   Config
		steps []step
	}{
		{"off", Config{Distance: time.Second}, []step{{at: 0}, {at: time.Hour, following: true, distance: far}}},
		{"never followed anybody", house, []step{{at: 0, local: true}, {at: time.Second, following: true, distance: near}, {at: time.Hour, local: true}}},
		{"distance", house, []step{{at: 0, following: true, distance: time.Second}, {at: 1, following: true, distance: time.Second + 1, local: true}}},
		{"activate", with(func(c *Config) { c.Activate = near + 1 }), []step{
			{at: 0}, {at: 1, following: true, distance: far}, {at: 2, following: true, distance: near}, {at: 3, local: true},
		}},
		{"activate, of a clock that is not near enough", with(func(c *Config) { c.Activate = near }), []step{
			{at: 0, following: true, distance: near}, {at: 1},
		}},
		{"waitsynced", with(func(c *Config) { c.WaitSynced = 300 * time.Second }), []step{
			{at: 0, local: true},
			{at: 1, following: true, distance: far, update: true},
			{at: 299 * time.Second, following: true, distance: far},
			{at: 300*time.Second + 1, following: true, distance: far, local: true},
		}},
		{"waitunsynced", with(func(c *Config) { c.WaitUnsynced = 60 * time.Second }), []step{
			{at: 59 * time.Second}, {at: 60 * time.Second, local: true}, {at: 61 * time.Second, following: true, distance: far, local: true},
		}},
	} {
		var s State
		for i, x := range c.steps {
			now := Clock{At: clock.Mono(x.at), Following: x.following, Distance: x.distance}
			if x.update {
				s.Update(now.At)
			}
			s.Learn(&c.cfg, now)
			if got := s.Is(&c.cfg, now); got != x.local {
				t.Errorf("%s, step %d: got %v, want %v", c.name, i, got, x.local)
			}
		}
	}
}
