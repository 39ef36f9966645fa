package responder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/server"
	"ntsd/internal/status"
)

// Implementation constants.
const (
	// maxAwaited bounds the replies of which a worker awaits the transmit
	// timestamp. A power of two.
	maxAwaited = 256
	// maxQueued is how long a request can have waited. If it seems longer the
	// clock was stepped meanwhile, and its receive timestamp is worthless.
	maxQueued = time.Second
	// drift is how fast the error of a clock grows that nobody corrects (RFC
	// 5905 section 7.2, PHI), between two words of the engine.
	drift = 15 // ppm
	// flight is how many replies leave by one system call where crowd requests
	// or more were waiting; else each leaves alone. What a reply says of the
	// time of its leaving is as good as the guess of how long those before it
	// take, and an interruption spoils the whole flight; but under full load a
	// call for each is four per cent of what a reply costs.
	flight = 4
	crowd  = 16
	// maxPace bounds what it is thought to take to make or to send one reply.
	maxPace = 50 * time.Microsecond
	// learnEvery is in how many flights one is timed: reading the clock takes
	// its time, too.
	learnEvery = 16
	// learnLeast is what a mean of 0 may begin to rise with.
	learnLeast = time.Microsecond
	// randomAhead is how much randomness is read at a time: an NTS reply needs
	// 26 to 96 bytes, and a system call costs as much as sealing a cookie.
	randomAhead = 1024
	// maxFailures in a row make a worker pause: whatever ails the socket, it
	// must not burn a core.
	maxFailures  = 16
	failurePause = 100 * time.Millisecond
)

// tally is what workers count.
type tally struct {
	counts             server.Counts
	kernelRx, daemonRx uint64
	kernelTx           uint64 // replies of which the kernel said when they left
	unsent             uint64 // replies that could not leave
	unasked            uint64 // questions of mode 6 that there was no room for
	cookies            server.CookieCounts
	refused            netip.Addr // the latest client that is not allowed
	// Of the NTS-KE server; not the workers'.
	keAccepted, keDropped uint64
	ke                    status.KECounts
}

func (t *tally) add(u *tally) {
	t.counts.Add(&u.counts)
	t.kernelRx += u.kernelRx
	t.daemonRx += u.daemonRx
	t.kernelTx += u.kernelTx
	t.unsent += u.unsent
	t.unasked += u.unasked
	t.cookies.Add(&u.cookies)
	if u.refused.IsValid() {
		t.refused = u.refused
	}
}

// addKE adds what an NTS-KE server has counted.
func (t *tally) addKE(ke KE) {
	accepted, dropped, fates := ke.Counts()
	t.keAccepted += accepted
	t.keDropped += dropped
	t.ke.Add(fates)
}

// worker answers what comes to one socket.
type worker struct {
	shared *Responder
	port   Port
	noted  func(tag uint64, at clock.Wall) // a closure made once

	mu     sync.Mutex // held while a batch is answered
	server *server.Server
	own    tally // but for its counts, which server has

	// Of the present batch.
	state  *state
	system server.System
	now    clock.Reading
	shift  clock.Offset
	// making and sending are what one reply takes: so much later than the clock
	// was read does it leave.
	making, sending time.Duration
	flights         uint32

	next    uint64 // tag of the next reply to ask about
	awaited [maxAwaited]awaited
}

// awaited is a reply whose transmit timestamp is to come.
type awaited struct {
	to netip.Addr
	rx ntptime.Timestamp
}

func newWorker(r *Responder, p Port) *worker {
	w := &worker{shared: r, port: p, next: 1}
	w.server = server.New(server.Config{Rand: bufio.NewReaderSize(r.opt.Rand, randomAhead)})
	w.noted = w.note
	return w
}

// run answers until the socket is closed.
func (w *worker) run() {
	failures := 0
	for {
		n, err := w.port.Read()
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			if failures++; failures > maxFailures {
				time.Sleep(failurePause)
			}
			continue
		}
		failures = 0
		w.batch(n)
	}
}

// batch answers n requests.
func (w *worker) batch(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin()
	w.port.EachSent(w.noted)
	size := 1
	if n >= crowd {
		size = flight
	}
	for first := 0; first < n; first += size {
		w.answer(first, min(first+size, n))
	}
}

// begin reads the clock and takes up what has changed.
func (w *worker) begin() {
	w.now, w.shift = w.shared.opt.Clock.Now()
	if s := w.shared.state.Load(); s != w.state {
		w.adopt(s)
	}
	w.system = w.state.system
	if age := w.now.Mono.Sub(w.state.at); age > 0 {
		w.system.RootDispersion += age * drift / 1e6
	}
}

// answer answers the requests from first to before last. It begins when w.now
// was read, and reads it again.
func (w *worker) answer(first, last int) {
	// A reply waits until all are made, then for those before it, and reaches
	// the wire about halfway through its own sending.
	leaves := w.now.Wall.Add(time.Duration(last-first)*w.making + w.sending/2)
	replies := 0
	for i := first; i < last; i++ {
		if w.judge(i, leaves) {
			replies++
			leaves = leaves.Add(w.sending)
		}
	}
	if replies == 0 {
		return
	}
	began, made := w.now.Wall, clock.Wall(0)
	if w.flights++; w.flights%learnEvery == 0 {
		w.now, _ = w.shared.opt.Clock.Now()
		made = w.now.Wall
	}
	sent, _ := w.port.Write() // what does not leave is counted; the client asks again
	w.own.unsent += uint64(replies - sent)
	w.now, w.shift = w.shared.opt.Clock.Now()
	if made != 0 {
		learn(&w.making, made.Sub(began).Duration()/time.Duration(last-first))
		learn(&w.sending, w.now.Wall.Sub(made).Duration()/time.Duration(replies))
	}
}

// learn moves a running mean of durations towards the latest. What took far
// longer was interrupted, and says little about the next.
func learn(mean *time.Duration, d time.Duration) {
	*mean += (min(max(d, 0), 2**mean+learnLeast, maxPace) - *mean) / 8
}

// adopt puts a new state in force.
func (w *worker) adopt(s *state) {
	if w.state == nil || s.keys != w.state.keys {
		w.server.SetCookies(keyring(s.keys, s.shared))
	}
	if s.config != nil && (w.state == nil || s.config != w.state.config) {
		w.server.SetKeys(mac.NewRing(s.config.Secrets))
	}
	w.server.SetPolicy(s.policy)
	w.state = s
}

// judge answers one request, with now as the time at which the reply leaves, and
// reports whether there is one.
func (w *worker) judge(i int, now clock.Wall) bool {
	req, kernel := w.port.Request(i)
	req.Received, req.At = req.Received.Add(w.shift.Duration()), w.now.Mono
	if wait := now.Sub(req.Received).Duration(); wait < 0 || wait > maxQueued {
		req.Received = now
	}
	if kernel {
		w.own.kernelRx++
	} else {
		w.own.daemonRx++
	}
	reply, v := w.reply(w.port.Buffer(), &req, now)
	if !v.Replies() {
		switch v {
		case server.DropAccess:
			w.own.refused = req.From.Addr()
		case server.Control:
			w.ask(&req)
		}
		return false
	}
	tag := uint64(0)
	if v.Interleaved() {
		tag = w.await(req.From.Addr(), reply)
	}
	w.port.Reply(i, reply, tag)
	return true
}

// reply holds the client's stripe while the reply is made.
func (w *worker) reply(dst []byte, req *server.Request, now clock.Wall) ([]byte, server.Verdict) {
	if w.state.table == nil {
		return w.server.Reply(dst, *req, now, w.system)
	}
	s := w.state.table.stripe(req.From.Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	req.Clients = s.clients
	return w.server.Reply(dst, *req, now, w.system)
}

// receiveTimestamp is where it stands in a header (RFC 5905 figure 8).
const receiveTimestamp = 32

// await remembers a reply and returns the tag to ask about it with.
func (w *worker) await(to netip.Addr, reply []byte) uint64 {
	tag := w.next
	w.next++
	rx := ntptime.Timestamp(binary.BigEndian.Uint64(reply[receiveTimestamp:]))
	w.awaited[tag%maxAwaited] = awaited{to, rx}
	return tag
}

// note takes the kernel's word about when a reply left.
func (w *worker) note(tag uint64, at clock.Wall) {
	if w.next-tag > maxAwaited || w.state.table == nil {
		return
	}
	w.own.kernelTx++
	a := w.awaited[tag%maxAwaited]
	s := w.state.table.stripe(a.to)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients.Sent(a.to, a.rx, ntptime.FromWall(at.Add(w.shift.Duration())))
}

// tally adds what the worker has counted.
func (w *worker) tally(t *tally) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own.counts, w.own.cookies = w.server.Counts(), w.server.Cookies()
	t.add(&w.own)
}
