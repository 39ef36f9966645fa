package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	// patience is how long a reply is waited for before it counts as lost.
	patience = 200 * time.Millisecond
	// sweep is how often lost requests are looked for.
	sweep = 20 * time.Millisecond
	// breath is the longest pause: the end must be noticed.
	breath = 10 * time.Millisecond
	// least is the shortest pause of an open loop: sleeping costs more.
	least = 50 * time.Microsecond
	// establishing is how many key establishments run at a time.
	establishing = 8
)

// generator sends requests from one socket and verifies what comes back.
type generator struct {
	o       *options
	socket  *socket
	clients []client
	slots   []slot
	free    []int // slots without a request under way
	next    int   // client to ask next
	count   uint64
	random  *rand.ChaCha8
	tally   tally
}

// load runs the generators and prints what they found.
func load(o *options, stdout io.Writer) error {
	clients, err := newClients(o)
	if err != nil {
		return err
	}
	generators := make([]*generator, o.threads)
	for i := range generators {
		g, err := newGenerator(o, clients[i*len(clients)/o.threads:(i+1)*len(clients)/o.threads], i)
		if err != nil {
			return err
		}
		defer g.socket.close()
		generators[i] = g
	}
	all, err := measure(o, stdout, len(generators), func(i int, start time.Time) *tally {
		generators[i].run(start, start.Add(o.duration))
		return &generators[i].tally
	})
	switch {
	case err != nil:
		return err
	case all.replies == 0:
		return errors.New("no reply")
	case all.wrong > 0:
		return fmt.Errorf("%d replies are wrong", all.wrong)
	}
	return nil
}

// newClients makes the clients, with their sessions.
func newClients(o *options) ([]client, error) {
	clients := make([]client, o.clients)
	sessions := make([]*session, min(o.sessions, o.clients))
	if o.algorithm() == 0 {
		sessions = nil
	}
	if err := establishAll(o, sessions); err != nil {
		return nil, err
	}
	addr := o.from.Addr()
	for i := range clients {
		clients[i].addr = addr
		if addr.IsValid() {
			if addr = addr.Next(); !o.from.Contains(addr) {
				addr = o.from.Addr()
			}
		}
		if len(sessions) > 0 {
			clients[i].session = sessions[i%len(sessions)]
		}
	}
	return clients, nil
}

// establishAll fills in the sessions, some at a time.
func establishAll(o *options, sessions []*session) error {
	errs := make([]error, establishing)
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := k; i < len(sessions) && errs[k] == nil; i += establishing {
				sessions[i], errs[k] = establish(o)
			}
		})
	}
	wg.Wait()
	return cmp.Or(errs...)
}

func newGenerator(o *options, clients []client, number int) (*generator, error) {
	s, err := dial(o.server)
	if err != nil {
		return nil, err
	}
	g := &generator{
		o: o, socket: s, clients: clients, slots: make([]slot, o.inflight),
		random: rand.NewChaCha8([32]byte{byte(number)}),
	}
	for i := range g.slots {
		g.free = append(g.free, i)
	}
	return g, nil
}

// run sends until the end, then waits for what is under way.
func (g *generator) run(start, end time.Time) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	swept := start
	for {
		now := time.Now()
		if now.After(end) {
			break
		}
		if now.Sub(swept) > sweep {
			g.sweep(patience)
			swept = now
		}
		pause := g.send(now.Sub(start))
		if g.receive() == 0 {
			g.socket.wait(pause)
		}
	}
	for last := end.Add(patience); len(g.free) < len(g.slots) && time.Now().Before(last); {
		if g.receive() == 0 {
			g.socket.wait(breath)
		}
	}
	g.sweep(0)
}

// send asks as often as there is a free slot: without -rate each of those that
// were answered asks again; with it, as many as the time wants. It returns how
// long nothing is to be sent.
func (g *generator) send(elapsed time.Duration) time.Duration {
	due := len(g.free)
	pause := breath
	if g.o.rate > 0 {
		rate := float64(g.o.rate) / float64(g.o.threads)
		wanted := uint64(elapsed.Seconds() * rate)
		missing := int(wanted - min(wanted, g.count))
		if missing > len(g.free) { // a server that does not follow: not asked
			g.tally.unasked += uint64(missing - len(g.free))
			g.count += uint64(missing - len(g.free))
		}
		due = min(missing, len(g.free))
		pause = max(least, time.Duration(float64(g.count+1)/rate*1e9)-elapsed)
	}
	for due > 0 {
		n := min(due, burst)
		g.burst(n)
		due -= n
	}
	return min(pause, breath)
}

// burst sends n requests by one system call.
func (g *generator) burst(n int) {
	var sent [burst]int
	for k := range n {
		i := g.free[len(g.free)-1]
		g.free = g.free[:len(g.free)-1]
		sent[k] = i
		c := &g.clients[g.next]
		if g.next++; g.next == len(g.clients) {
			g.next = 0
		}
		g.count++
		g.socket.queue(g.slots[i].ask(g.socket.buffer(), i, c, g.o, g.count, g.random), c.addr)
	}
	now := wall()
	for _, i := range sent[:n] {
		g.slots[i].sent = now
	}
	if g.socket.flush() != nil {
		g.tally.unsent++
	}
}

// receive verifies what has come.
func (g *generator) receive() int {
	n := g.socket.receive()
	for k := range n {
		packet, at := g.socket.packet(k)
		reply, err := wire.ParseHeader(packet)
		i := slotOf(reply.Origin)
		switch {
		case packet == nil:
			continue
		case err != nil || reply.Mode != wire.ModeServer || i >= len(g.slots):
			g.tally.wrong++
			continue
		}
		s := &g.slots[i]
		if !s.answers(&reply, g.o) {
			g.tally.late++
			continue
		}
		interleaved, err := s.accept(packet, &reply, g.o)
		switch {
		case err != nil:
			g.tally.wrong++
		case interleaved:
			g.tally.interleaved++
			fallthrough
		default:
			g.tally.reply(at - s.sent)
		}
		g.release(i)
	}
	return n
}

// sweep gives up the requests that are older than that.
func (g *generator) sweep(old time.Duration) {
	now := wall()
	for i := range g.slots {
		if s := &g.slots[i]; s.sent != 0 && now-s.sent >= old {
			g.tally.lost++
			s.client.last = 0
			g.release(i)
		}
	}
}

func (g *generator) release(i int) {
	g.slots[i].sent = 0
	g.free = append(g.free, i)
}

// algorithm is what NTS runs with, 0 without.
func (o *options) algorithm() siv.Algorithm {
	switch o.mode {
	case modeNTS15:
		return siv.AESSIVCMAC256
	case modeNTS30:
		return siv.AES128GCMSIV
	}
	return 0
}
