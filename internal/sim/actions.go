package sim

import (
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/nts"
)

// carryOut does what the engine asked for, in order.
func (c *client) carryOut(t Instant, actions []event.Action) {
	c.look(t)
	// The engine may be called again from in here: the slice is its own.
	actions = slices.Clone(actions)
	for _, a := range actions {
		if c.world.Trace != nil {
			c.world.Trace(t, a, c.wrong(t))
		}
		switch a := a.(type) {
		case event.Send:
			c.send(t, a)
		case event.CloseSocket:
			delete(c.open, a.Source)
		case event.StartKE:
			c.startKE(t, a)
		case event.Resolve:
			c.resolve(t, a)
		case event.SetRate:
			c.wall = clock.Line{At: c.now(t), Rate: a.Rate}
		case event.Step:
			c.jump(t, a.Offset)
			c.result.Steps++
			c.recorder.seen(t, c.wrong(t))
		case event.Notice:
			c.result.Notices = append(c.result.Notices, Noticed{At: t, Notice: a})
		case event.SetStatus:
			c.kernelLeap = a.Leap
		case event.SaveDrift:
			c.result.Drift = a.Rate
		}
	}
}

// station returns the server that is, or once was, at an address.
func (c *client) station(a netip.Addr) *station {
	for _, s := range c.stations {
		at := s.Addr
		for range len(s.Moves) + 1 {
			if at == a {
				return s
			}
			at = at.Next()
		}
	}
	return nil
}

// send puts a request on its way, and its reply.
func (c *client) send(t Instant, a event.Send) {
	if a.From.IsValid() && a.From != c.local(t) {
		c.refuse(t, a, true) // it has not left
		return
	}
	c.result.Packets++
	c.recorder.sent(t, a.Source)
	c.open[a.Source] = a.Request
	st := c.station(a.To.Addr())
	if st == nil {
		c.refuse(t, a, false)
		return
	}
	from := netip.AddrPortFrom(c.local(t), uint16(49152+c.rng.UintN(16384)))
	sent := event.Stamp{At: c.mono(t), Kind: event.StampKernel}
	left := t
	if c.world.Client.DaemonStamps {
		sent.Kind = event.StampDaemon
		left += Instant(c.latency.draw(t, 0))
	}
	there, back := st.to.draw(left, from.Port()), st.back.draw(left, from.Port())
	if st.Loss > 0 && st.rng.Float64() < st.Loss || st.MaxLength > 0 && len(a.Data) > st.MaxLength {
		return
	}
	arrival := left + Instant(there)
	reply, away, ok := st.answer(a.To.Addr(), a.Data, from, arrival)
	if !ok || st.LossBack > 0 && st.rng.Float64() < st.LossBack {
		return
	}
	arrival = away
	reply = st.attack(reply, func(data []byte) {
		ev := event.Received{Sent: sent, Received: sent, Local: from.Addr(), Data: data}
		c.queueAt(arrival+Instant(back)/2, func(t Instant) { c.intrude(t, a, ev) })
	})
	c.queueAt(arrival+Instant(back), func(t Instant) {
		if _, asleep := c.asleep(t); asleep || c.local(t) != from.Addr() {
			return
		}
		ev := event.Received{Sent: sent, Received: event.Stamp{At: c.mono(t), Kind: sent.Kind}, Local: from.Addr(), Data: reply}
		if !c.world.Client.DaemonStamps {
			c.receive(t, a, st, ev, arrival)
			return
		}
		c.after(t+Instant(c.latency.draw(t, 0)), func(t Instant) {
			ev.Received.At = c.mono(t)
			c.receive(t, a, st, ev, arrival)
		})
	})
}

// refuse tells the engine that a request cannot leave.
func (c *client) refuse(t Instant, a event.Send, moved bool) {
	c.after(t+Instant(time.Millisecond), func(t Instant) {
		c.carryOut(t, c.engine.HandleSendFailed(c.now(t),
			event.SendFailed{Source: a.Source, Request: a.Request, Reason: "no route", Unsent: moved, Moved: moved}, c.actions[:0]))
	})
}

// receive hands a reply that the server sent at arrival to the engine; without
// a server, one that the oracle need not see.
func (c *client) receive(t Instant, a event.Send, st *station, ev event.Received, arrival Instant) {
	if c.open[a.Source] != a.Request {
		return
	}
	if st != nil && (st.honest() || !c.anyHonest()) {
		trip := ev.Received.At.Sub(ev.Sent.At)
		mean, variance := st.errors.of(float64(trip))
		c.oracle.observe(ev.Sent.At.Add(trip/2), arrival, mean, variance)
	}
	ev.Source, ev.Request, ev.From = a.Source, a.Request, a.To
	c.carryOut(t, c.engine.HandleReceived(c.now(t), ev, c.actions[:0]))
}

// anyHonest reports whether there is a server for the oracle to listen to.
func (c *client) anyHonest() bool {
	return slices.ContainsFunc(c.stations, func(s *station) bool { return s.honest() })
}

func (c *client) startKE(t Instant, a event.StartKE) {
	st := c.station(a.Addr)
	done := event.KEDone{Source: a.Source, Attempt: a.Attempt}
	delay := Instant(time.Millisecond)
	if st == nil {
		done.Failure, done.Reason = nts.FailureNetwork, "no route"
	} else {
		for range handshake {
			delay += Instant(st.to.draw(t, 0))
		}
		done = st.establish(a, t+delay)
	}
	c.after(t+delay, func(t Instant) {
		c.carryOut(t, c.engine.HandleKEDone(c.now(t), done, c.actions[:0]))
	})
}

// resolve answers address literals and the names of servers.
func (c *client) resolve(t Instant, a event.Resolve) {
	r := event.Resolved{Name: a.Name, Family: a.Family}
	if addr, err := netip.ParseAddr(a.Name); err == nil {
		r.Addrs = []netip.Addr{addr}
	}
	for _, s := range c.stations {
		if s.Name == a.Name {
			r.Addrs = append(r.Addrs, s.address(t))
		}
	}
	if len(r.Addrs) == 0 {
		r.Reason = "no such name"
	}
	c.after(t+Instant(time.Millisecond), func(t Instant) {
		c.carryOut(t, c.engine.HandleResolved(c.now(t), r, c.actions[:0]))
	})
}
