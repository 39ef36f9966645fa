package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/event"
)

// slow takes its time for everything.
type slow struct{ names, keys time.Duration }

func (s slow) Resolve(_ context.Context, r event.Resolve) event.Resolved {
	time.Sleep(s.names)
	return event.Resolved{Name: r.Name}
}

func (s slow) Exchange(_ context.Context, ke event.StartKE, _ Trust) event.KEDone {
	time.Sleep(s.keys)
	return event.KEDone{Source: ke.Source}
}

// TestSlowNamesDoNotHoldUpKeys: where no name server answers, keys are established
// at the saved addresses all the same, and where key establishments hang, names
// are found.
func TestSlowNamesDoNotHoldUpKeys(t *testing.T) {
	const many = 20
	for _, tt := range []struct {
		name string
		slow slow
	}{
		{"no name server answers", slow{names: 30 * time.Second}},
		{"no key establishment is answered", slow{keys: 15 * time.Second}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			l := newLookups(tt.slow, tt.slow)
			start := time.Now()
			for i := range many {
				if tt.slow.names > 0 {
					l.resolve(ctx, event.Resolve{})
				} else {
					l.startKE(ctx, event.StartKE{Source: event.SourceID(i)}, Trust{})
				}
			}
			synctest.Wait()
			if tt.slow.names > 0 {
				l.startKE(ctx, event.StartKE{}, Trust{})
				<-l.established
			} else {
				l.resolve(ctx, event.Resolve{})
				<-l.resolved
			}
			if waited := time.Since(start); waited > 0 {
				t.Errorf("%s: the other waited for %v", tt.name, waited)
			}
			cancel()
			l.wait()
		})
	}
}
