package daemon

import (
	"context"
	"sync"

	"ntsd/internal/event"
)

// maxLookups bounds the key establishments and name look-ups that run at once:
// each holds a connection and, for a while, the certificate authorities. What
// is over it waits its turn.
const maxLookups = 4

// lookups runs key establishments and name look-ups beside the loop.
type lookups struct {
	ke          KeyExchanger
	resolver    Resolver
	slots       chan struct{}
	established chan event.KEDone
	resolved    chan event.Resolved
	running     sync.WaitGroup
}

func newLookups(ke KeyExchanger, r Resolver) *lookups {
	return &lookups{
		ke: ke, resolver: r, slots: make(chan struct{}, maxLookups),
		// Unbuffered: an answer waits for the loop or for the context's end.
		established: make(chan event.KEDone), resolved: make(chan event.Resolved),
	}
}

func (l *lookups) startKE(ctx context.Context, ke event.StartKE, trust Trust) {
	l.running.Go(func() {
		if !l.acquire(ctx) {
			return
		}
		done := l.ke.Exchange(ctx, ke, trust)
		<-l.slots
		select {
		case l.established <- done:
		case <-ctx.Done():
		}
	})
}

func (l *lookups) resolve(ctx context.Context, r event.Resolve) {
	l.running.Go(func() {
		if !l.acquire(ctx) {
			return
		}
		done := l.resolver.Resolve(ctx, r)
		<-l.slots
		select {
		case l.resolved <- done:
		case <-ctx.Done():
		}
	})
}

func (l *lookups) acquire(ctx context.Context) bool {
	select {
	case l.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lookups) wait() { l.running.Wait() }
