package responder

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/order"
	"ntsd/internal/server"
	"ntsd/internal/status"
)

// ServerStats returns what has been counted since the start.
func (r *Responder) ServerStats() status.ServerStats {
	t, ports := r.tally()
	asked := t.counts.Requests() - t.counts[server.Control]
	s := status.ServerStats{
		Ports: ports, Received: asked, Dropped: asked - t.counts.Replies(),
		Authenticated: t.counts[server.AnsweredNTS] + t.counts[server.AnsweredNTSInterleaved] +
			t.counts[server.AnsweredMAC] + t.counts[server.AnsweredMACInterleaved],
		Interleaved: t.counts[server.AnsweredInterleaved] + t.counts[server.AnsweredNTSInterleaved] +
			t.counts[server.AnsweredMACInterleaved],
		KernelRX: t.kernelRx, DaemonRX: t.daemonRx,
		KernelTX: t.kernelTx, DaemonTX: t.counts.Replies() - min(t.counts.Replies(), t.kernelTx),
		KEAccepted: t.keAccepted, KEDropped: t.keDropped, KE: t.ke,
		Unsent: t.unsent, Cookies: cookies(&t.cookies), Verdicts: make(map[string]uint64, server.Verdicts),
	}
	for v := range server.Verdicts {
		s.Verdicts[server.Verdict(v).String()] = t.counts[v]
	}
	if memory := r.state.Load().table; memory != nil {
		var span time.Duration
		for i := range memory.stripes {
			held, over := memory.held(i)
			s.ClientsDropped += memory.displaced(i)
			s.Held += held
			span = max(span, over)
		}
		s.HeldSpanS = span.Seconds()
	}
	return s
}

// tally sums up over the workers, and names the ports that are served.
func (r *Responder) tally() (t tally, ports []uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t = r.past
	for _, workers := range r.workers {
		for _, w := range workers {
			w.tally(&t)
		}
	}
	if r.beside != nil {
		r.beside.tally(&t)
	}
	for _, ke := range append(slices.Clone(r.nts.leaving), r.nts.ke) {
		if ke != nil {
			t.addKE(ke)
		}
	}
	t.cookies.Made += r.nts.grants.made.Load()
	for s := range r.workers {
		if !s.local {
			ports = append(ports, s.port)
		}
	}
	order.Stable(ports, cmp.Compare)
	return t, ports
}

// cookies puts the counts of cookies into the words of the status.
func cookies(c *server.CookieCounts) status.CookieCounts {
	return status.CookieCounts{
		Made: c.Made, Opened: c.Opened[0], OpenedOld: c.Opened[1], OpenedOld2: c.Opened[2], OpenedOlder: c.Opened[3],
		Expired: c.Expired, Bad: c.Bad,
	}
}

func (t *table) held(i int) (int, time.Duration) {
	s := &t.stripes[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients.Held()
}

func (t *table) displaced(i int) uint64 {
	s := &t.stripes[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients.Displaced()
}

func (t *table) list(i int, dst []server.Client, now clock.Mono) []server.Client {
	s := &t.stripes[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients.AppendList(dst, now)
}

func (t *table) reset(i int, least uint32) {
	s := &t.stripes[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients.Reset(least)
}

// Clients returns the clients that have asked at least so many times, for time
// or for keys, in the order of their addresses. With reset they are counted
// from 0 again.
func (r *Responder) Clients(least uint32, reset bool) []status.Client {
	memory := r.state.Load().table
	if memory == nil {
		return []status.Client{} // JSON says [], not null
	}
	now, _ := r.opt.Clock.Now()
	var all []server.Client
	for i := range memory.stripes {
		all = memory.list(i, all, now.Mono)
		if reset {
			memory.reset(i, least)
		}
	}
	all = slices.DeleteFunc(all, func(c server.Client) bool { return max(c.Requests, c.KE) < least })
	order.Stable(all, func(x, y server.Client) int { return x.Addr.Compare(y.Addr) })
	rows := make([]status.Client, 0, len(all))
	for i := range all {
		c := &all[i]
		rows = append(rows, status.Client{
			Address: c.Addr.String(), Requests: c.Requests, Dropped: c.Dropped,
			IntervalS: c.Interval.Seconds(), AnsweredIntervalS: c.AnsweredInterval.Seconds(), LastS: c.Last.Seconds(),
			NTS: c.NTS, Interleaved: c.Interleaved,
			KE: c.KE, KEDropped: c.KEDropped, KEIntervalS: c.KEInterval.Seconds(), KELastS: c.KELast.Seconds(),
		})
	}
	return rows
}

// CheckAccess says whether a client with that address would be answered.
func (r *Responder) CheckAccess(a netip.Addr) status.Access {
	access := r.state.Load().policy.Access
	answer := status.Access{Address: a.String(), Allowed: access.Allowed(a)}
	_, ports := r.tally()
	answer.Serving = len(ports) > 0
	if rule, ok := access.Deciding(a); ok {
		answer.Rule = rule.Prefix.String()
	}
	return answer
}

// NTSKeys returns what may be told of the cookie keys. The file has the time of
// the current one; the older ones are as many rotations older.
func (r *Responder) NTSKeys() status.NTSKeys {
	s := r.state.Load()
	k := status.NTSKeys{Keys: []status.NTSKey{}, Shared: s.keysFile, RotateS: s.rotate.Seconds(), Waiting: s.waiting}
	k.FlashDay, k.Flash = r.opt.Keys.Written()
	if s.keys == nil || len(s.keys.Keys) == 0 {
		return k
	}
	now, _ := r.opt.Clock.Now()
	if s.shared {
		k.Keys = append(k.Keys, status.NTSKey{ID: s.keys.Keys[0].ID + 1, State: status.KeyNext})
	}
	made, state := s.keys.Made, status.KeyCurrent
	for _, key := range s.keys.Keys {
		k.Keys = append(k.Keys, status.NTSKey{
			ID: key.ID, State: state, Made: status.Time(made), AgeS: max(0, now.Wall.Sub(made).Duration().Seconds()),
		})
		made, state = made.Add(-s.rotate), status.KeyOld
	}
	if !s.waiting {
		k.Next = status.Time(s.keys.Made.Add(s.rotate))
	}
	return k
}
