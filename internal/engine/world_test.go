package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/snapshot"
	"ntsd/internal/upstream"
	"ntsd/internal/wire"
)

// epoch is true time when every test begins.
const epoch = clock.Wall(1_798_704_000_000_000_000) // 2026-12-31T08:00:00Z

// server is a fake NTP and key establishment server that speaks real packets.
type server struct {
	nts     bool
	dead    bool // NTP requests vanish
	loss    float64
	longest int           // packets above are lost, 0: none
	offset  time.Duration // of its clock from true time
	delay   time.Duration // one way
	keyID   uint32        // its cookies' key: change it and all cookies are void
	alt     bool          // it exported the second pair of keys
	keFails nts.FailureClass
	keWhy   string
	keDelay time.Duration
	ntpHost string         // named by its key establishment
	ntpAddr netip.AddrPort // likewise
	key     *mac.Secret    // replies are authenticated by it
	change  func(*wire.Header)
	kiss    wire.KissCode
	kes     int
	asked   int
	askedAt int // asked, when the last key establishment began
	answers int
}

// world carries out an engine's actions in virtual time.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	eng     *Engine
	now     clock.Reading
	rate    clock.Rate // of the wall clock, as set
	queue   []task
	names   map[string][]netip.Addr
	servers map[netip.Addr]*server

	exact    bool            // packets take the same time
	spent    map[string]bool // cookies seen by servers
	saved    map[netip.AddrPort]nts.Session
	backoffs map[netip.AddrPort]event.Backoff
	open     map[event.SourceID]uint64
	notices  []event.Notice
	kes      []event.StartKE
	kesAt    []clock.Mono
	lookups  int
	steps    int
	exit     *event.Exit
	exitAt   clock.Mono
	drift    *event.SaveDrift

	clocks map[string]func() event.ClockRead // reference clocks by their paths
	reads  int
	closed int

	persisted func(event.Persist)
	status    event.SetStatus // the latest
}

type task struct {
	at clock.Mono
	do func()
}

// Read makes the world's generator an io.Reader.
func (w *world) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return len(b), nil
}

// newWorld returns a world whose clock is off by err.
func newWorld(t *testing.T, seed uint64, err time.Duration) *world {
	t.Helper()
	t.Logf("seed %d", seed)
	return &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)),
		now:   clock.Reading{Mono: 1e9, Wall: epoch.Add(err)},
		names: map[string][]netip.Addr{}, servers: map[netip.Addr]*server{},
		spent: map[string]bool{}, saved: map[netip.AddrPort]nts.Session{},
		backoffs: map[netip.AddrPort]event.Backoff{}, open: map[event.SourceID]uint64{},
	}
}

// serve adds a server; names resolve to it in the order of the calls.
func (w *world) serve(name, addr string, s server) *server {
	a := netip.MustParseAddr(addr)
	if s.delay == 0 {
		s.delay = 10 * time.Millisecond
	}
	w.servers[a] = &s
	w.names[name] = append(w.names[name], a)
	return &s
}

// start makes an engine and starts it with what the last one saved.
func (w *world) start(cfg Config) {
	w.queue, w.open = nil, map[event.SourceID]uint64{}
	w.eng = New(cfg, w, w.now)
	var sessions []event.Restored
	var backoffs []event.Backoff
	for _, k := range sorted(w.saved) {
		sessions = append(sessions, event.Restored{Session: w.saved[k]})
	}
	for _, k := range sorted(w.backoffs) {
		backoffs = append(backoffs, w.backoffs[k])
	}
	w.perform(w.eng.HandleStart(w.now, sessions, backoffs, nil))
}

func sorted[V any](m map[netip.AddrPort]V) (keys []netip.AddrPort) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, netip.AddrPort.Compare)
	return keys
}

func (w *world) truth() clock.Wall { return epoch.Add(w.now.Mono.Sub(1e9)) }

func (w *world) wrong() time.Duration { return w.now.Wall.Sub(w.truth()).Duration() }

// run lets d pass.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Mono.Add(d)
	idle := 0
	for w.exit == nil {
		next := w.eng.NextDeadline()
		i := -1
		for j := range w.queue {
			if w.queue[j].at < next || (i >= 0 && w.queue[j].at < w.queue[i].at) {
				i, next = j, w.queue[j].at
			}
		}
		if next > end {
			break
		}
		if next > w.now.Mono.Add(time.Microsecond) {
			idle = 0
		} else if idle++; idle > 100 {
			w.t.Fatalf("the engine does not let time pass at %v", w.now.Mono)
		}
		w.advance(max(next, w.now.Mono))
		if i >= 0 {
			do := w.queue[i].do
			w.queue = slices.Delete(w.queue, i, i+1)
			do()
		} else {
			w.perform(w.eng.HandleTimer(w.now, nil))
		}
	}
	w.advance(max(end, w.now.Mono))
}

func (w *world) advance(to clock.Mono) {
	d := to.Sub(w.now.Mono)
	w.now = clock.Reading{Mono: to, Wall: w.now.Wall.Add(d).Add(w.rate.Over(d))}
}

func (w *world) after(d time.Duration, do func()) {
	w.queue = append(w.queue, task{w.now.Mono.Add(d), do})
}

func (w *world) perform(actions []event.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case event.Send:
			w.send(a)
		case event.CloseSocket:
			delete(w.open, a.Source)
		case event.StartKE:
			w.kes, w.kesAt = append(w.kes, a), append(w.kesAt, w.now.Mono)
			w.startKE(a)
		case event.Resolve:
			w.resolve(a)
		case event.ReadClock:
			w.readClock(a)
		case event.CloseClock:
			w.closed++
		case event.SaveSession:
			w.saved[netip.AddrPortFrom(a.Session.KEAddr, a.Session.KEPort)] = a.Session
		case event.DropSession:
			delete(w.saved, netip.AddrPortFrom(a.Addr, a.Port))
		case event.SaveBackoff:
			w.saveBackoff(a)
		case event.SaveDrift:
			w.drift = &a
		case event.Persist:
			w.persisted(a)
		case event.SetStatus:
			w.status = a
		case event.SetRate:
			w.rate = a.Rate
		case event.Step:
			w.steps++
			w.now.Wall = w.now.Wall.Add(a.Offset.Duration())
		case event.Notice:
			w.notices = append(w.notices, a)
		case event.Exit:
			w.exit, w.exitAt = &a, w.now.Mono
		}
	}
}

func (w *world) saveBackoff(a event.SaveBackoff) {
	k := netip.AddrPortFrom(a.Addr, a.Port)
	delete(w.backoffs, k)
	if a.Failures > 0 {
		w.backoffs[k] = event.Backoff(a)
	}
}

func (w *world) resolve(a event.Resolve) {
	w.lookups++
	ev := event.Resolved{Name: a.Name, Family: a.Family, Addrs: w.names[a.Name]}
	if len(ev.Addrs) == 0 {
		ev.Temporary, ev.Reason = true, "no such host"
	}
	w.after(5*time.Millisecond, func() { w.perform(w.eng.HandleResolved(w.now, ev, nil)) })
}

// send carries a request to its server and the reply back.
func (w *world) send(a event.Send) {
	eng, sent := w.eng, w.now.Mono
	w.open[a.Source] = a.Request
	s := w.servers[a.To.Addr()]
	if s == nil {
		w.after(time.Millisecond, func() {
			w.perform(w.eng.HandleSendFailed(w.now, event.SendFailed{Source: a.Source, Request: a.Request, Reason: "no route to host"}, nil))
		})
		return
	}
	w.after(w.delay(s), func() {
		s.asked++
		w.spend(a.Data)
		if s.dead || w.rng.Float64() < s.loss || (s.longest > 0 && len(a.Data) > s.longest) {
			return
		}
		reply := w.answer(s, a.Data)
		if reply == nil || w.rng.Float64() < s.loss {
			return
		}
		s.answers++
		w.after(w.delay(s), func() {
			if w.eng != eng || w.open[a.Source] != a.Request {
				return // nobody waits any more
			}
			w.perform(w.eng.HandleReceived(w.now, event.Received{
				Source: a.Source, Request: a.Request, From: a.To, Local: netip.MustParseAddr("192.0.2.99"),
				Sent:     event.Stamp{At: sent, Kind: event.StampKernel},
				Received: event.Stamp{At: w.now.Mono, Kind: event.StampKernel}, Data: reply,
			}, nil))
		})
	})
}

// delay returns one packet's way to or from a server.
func (w *world) delay(s *server) time.Duration {
	if w.exact {
		return s.delay
	}
	return s.delay + time.Duration(w.rng.ExpFloat64()*float64(50*time.Microsecond))
}

// spend checks that no cookie is ever seen twice on the wire.
func (w *world) spend(data []byte) {
	req, err := nts.ParseServerRequest(data)
	if err != nil {
		return
	}
	if w.spent[string(req.Cookie)] {
		w.t.Errorf("a cookie was sent twice")
	}
	w.spent[string(req.Cookie)] = true
}

func (w *world) ring(id uint32) *nts.Keyring {
	ring, err := nts.NewKeyring(nts.CookieKey{ID: id, Key: [nts.CookieKeyLen]byte{byte(id), 7}})
	if err != nil {
		w.t.Fatal(err)
	}
	return ring
}

// answer is what a server makes of a request, nil for nothing.
func (w *world) answer(s *server, data []byte) []byte {
	req, err := wire.ParseHeader(data)
	if err != nil || req.Mode != wire.ModeClient || req.Version != 4 || req.Transmit.IsZero() {
		w.t.Errorf("bad request % x", data)
		return nil
	}
	at := ntptime.FromWall(w.truth().Add(s.offset))
	hdr := wire.Header{
		Version: 4, Mode: wire.ModeServer, Stratum: 2, Precision: -20, Poll: 6,
		RootDelay: ntptime.ShortFrom(time.Millisecond), RootDispersion: ntptime.ShortFrom(time.Millisecond),
		ReferenceID: wire.ReferenceID{198, 51, 100, 1}, ReferenceTime: at - 1<<36,
		Origin: req.Transmit, Receive: at, Transmit: at,
	}
	if s.kiss != 0 {
		hdr.Stratum, hdr.ReferenceID = 0, s.kiss.ReferenceID()
	}
	if s.change != nil {
		s.change(&hdr)
	}
	if s.key != nil {
		return mac.NewRing([]mac.Secret{*s.key}).Find(s.key.ID).Append(hdr.Append(nil))
	}
	if !s.nts || len(data) == wire.HeaderLen {
		return hdr.Append(nil)
	}
	return w.answerNTS(s, hdr, data)
}

func (w *world) answerNTS(s *server, hdr wire.Header, data []byte) []byte {
	req, err := nts.ParseServerRequest(data)
	if err != nil {
		w.t.Errorf("bad NTS request: %v", err)
		return nil
	}
	var keys nts.Keys
	if w.ring(s.keyID).Open(req.Cookie, &keys) != nil {
		return nts.AppendKiss(nil, hdr, &req, wire.KissNTSN)
	}
	c2s, err := siv.New(keys.Algorithm, keys.C2S())
	if err != nil || req.Verify(c2s, nil) != nil {
		return nts.AppendKiss(nil, hdr, &req, wire.KissNTSN)
	}
	s2c, _ := siv.New(keys.Algorithm, keys.S2C())
	var cookies []byte
	for range req.MaxNewCookies() {
		cookies = w.cookie(s, cookies, keys.Algorithm, keys.C2S(), keys.S2C())
	}
	nonce := make([]byte, keys.Algorithm.NonceSize())
	w.Read(nonce)
	reply := nts.AppendServerResponse(nil, hdr, &req, cookies, s2c, nonce)
	if len(reply) > len(data) {
		w.t.Errorf("reply has %d bytes, request %d", len(reply), len(data))
	}
	return reply
}

func (w *world) cookie(s *server, dst []byte, alg siv.Algorithm, c2s, s2c []byte) []byte {
	var nonce [nts.CookieNonceLen]byte
	w.Read(nonce[:])
	return w.ring(s.keyID).Seal(dst, alg, c2s, s2c, nonce)
}

// startKE answers a key establishment.
func (w *world) startKE(a event.StartKE) {
	s := w.servers[a.Addr]
	if s != nil {
		s.askedAt = s.asked
	}
	ev := event.KEDone{Source: a.Source, Attempt: a.Attempt}
	d := 50 * time.Millisecond
	switch {
	case s == nil:
		ev.Failure, ev.Reason = nts.FailureNetwork, "no route to host"
	case s.keFails != nts.FailureNone:
		s.kes++
		ev.Failure, ev.Reason = s.keFails, s.keWhy
	default:
		s.kes++
		ev.Session, ev.NTPHost = w.session(s, a), s.ntpHost
		d += s.keDelay
	}
	eng := w.eng
	w.after(d, func() {
		if w.eng == eng {
			w.perform(w.eng.HandleKEDone(w.now, ev, nil))
		}
	})
}

func (w *world) session(s *server, a event.StartKE) nts.Session {
	alg := a.AEADs[0]
	key := func() []byte {
		k := make([]byte, alg.KeySize())
		w.Read(k)
		return k
	}
	n := nts.Session{
		KEName: a.Name, KEAddr: a.Addr, KEPort: a.Port, AEAD: alg, C2S: key(), S2C: key(),
		NTPAddr: netip.AddrPortFrom(a.Addr, 123), Established: w.now.Wall, Strict: !a.Verify.Tentative && !a.NoVal,
		NotBefore: epoch.Add(-30 * 24 * time.Hour), NotAfter: epoch.Add(60 * 24 * time.Hour),
	}
	if s.ntpAddr.IsValid() {
		n.NTPAddr = s.ntpAddr
	}
	if s.ntpHost != "" {
		n.NTPAddr = netip.AddrPortFrom(netip.Addr{}, 123)
	}
	for range nts.MaxCookies {
		n.Cookies = append(n.Cookies, w.cookie(s, nil, alg, n.C2S, n.S2C))
	}
	if s.alt {
		n.AltC2S, n.AltS2C = n.C2S, n.S2C
		n.C2S, n.S2C = key(), key()
	}
	return n
}

// count returns how many notices of a kind were given.
func (w *world) count(kind event.NoticeKind) (n int) {
	for _, x := range w.notices {
		if x.Kind == kind {
			n++
		}
	}
	return n
}

// source returns the state of the only, or the i-th, source.
func (w *world) source(i int) snapshot.Source {
	w.t.Helper()
	snap := w.eng.Snapshot(w.now)
	if i >= len(snap.Sources) {
		w.t.Fatalf("there are %d sources, want more than %d", len(snap.Sources), i)
	}
	return snap.Sources[i]
}

func ntsSource(name string) upstream.Source {
	return upstream.Source{Name: name, NTS: true, IBurst: true, MinPoll: 6, MaxPoll: 10}
}

func plainSource(name string) upstream.Source {
	return upstream.Source{Name: name, IBurst: true, MinPoll: 6, MaxPoll: 10}
}

func with(s ...upstream.Source) Config {
	return Config{Sources: s, MakeStep: MakeStep{Threshold: time.Second, Limit: 3}}
}

func addr(i int) string { return fmt.Sprintf("192.0.2.%d", i) }
