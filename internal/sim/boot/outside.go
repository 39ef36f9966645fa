package boot

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// handshake is how many round trips a key establishment takes: TCP, TLS, the
// request.
const handshake = 3

// online reports whether there is a network.
func (y *life) online() bool { return y.mono.Sub(y.born) >= y.Network }

func (w *World) at(a netip.Addr) *Server {
	for _, s := range w.Servers {
		if s.Addr == a {
			return s
		}
	}
	return nil
}

// trip is one packet's way there or back.
func (w *World) trip(s *Server) time.Duration {
	return s.Trip/2 + time.Duration(w.rng.Int64N(int64(s.Trip/50)))
}

// present is the true time now.
func (y *life) present() clock.Wall { return y.truth.WallAt(y.mono) }

// resolve answers a look-up.
func (y *life) resolve(a event.Resolve) {
	ev := event.Resolved{Name: a.Name, Family: a.Family, Temporary: true, Reason: "temporary failure"}
	wait := 10 * time.Second
	switch up := y.mono.Sub(y.born); {
	case !y.online():
		wait = time.Millisecond
	case y.Names >= 0 && up >= y.Names:
		wait = 20 * time.Millisecond
		for _, s := range y.w.Servers {
			if s.Name == a.Name {
				ev.Addrs, ev.Temporary, ev.Reason = append(ev.Addrs, s.Addr), false, ""
			}
		}
	}
	y.after(wait, func() { y.perform(y.engine.HandleResolved(y.now(), ev, nil)) })
}

// send carries a request to its server and the reply back.
func (y *life) send(a event.Send) {
	sent := y.mono
	y.open[a.Source] = a.Request
	s := y.w.at(a.To.Addr())
	if s == nil || !y.online() {
		y.after(time.Millisecond, func() {
			y.perform(y.engine.HandleSendFailed(y.now(), event.SendFailed{
				Source: a.Source, Request: a.Request, Reason: "no route", Unsent: true,
			}, nil))
		})
		return
	}
	y.after(y.w.trip(s), func() {
		y.spend(a.Data)
		if s.Dead || y.mono.Sub(y.born) < s.Deaf || y.w.rng.Float64() < s.Loss {
			return
		}
		reply := y.answer(s, a.Data)
		y.after(y.w.trip(s)+s.Delay, func() {
			if y.open[a.Source] != a.Request || reply == nil {
				return
			}
			y.perform(y.engine.HandleReceived(y.now(), event.Received{
				Source: a.Source, Request: a.Request, From: a.To, Local: netip.MustParseAddr("192.0.2.240"),
				Sent:     event.Stamp{At: sent, Kind: event.StampKernel},
				Received: event.Stamp{At: y.mono, Kind: event.StampKernel}, Data: reply,
			}, nil))
		})
	})
}

// spend checks that no cookie is ever seen twice on the wire.
func (y *life) spend(data []byte) {
	req, err := nts.ParseServerRequest(data)
	if err != nil {
		return
	}
	if y.w.cookies[string(req.Cookie)] {
		y.w.breaks("a cookie was sent twice")
	}
	y.w.cookies[string(req.Cookie)] = true
}

// keys returns the cookie keys in use.
func (y *life) keys(s *Server) *nts.Keyring {
	id := uint32(1)
	for _, at := range s.Lost {
		if y.present() >= at {
			id++
		}
	}
	if s.ring == nil || s.key != id {
		key := nts.CookieKey{ID: id}
		y.random(key.Key[:])
		ring, err := nts.NewKeyring(key)
		if err != nil {
			panic(err) // our own key
		}
		s.ring, s.key = ring, id
	}
	return s.ring
}

func (y *life) random(b []byte) {
	if _, err := io.ReadFull(y.w.bytes, b); err != nil {
		panic(err) // our own generator cannot fail
	}
}

// answer is what a server makes of a request.
func (y *life) answer(s *Server, data []byte) []byte {
	req, err := wire.ParseHeader(data)
	if err != nil {
		y.w.breaks("a request is not NTP: %v", err)
		return nil
	}
	at := ntptime.FromWall(y.present().Add(s.Lie.Duration()))
	hdr := wire.Header{
		Version: 4, Mode: wire.ModeServer, Stratum: 1, Precision: -20, Poll: 6,
		ReferenceID: wire.ReferenceID{'S', 'I', 'M'}, ReferenceTime: at - 1<<32,
		RootDispersion: ntptime.ShortFrom(time.Millisecond),
		Origin:         req.Transmit, Receive: at, Transmit: at,
	}
	if s.Plain {
		return hdr.Append(nil)
	}
	r, err := nts.ParseServerRequest(data)
	if err != nil {
		return nil
	}
	var keys nts.Keys
	ring := y.keys(s)
	if ring.Open(r.Cookie, &keys) != nil {
		return nts.AppendKiss(nil, hdr, &r, wire.KissNTSN)
	}
	c2s, err := siv.New(keys.Algorithm, keys.C2S())
	if err != nil || r.Verify(c2s, nil) != nil {
		return nts.AppendKiss(nil, hdr, &r, wire.KissNTSN)
	}
	s2c, err := siv.New(keys.Algorithm, keys.S2C())
	if err != nil {
		panic(err) // the keys are from our own cookie
	}
	var fresh []byte
	for range r.MaxNewCookies() {
		fresh = append(fresh, y.cookie(ring, keys.Algorithm, keys.C2S(), keys.S2C())...)
	}
	nonce := make([]byte, keys.Algorithm.NonceSize())
	y.random(nonce)
	return nts.AppendServerResponse(nil, hdr, &r, fresh, s2c, nonce)
}

func (y *life) cookie(ring *nts.Keyring, alg siv.Algorithm, c2s, s2c []byte) []byte {
	var nonce [nts.CookieNonceLen]byte
	y.random(nonce[:])
	return ring.Seal(nil, alg, c2s, s2c, nonce)
}

// shows is the chain that a server shows now.
func (y *life) shows(s *Server) Chain {
	if s.Again != nil && s.kes > 1 {
		return *s.Again
	}
	var c Chain
	for _, next := range s.Chains {
		if next.Since <= y.present() {
			c = next
		}
	}
	return c
}

// establish runs a key establishment.
func (y *life) establish(a event.StartKE) {
	y.result.KEs++
	done := event.KEDone{Source: a.Source, Attempt: a.Attempt}
	s := y.w.at(a.Addr)
	if s == nil || !y.online() || s.Dead {
		done.Failure, done.Reason, done.NoRoute = nts.FailureNetwork, "no route", !y.online()
		y.after(time.Millisecond, func() { y.perform(y.engine.HandleKEDone(y.now(), done, nil)) })
		return
	}
	var wait time.Duration
	for range 2 * handshake {
		wait += y.w.trip(s)
	}
	y.after(wait, func() {
		s.kes++
		chain := y.shows(s)
		if why := judge(chain, a.Verify); why != "" && !s.NoVal {
			done.Failure, done.Reason = nts.FailureCertificate, why
		} else {
			done.Session = y.session(s, a, chain)
			done.Info = event.KEInfo{NotBefore: chain.NotBefore, NotAfter: chain.NotAfter}
			if done.Session.Strict {
				y.w.strict[s.Operator] = true
			}
		}
		y.perform(y.engine.HandleKEDone(y.now(), done, nil))
	})
}

// judge is what the verification of a chain says, as package ntske does it.
func judge(c Chain, v event.Verify) string {
	day := func(w clock.Wall) string { return w.Time().Format(time.DateOnly) }
	switch {
	case v.Tentative && c.NotAfter < v.Floor:
		return fmt.Sprintf("expired on %s, and it is at least %s", day(c.NotAfter), day(v.Floor))
	case v.Tentative:
		return ""
	case v.At < c.NotBefore || v.At > c.NotAfter:
		return fmt.Sprintf("not valid on %s", day(v.At))
	}
	return ""
}

func (y *life) session(s *Server, a event.StartKE, c Chain) nts.Session {
	alg := a.AEADs[0]
	keys := make([]byte, 2*alg.KeySize())
	y.random(keys)
	n := nts.Session{
		KEName: a.Name, KEAddr: a.Addr, KEPort: a.Port, NTPAddr: netip.AddrPortFrom(a.Addr, 123),
		AEAD: alg, C2S: keys[:alg.KeySize()], S2C: keys[alg.KeySize():], Established: a.Verify.At,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Strict: !a.Verify.Tentative && !a.NoVal,
	}
	ring := y.keys(s)
	for range nts.MaxCookies {
		n.Cookies = append(n.Cookies, y.cookie(ring, alg, n.C2S, n.S2C))
	}
	return n
}

// take takes cookies off the flash, if there is a route.
func (y *life) take(a event.TakeReserve) {
	ev := event.ReserveTaken{OK: true}
	switch {
	case !y.online():
		ev = event.ReserveTaken{Offline: true}
	case y.ReadOnly:
		ev = event.ReserveTaken{Reason: "read-only file system"}
	default:
		y.w.disk.reserve = slices.Clone(a.Rest)
		y.w.disk.writes++
		y.mono = y.mono.Add(syncTime) // the daemon waits for it
	}
	y.perform(y.engine.HandleReserveTaken(y.now(), ev, nil))
}

// persist writes state and reserve.
func (y *life) persist(a event.Persist) {
	if y.ReadOnly {
		return
	}
	y.w.disk.state = a.State
	y.w.disk.writes++
	if a.Fill {
		y.w.disk.reserve = slices.Clone(a.Reserve)
		y.w.disk.writes++
	}
	y.checkState(a.State)
}

// cut takes the power away in the middle of an action: what is being written
// is there or not.
func (y *life) cut(a event.Action) {
	y.dead = true
	coin := func() bool { return y.w.rng.IntN(2) == 0 }
	switch a := a.(type) {
	case event.Persist:
		if coin() && !y.ReadOnly {
			a.Fill = a.Fill && coin()
			y.persist(a)
		}
	case event.TakeReserve:
		if coin() && !y.ReadOnly && y.online() {
			y.w.disk.reserve = slices.Clone(a.Rest)
		}
	case event.Send:
		if coin() {
			y.spend(a.Data)
		}
	}
}
