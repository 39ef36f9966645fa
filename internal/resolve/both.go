package resolve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// answer is what one family's lookup gave.
type answer struct {
	family Family
	addrs  []netip.Addr
	err    error
}

// askBoth asks for both families at once. Package net would wait for the
// slower one and lose both at the timeout; here the faster one waits a little,
// then goes alone.
func (r *Resolver) askBoth(ctx context.Context, server netip.AddrPort, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	answers := make(chan answer, 2) // room for both: nobody blocks on a reader that left
	for _, f := range []Family{IPv4, IPv6} {
		go func() {
			addrs, err := r.ask(ctx, server, name, f)
			answers <- answer{f, addrs, err}
		}()
	}
	first := <-answers
	if first.err == nil {
		patience := r.Config.Patience
		if patience == 0 {
			patience = DefaultPatience
		}
		defer time.AfterFunc(patience, cancel).Stop()
	}
	second := <-answers // cancelling ends a lookup at once
	cancel()
	if first.err != nil && second.err != nil {
		return nil, worse(first.err, second.err)
	}
	if first.family == IPv6 {
		first, second = second, first
	}
	return merge(first.addrs, second.addrs, len(second.addrs) > 0 && routed(second.addrs[0])), nil
}

// worse returns the error that leaves more hope: "no such host" counts only
// when both families say it.
func worse(a, b error) error {
	if errors.Is(a, ErrNotFound) {
		return b
	}
	return a
}

// merge puts IPv6 first where it can be used (RFC 6724 section 2.1 prefers
// it), else last. Each family has half of MaxAddrs, lest one crowds out the other.
func merge(v4, v6 []netip.Addr, v6Routed bool) []netip.Addr {
	v4, v6 = v4[:min(len(v4), MaxAddrs/2)], v6[:min(len(v6), MaxAddrs/2)]
	if v6Routed {
		return slices.Concat(v6, v4)
	}
	return slices.Concat(v4, v6)
}

// routed reports whether there is a route and a source address to a. Connecting
// a UDP socket asks the kernel and sends nothing.
func routed(a netip.Addr) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 123)))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
