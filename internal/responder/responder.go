package responder

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/ntptime"
	"ntsd/internal/server"
	"ntsd/internal/smooth"
	"ntsd/internal/snapshot"
)

// Implementation constants.
const (
	// refresh is how often the workers are told the state of the clock.
	refresh = time.Second
	// survey is how often, in refreshes, ports that could not be opened are tried
	// again, and interfaces are looked at if nobody tells of their changes.
	survey = 10
	// refusedEvery is how often at most the log tells of clients that are not
	// allowed, however many there are.
	refusedEvery = time.Hour
	// stripes is how many locks the memory of clients has, where workers share
	// it: enough that a few cores hardly meet.
	stripes = 16
)

// Clock tells the time that is served.
type Clock interface {
	// Now returns the time, and what puts a timestamp that the kernel took a
	// moment ago on the same scale: nothing, unless the daemon steers a clock
	// of its own. The local time need be good to a millisecond only.
	Now() (now clock.Reading, shift clock.Offset)
	// Serve has Now tell another time than the clock's, where the plan is active.
	Serve(smooth.Plan)
}

// Port is an open socket. It belongs to one worker, but for Close.
type Port interface {
	// Read waits for requests and returns how many there are; 0 where only
	// transmit timestamps came.
	Read() (int, error)
	// Request returns the i-th, good until the next Read, and whether the kernel
	// noted when it arrived. Its time is on the kernel's scale; its data is nil
	// where it is longer than any request of ours.
	Request(i int) (req server.Request, kernel bool)
	// Buffer returns an empty slice that the next reply is appended to.
	Buffer() []byte
	// Reply answers the i-th request with it. A tag that is not 0 asks when the
	// reply leaves.
	Reply(i int, reply []byte, tag uint64)
	// Send answers a request beside the batches. One other goroutine may do so.
	Send(req *server.Request, reply []byte) error
	// Write sends the replies and returns how many left.
	Write() (int, error)
	// EachSent calls f for the tagged replies of which the latest Read learnt
	// when they left.
	EachSent(f func(tag uint64, at clock.Wall))
	// Close ends Read with an error that is os.ErrClosed.
	Close() error
}

// Options are the parts of a Responder. All are required.
type Options struct {
	Clock Clock
	// Listen opens a UDP port for n workers: for each family n sockets, as far
	// as the system has the family.
	Listen func(port uint16, n int) ([]Port, error)
	// ListenLocal opens a UDP port on the loopback addresses only.
	ListenLocal func(port uint16) ([]Port, error)
	// Control answers a question of mode 6 with any number of datagrams. It is
	// called from one goroutine, and with questions from this machine only.
	Control func(ctx context.Context, question []byte) [][]byte
	// Interfaces calls f for each network interface that is up.
	Interfaces func(f func(name string, index uint32, subnets []netip.Prefix)) error
	// InForce returns what may be said of the clock, and the configuration.
	InForce func(context.Context) (snapshot.System, *config.Config, error)
	// Changed tells that the configuration, or if Follows the interfaces, may
	// have changed. It has room for one word; more are not needed.
	Changed <-chan struct{}
	// Follows says that Changed tells of interfaces. Otherwise they are looked at
	// again and again.
	Follows bool
	// ListenKE starts an NTS-KE server.
	ListenKE  func(config.NTSServer, *Grants) (KE, error)
	Keys      KeyFile
	Rand      io.Reader // good for secrets; read from several goroutines
	Log       *slog.Logger
	Workers   int              // for each port and family
	Precision ntptime.Exponent // of the clock
}

// Responder is the running NTP server. Its methods may be called from any
// goroutine.
type Responder struct {
	opt   Options
	seed  server.Seed
	state atomic.Pointer[state]

	mu      sync.Mutex // guards what follows, which Run changes
	workers map[spot][]*worker
	past    tally   // of workers that have ended
	beside  *worker // for what comes to other sockets; nil: not needed yet
	nts     ntsServer
	joined  sync.WaitGroup

	questions chan question // full: the next is dropped, and ntpq asks again

	// Of Run alone.
	applied   *config.Config
	failing   map[spot]bool
	said      map[string]bool
	countdown int  // refreshes until the next survey
	nudged    bool // something may have changed
	refused   refused

	synchronised bool
}

// state is what the workers have to know. It does not change.
type state struct {
	system server.System
	at     clock.Mono // when it was so
	policy *server.Policy
	table  *table           // nil: nothing is remembered
	keys   *server.Rotation // nil: no NTS
	shared bool             // they are a fleet's
	config *config.Config   // whose symmetric keys are in force; nil: none are

	interfaces []link // that the policy was made with

	// For people, about the keys.
	keysFile string // of a fleet
	rotate   time.Duration
	waiting  bool // for synchronisation, before they rotate
}

// table is the memory of clients, in stripes.
type table struct {
	size    int
	seed    server.Seed
	stripes []stripe
}

type stripe struct {
	mu      sync.Mutex
	clients *server.Clients
}

func newTable(size, workers int, seed server.Seed) *table {
	n := 1
	if workers > 1 {
		n = stripes
	}
	t := &table{size: size, seed: seed, stripes: make([]stripe, n)}
	for i := range t.stripes {
		t.stripes[i].clients = server.NewClients(size/n, seed)
	}
	return t
}

func (t *table) stripe(a netip.Addr) *stripe { return &t.stripes[t.seed.Stripe(a, len(t.stripes))] }

// New returns a Responder that does not listen yet. The error is that of Rand.
func New(opt Options) (*Responder, error) {
	r := &Responder{
		opt: opt, workers: make(map[spot][]*worker), failing: make(map[spot]bool), said: make(map[string]bool),
		questions: make(chan question, maxQuestions),
	}
	var b [16]byte
	if _, err := io.ReadFull(opt.Rand, b[:]); err != nil {
		return nil, err
	}
	for i, c := range b {
		r.seed[i/8] |= uint64(c) << (i % 8 * 8)
	}
	r.nts.grants = &Grants{r: r}
	r.state.Store(&state{policy: &server.Policy{Access: new(server.Access)}})
	return r, nil
}

// Run serves as the configuration in force wants it until ctx ends, and joins
// every worker.
func (r *Responder) Run(ctx context.Context) {
	defer r.joined.Wait()
	defer r.closeAll()
	defer r.closeKE()
	r.joined.Go(func() { r.answerQuestions(ctx) })
	timer := time.NewTimer(refresh)
	defer timer.Stop()
	for {
		if err := r.refresh(ctx); err != nil {
			return // the daemon has ended
		}
		if r.serving() {
			timer.Reset(refresh)
		}
		if !r.wait(ctx, timer) {
			return
		}
	}
}

// serving reports whether there is anybody to be told of the clock. Otherwise
// nothing is done until something changes.
func (r *Responder) serving() bool {
	n := &r.applied.NTSServer
	return len(r.wantedSpots(r.applied)) > 0 || n.Enabled || n.KeysFile != ""
}

// wait waits for the next refresh; false: there will be none. A change is
// looked at with the next refresh, a second after it at the latest, however
// many there are: interfaces that come and go must not keep a router busy.
func (r *Responder) wait(ctx context.Context, timer *time.Timer) bool {
	for {
		select {
		case <-timer.C:
			return true
		case <-r.opt.Changed:
			if !r.nudged && !r.serving() {
				timer.Reset(refresh)
			}
			r.nudged = true
		case <-ctx.Done():
			return false
		}
	}
}

// refresh publishes what is in force now.
func (r *Responder) refresh(ctx context.Context) error {
	sys, cfg, err := r.opt.InForce(ctx)
	if err != nil {
		return err
	}
	changed := cfg != r.applied
	if changed {
		clear(r.said)
	}
	if synchronised := sys.True(); synchronised != r.synchronised {
		r.synchronised = synchronised
		changed = true // some things waited for it
	}
	now, _ := r.opt.Clock.Now()
	next := *r.state.Load()
	next.at = now.Mono
	next.system = server.System{
		Leap: sys.Leap, Stratum: sys.Stratum, Precision: r.opt.Precision, RootDelay: sys.RootDelay,
		RootDispersion: sys.RootDispersion, ReferenceID: sys.ReferenceID, ReferenceTime: sys.ReferenceTime,
	}
	r.opt.Clock.Serve(sys.Served)
	next.keys = r.refreshNTS(cfg, sys, now.Wall)
	next.keysFile, next.rotate, next.waiting = r.nts.path, cfg.NTSServer.Rotate, !sys.True()
	next.shared = next.keysFile != ""
	r.countdown--
	if changed || r.nudged || r.countdown <= 0 {
		if changed || r.nudged || !r.opt.Follows {
			next.policy, next.interfaces = r.policy(cfg)
		}
		r.countdown, r.nudged = survey, false
		r.tellRefused(now.Mono)
		next.table = r.table(cfg, next.table)
		r.applied, next.config = cfg, cfg
		r.state.Store(&next)
		r.open(r.wantedSpots(cfg))
		r.surveyNTS(cfg)
		return nil
	}
	r.state.Store(&next)
	return nil
}

// refused is what the log has told of clients that are not allowed.
type refused struct {
	requests uint64
	at       clock.Mono
	told     bool
}

// tellRefused has the log tell of clients that are not allowed: somebody may
// wonder why they get no time.
func (r *Responder) tellRefused(now clock.Mono) {
	t, _ := r.tally()
	n := t.counts[server.DropAccess]
	if n == r.refused.requests || r.refused.told && now.Sub(r.refused.at) < refusedEvery {
		return
	}
	r.opt.Log.Info("requests of clients that no section allow names", "requests", n-r.refused.requests, "latest", t.refused)
	r.refused = refused{requests: n, at: now, told: true}
}

// table returns the memory of clients that the configuration wants: the
// present one where it fits.
func (r *Responder) table(cfg *config.Config, present *table) *table {
	switch {
	case !cfg.Serve.Clients || len(wantedPorts(cfg)) == 0 && !cfg.NTSServer.Enabled:
		return nil
	case present != nil && present.size == cfg.Serve.MaxClients:
		return present
	}
	return newTable(cfg.Serve.MaxClients, r.opt.Workers, r.seed)
}

// wantedPorts returns the ports to listen on: none, unless somebody is allowed
// to ask.
func wantedPorts(cfg *config.Config) []uint16 {
	if !cfg.Serve.Enabled || len(cfg.Allow) == 0 {
		return nil
	}
	return cfg.Serve.Ports
}
