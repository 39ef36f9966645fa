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
			c.wall.At = c.now(t)
			c.wall.At.Wall = c.wall.At.Wall.Add(a.Offset.Duration())
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

// send puts a request on its way, and its reply.
func (c *client) send(t Instant, a event.Send) {
	c.result.Packets++
	c.recorder.sent(t)
	c.open[a.Source] = a.Request
	st := c.stations[a.To.Addr()]
	if st == nil {
		c.after(t+Instant(time.Millisecond), func(t Instant) {
			c.carryOut(t, c.engine.HandleSendFailed(c.now(t),
				event.SendFailed{Source: a.Source, Request: a.Request, Reason: "no route"}, c.actions[:0]))
		})
		return
	}
	sent := c.osc.Mono(t)
	there, back := st.To.draw(t, st.rng), st.Back.draw(t, st.rng)
	if st.Loss > 0 && st.rng.Float64() < st.Loss {
		return
	}
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 254}), uint16(49152+c.rng.UintN(16384)))
	arrival := t + Instant(there)
	reply, ok := st.answer(a.Data, from, arrival)
	if !ok {
		return
	}
	c.after(arrival+Instant(back), func(t Instant) {
		if c.open[a.Source] != a.Request {
			return
		}
		received := c.osc.Mono(t)
		queued := float64(there - st.To.Base + back - st.Back.Base)
		c.oracle.observe(sent.Add(received.Sub(sent)/2), st.now(arrival), st.variance(queued))
		c.carryOut(t, c.engine.HandleReceived(c.now(t), event.Received{
			Source: a.Source, Request: a.Request, From: a.To, Local: from.Addr(),
			Sent:     event.Stamp{At: sent, Kind: event.StampKernel},
			Received: event.Stamp{At: received, Kind: event.StampKernel},
			Data:     reply,
		}, c.actions[:0]))
	})
}

func (c *client) startKE(t Instant, a event.StartKE) {
	st := c.stations[a.Addr]
	done := event.KEDone{Source: a.Source, Attempt: a.Attempt}
	delay := Instant(time.Millisecond)
	if st == nil {
		done.Failure, done.Reason = nts.FailureNetwork, "no route"
	} else {
		for range handshake {
			delay += Instant(st.To.draw(t, st.rng))
		}
		done = st.establish(a, t+delay)
	}
	c.after(t+delay, func(t Instant) {
		c.carryOut(t, c.engine.HandleKEDone(c.now(t), done, c.actions[:0]))
	})
}

// resolve answers address literals only: the sources of a world are named by
// their addresses.
func (c *client) resolve(t Instant, a event.Resolve) {
	r := event.Resolved{Name: a.Name, Family: a.Family}
	if addr, err := netip.ParseAddr(a.Name); err == nil {
		r.Addrs = []netip.Addr{addr}
	} else {
		r.Reason = "no such name"
	}
	c.after(t+Instant(time.Millisecond), func(t Instant) {
		c.carryOut(t, c.engine.HandleResolved(c.now(t), r, c.actions[:0]))
	})
}
