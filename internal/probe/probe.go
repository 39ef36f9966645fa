package probe

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/status"
)

// Clock is read, never set.
type Clock interface{ Read() clock.Reading }

// Resolver turns names into addresses.
type Resolver interface {
	Resolve(ctx context.Context, r event.Resolve) event.Resolved
}

// KeyExchanger runs NTS key establishment and fills in the trace, whatever
// comes of it.
type KeyExchanger interface {
	Exchange(ctx context.Context, ke event.StartKE, t Target, trace *event.KETrace) event.KEDone
}

// Network opens a fresh socket for one request.
type Network interface {
	Open(s event.Send) (Socket, error)
}

// Socket carries one request and the replies to it. Close ends Receive.
type Socket interface {
	Send(data []byte) error
	// Receive returns the length of a datagram and when it and the request
	// passed.
	Receive(buf []byte) (n int, sent, received event.Stamp, err error)
	Close() error
}

// Prober tests servers. Its methods may be called from several goroutines. All
// fields but the last are required.
type Prober struct {
	Clock    Clock
	Resolver Resolver
	KE       KeyExchanger
	Network  Network
	Rand     io.Reader
	Floor    clock.Wall // no true time lies before it
}

// test is one run.
type test struct {
	*Prober
	target  Target
	result  Result
	tell    func(Result)
	started clock.Mono
	sent    int // NTP requests so far
	contact
}

// contact is what is known of the server at one address: of the next one nothing is.
type contact struct {
	session  nts.Session
	ntp      netip.AddrPort // where requests go
	patience time.Duration  // how long a reply is waited for
	stopped  string         // why the server wants no more requests
}

// Run tests one server, at most for Timeout. tell is called, from the same
// goroutine, with what is known so far, each time something new is done.
func (p *Prober) Run(ctx context.Context, target Target, tell func(Result)) Result {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	now := p.Clock.Read()
	t := &test{
		Prober: p, target: target, tell: tell, started: now.Mono,
		result: Result{
			Running: true, Server: target.Source.Name, NTS: target.Source.NTS, Time: status.Time(now.Wall), Addresses: []Address{},
		},
	}
	if reason := t.run(ctx); reason != "" {
		t.result.Error = reason
	}
	t.result.OK = t.result.Error == ""
	t.result.Running, t.result.Step = false, ""
	t.result.DurationS = t.elapsed().Seconds()
	return t.result
}

func (t *test) elapsed() time.Duration { return t.Clock.Read().Mono.Sub(t.started) }

// step tells what is done next.
func (t *test) step(what string) {
	t.result.Step, t.result.DurationS = what, t.elapsed().Seconds()
	if t.tell != nil {
		known := t.result
		known.Addresses, known.Lengths = slices.Clone(known.Addresses), slices.Clone(known.Lengths)
		t.tell(known)
	}
}

// run does all of it and returns why it failed.
func (t *test) run(ctx context.Context) (reason string) {
	addrs, reason := t.lookUp(ctx, t.target.Source.Name)
	if reason != "" {
		return reason
	}
	// The first address that gives anything is the one that is tested. Of those
	// that fail, the one that came furthest is told of.
	best, furthest := t.result, -1
	for i, addr := range candidates(addrs) {
		if i > 0 && ctx.Err() != nil {
			break
		}
		t.contact = contact{patience: replyTime}
		r := &t.result
		r.KE, r.Certificate, r.NTP, r.Lengths, r.SizeLoss = nil, nil, nil, nil, nil
		failure := t.ask(ctx, addr)
		t.note(addr, failure)
		if failure == "" {
			t.lengths(ctx)
			return ""
		}
		if d := r.depth(); d > furthest {
			best, furthest, reason = *r, d, failure
		}
	}
	best.Addresses = t.result.Addresses
	t.result = best
	return reason
}

// depth is how far a test came.
func (r *Result) depth() int {
	switch {
	case r.NTP != nil:
		return 4
	case r.KE == nil || r.KE.ConnectS == 0:
		return 0
	case r.KE.HandshakeS == 0:
		return 1
	case r.KE.Cookies == 0:
		return 2
	}
	return 3
}

// lookUp resolves the server's name.
func (t *test) lookUp(ctx context.Context, name string) (addrs []netip.Addr, reason string) {
	t.step("looking up " + name)
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found := t.Resolver.Resolve(ctx, event.Resolve{Name: name, Family: t.target.Source.Family})
	if len(found.Addrs) == 0 {
		return nil, name + " has no address: " + cmp.Or(found.Reason, "no answer")
	}
	for _, a := range found.Addrs[:min(len(found.Addrs), maxShown)] {
		t.result.Addresses = append(t.result.Addresses, Address{Address: a.String(), Family: familyOf(a)})
	}
	return found.Addrs, ""
}

// candidates are the addresses to try: in the resolver's order, but the second
// of the other family, where there is one.
func candidates(addrs []netip.Addr) []netip.Addr {
	list := slices.Clone(addrs)
	for i := 1; i < len(list); i++ {
		if list[i].Is4() != list[0].Is4() {
			other := list[i]
			list = slices.Insert(slices.Delete(list, i, i+1), 1, other)
			break
		}
	}
	return list[:min(len(list), maxAsked)]
}

func familyOf(a netip.Addr) string {
	if a.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// note remembers what became of an address.
func (t *test) note(addr netip.Addr, failure string) {
	for i := range t.result.Addresses {
		if a := &t.result.Addresses[i]; a.Address == addr.String() {
			a.Tried, a.Error = true, failure
		}
	}
}

// ask establishes keys with one address and asks for the time once.
func (t *test) ask(ctx context.Context, addr netip.Addr) (failure string) {
	s := &t.target.Source
	if s.Key != 0 && !s.NTS && t.target.Key == nil {
		return fmt.Sprintf("key %d is not known here: the daemon has the keys of its configuration", s.Key)
	}
	t.result.Address = addr.String()
	t.ntp = netip.AddrPortFrom(addr, s.Port)
	if s.NTS {
		if failure = t.establish(ctx, addr); failure != "" {
			return failure
		}
	}
	return t.first(ctx)
}

// establish runs the key establishment.
func (t *test) establish(ctx context.Context, addr netip.Addr) (failure string) {
	s := &t.target.Source
	t.step("establishing keys with " + netip.AddrPortFrom(addr, s.NTSPort).String())
	limited, cancel := context.WithTimeout(ctx, establishTime)
	defer cancel()
	var trace event.KETrace
	done := t.KE.Exchange(limited, event.StartKE{
		Name: s.Name, Addr: addr, Port: s.NTSPort, AEADs: s.AEADs, TrustedCerts: s.TrustedCerts, NoVal: s.NoVal,
		Verify: event.Verify{At: t.Clock.Read().Wall},
	}, t.target, &trace)
	t.result.KE, t.result.Certificate = keOf(addr, s.NTSPort, &trace), certificateOf(&trace)
	if done.Failure != nts.FailureNone {
		return done.Reason
	}
	t.session = done.Session
	ke := t.result.KE
	ke.DurationS, ke.NextProtocol = done.Info.Duration.Seconds(), "NTPv4"
	ke.AEAD, ke.AEADName = int(done.Session.AEAD), done.Session.AEAD.String()
	ke.Cookies = len(done.Session.Cookies)
	if ke.Cookies > 0 {
		ke.CookieBytes = len(done.Session.Cookies[0])
	}
	ke.NTPServer, ke.NTPPort = cmp.Or(done.NTPHost, done.Session.NTPAddr.Addr().String()), int(done.Session.NTPAddr.Port())
	t.ntp = done.Session.NTPAddr
	if done.NTPHost == "" {
		return ""
	}
	t.step("looking up " + done.NTPHost + ", the NTP server that the key establishment named")
	found := t.Resolver.Resolve(limited, event.Resolve{Name: done.NTPHost, Family: s.Family})
	if len(found.Addrs) == 0 {
		return "the NTP server " + done.NTPHost + " that the key establishment named has no address: " + found.Reason
	}
	t.ntp = netip.AddrPortFrom(found.Addrs[0], done.Session.NTPAddr.Port())
	return ""
}

func keOf(addr netip.Addr, port uint16, t *event.KETrace) *KE {
	return &KE{
		Address: addr.String(), Port: int(port), ConnectS: t.Connect.Seconds(), HandshakeS: t.Handshake.Seconds(),
		TLSVersion: t.TLSVersion, CipherSuite: t.CipherSuite, Group: t.Group, PostQuantum: t.PostQuantum, ALPN: t.ALPN,
	}
}

func certificateOf(t *event.KETrace) *Certificate {
	if len(t.Chain) == 0 {
		return nil
	}
	link := func(c *event.Certificate) Link {
		return Link{Subject: c.Subject, Issuer: c.Issuer, NotBefore: status.Time(c.NotBefore), NotAfter: status.Time(c.NotAfter)}
	}
	leaf := &t.Chain[0]
	c := &Certificate{Link: link(leaf), Names: leaf.Names, Key: leaf.Key, Verified: t.Verified, Refused: t.Refused}
	for i := range t.Chain[1:] {
		c.Chain = append(c.Chain, link(&t.Chain[1+i]))
	}
	return c
}
