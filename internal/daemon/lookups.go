package daemon

import (
	"context"
	"sync"

	"ntsd/internal/event"
)

// Bounds of what runs at once. What is over them waits its turn; neither kind
// waits for the other: where no name server answers, the saved addresses shall
// do, and a server that hangs holds up no other's name.
const (
	// maxExchanges bounds key establishments: each holds a connection and, for a
	// while, the certificate authorities.
	maxExchanges = 4
	// maxLookups bounds name look-ups, which hold a socket for each family.
	maxLookups = 4
)

// lookups runs key establishments and name look-ups beside the loop.
type lookups struct {
	ke          KeyExchanger
	resolver    Resolver
	exchanges   chan struct{} // one token for each that runs
	lookups     chan struct{} // likewise
	established chan event.KEDone
	resolved    chan event.Resolved
	running     sync.WaitGroup
}

func newLookups(ke KeyExchanger, r Resolver) *lookups {
	return &lookups{
		ke: ke, resolver: r, exchanges: make(chan struct{}, maxExchanges), lookups: make(chan struct{}, maxLookups),
		// Unbuffered: an answer waits for the loop or for the context's end.
		established: make(chan event.KEDone), resolved: make(chan event.Resolved),
	}
}

func (l *lookups) startKE(ctx context.Context, ke event.StartKE, trust Trust) {
	l.running.Go(func() {
		if !acquire(ctx, l.exchanges) {
			return
		}
		done := l.ke.Exchange(ctx, ke, trust)
		<-l.exchanges
		select {
		case l.established <- done:
		case <-ctx.Done():
		}
	})
}

func (l *lookups) resolve(ctx context.Context, r event.Resolve) {
	l.running.Go(func() {
		if !acquire(ctx, l.lookups) {
			return
		}
		done := l.resolver.Resolve(ctx, r)
		<-l.lookups
		select {
		case l.resolved <- done:
		case <-ctx.Done():
		}
	})
}

func acquire(ctx context.Context, slots chan<- struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lookups) wait() { l.running.Wait() }
