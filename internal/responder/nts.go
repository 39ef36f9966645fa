package responder

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/snapshot"
	"ntsd/internal/status"
)

// keClients is how many addresses the rate limit of key establishments
// remembers where no table of clients is kept.
const keClients = 1024

// ntpPort is NTP's own (RFC 5905 section 7.2).
const ntpPort = 123

// KeyFile keeps the cookie keys, so that clients need no new key establishment
// after a restart.
type KeyFile interface {
	// Load returns the keys; fs.ErrNotExist where there are none yet. path is
	// the file of a fleet's keys; empty: this server's own.
	Load(path string) (server.Rotation, error)
	Save(path string, r server.Rotation) error
	// Written returns how many files were written to flash within a day, and
	// since the start. It may be called from any goroutine.
	Written() (day int, total uint64)
}

// KE is a running NTS-KE server.
type KE interface {
	// Reload follows what has changed outside: certificates, addresses of
	// interfaces. After an error it goes on with what it has.
	Reload() error
	// Counts returns the connections that were served and those refused, and
	// what became of each.
	Counts() (accepted, dropped uint64, fates status.KECounts)
	// Close ends it and waits for its connections.
	Close() error
}

// Grants is what an NTS-KE server asks for. Its methods may be called from any
// goroutine.
type Grants struct {
	r    *Responder
	made atomic.Uint64 // cookies

	mu    sync.Mutex
	ring  *nts.Keyring
	limit server.RateLimit
	asked *server.Clients // where the server keeps no table of clients; nil: not needed yet
}

// ErrNotYet is returned by Options.ListenKE before there is a certificate,
// because the time is not known.
var ErrNotYet = errors.New("responder: no certificate of our own before the time is known")

// joined writes ports with blanks between them.
func joined(ports []uint16) string {
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = strconv.Itoa(int(p))
	}
	return strings.Join(text, " ")
}

// errNoKeys is said before there is a first cookie key.
var errNoKeys = errors.New("responder: no cookie keys")

// Admit says whether a client may connect, before anything is spent on it.
func (g *Grants) Admit(from netip.AddrPort) bool {
	state := g.r.state.Load()
	if !state.policy.Allows(from.Addr(), state.interfaceOf(from.Addr())) {
		return false
	}
	now, _ := g.r.opt.Clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if state.table != nil {
		s := state.table.stripe(from.Addr())
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.clients.Admit(&g.limit, from.Addr(), now.Mono)
	}
	if g.asked == nil {
		g.asked = server.NewClients(keClients, g.r.seed)
	}
	return g.asked.Admit(&g.limit, from.Addr(), now.Mono)
}

// Time returns the time that is served, and whether it is believed: because
// the clock is synchronised, or because section local says so.
func (g *Grants) Time() (now clock.Wall, believed bool) {
	r, _ := g.r.opt.Clock.Now()
	return r.Wall, g.r.state.Load().system.Leap != event.LeapUnsynchronised
}

// AppendCookie appends one cookie that holds the keys.
func (g *Grants) AppendCookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) ([]byte, error) {
	var nonce [nts.CookieNonceLen]byte
	if _, err := io.ReadFull(g.r.opt.Rand, nonce[:]); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ring == nil {
		return nil, errNoKeys
	}
	g.made.Add(1)
	return g.ring.Seal(dst, alg, c2s, s2c, nonce), nil
}

// ntsServer is Run's own state of the NTS server.
type ntsServer struct {
	grants   *Grants
	rotation *server.Rotation // nil: off
	path     string           // where it was loaded from
	refused  bool             // that is a fleet's, and could not be read
	ke       KE               // nil: not listening
	leaving  []KE             // that serve their last clients
	running  config.NTSServer // what ke was started with
	waiting  bool             // and said that it waits for the time
	failing  bool             // the latest attempt to listen failed otherwise, and that was said
	stale    bool             // the latest Reload failed
}

// refreshNTS sees to the cookie keys, and returns those that the workers should
// have: nil where NTS is off. An NTP server may have a fleet's keys without
// establishing any.
func (r *Responder) refreshNTS(cfg *config.Config, sys snapshot.System, now clock.Wall) *server.Rotation {
	n := &cfg.NTSServer
	if !n.Enabled && n.KeysFile == "" || len(cfg.Allow) == 0 {
		r.nts.rotation = nil
		return nil
	}
	shared := n.KeysFile != ""
	if r.nts.rotation == nil || r.nts.path != n.KeysFile || shared && cfg != r.applied || r.nts.refused && r.countdown <= 1 {
		r.loadKeys(n.KeysFile)
	}
	have := *r.nts.rotation
	if shared && r.nts.refused && len(have.Keys) == 0 {
		return r.nts.rotation // the others have the keys of that file: it is not ours to replace
	}
	next := have
	switch synchronised := sys.True(); {
	case shared && (!synchronised || have.Made > now):
		// Its time is not known, or not come.
	case shared && len(have.Keys) > 0:
		var ok bool
		if next, ok = have.CatchUp(now, n.Rotate, n.Keep); !ok {
			r.once("the fleet's cookie keys are older than can be caught up with, or this clock is mad", "", "made", have.Made.Time())
		}
	case !shared && synchronised && have.Made > now:
		next = have.Believed(now)
	case len(have.Keys) == 0, synchronised && have.Due(now, n.Rotate):
		// The first key of one's own is needed even where the time is not known.
		next = r.freshKeys(have, now, n.Keep)
	}
	if len(next.Keys) > 0 && (len(have.Keys) == 0 || next.Keys[0].ID != have.Keys[0].ID) {
		r.setKeys(next)
		if err := r.opt.Keys.Save(n.KeysFile, next); err != nil {
			r.once("cookie keys cannot be saved, a restart will lose them", "", "reason", err)
		}
		r.opt.Log.Info("new cookie key", "id", next.Keys[0].ID, "old", len(next.Keys)-1)
	} else if next.Made != have.Made {
		r.setKeys(next)
	}
	return r.nts.rotation
}

// loadKeys reads the keys that were saved. Where they cannot be read those in
// use stay, if they are of the same file.
func (r *Responder) loadKeys(path string) {
	loaded, err := r.opt.Keys.Load(path)
	refused := err != nil && !errors.Is(err, fs.ErrNotExist)
	if refused {
		r.once("saved cookie keys refused", path, "reason", err)
	}
	r.nts.refused = refused && path != ""
	if err != nil && r.nts.rotation != nil && r.nts.path == path {
		return
	}
	r.nts.path = path
	r.setKeys(loaded)
}

// freshKeys returns the keys with a new random one before them.
func (r *Responder) freshKeys(have server.Rotation, now clock.Wall, keep int) server.Rotation {
	var fresh [nts.CookieKeyLen]byte
	if _, err := io.ReadFull(r.opt.Rand, fresh[:]); err != nil {
		r.once("no randomness for cookie keys", "", "reason", err)
		return have
	}
	return have.Next(now, fresh, keep)
}

// setKeys puts keys in force for key establishments.
func (r *Responder) setKeys(next server.Rotation) {
	r.nts.rotation = &next
	g := r.nts.grants
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ring = keyring(&next, r.nts.path != "")
}

// keyring returns a ring of the keys, nil where there are none. Like the AEADs
// in it, it belongs to one goroutine.
func keyring(r *server.Rotation, shared bool) *nts.Keyring {
	if r == nil || len(r.Keys) == 0 {
		return nil
	}
	keys := r.Keys
	if shared {
		keys = r.WithNext()
	}
	ring, err := nts.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		return nil // more keys than a ring takes: config and store allow fewer
	}
	return ring
}

// surveyNTS starts, restarts or ends the NTS-KE server as the configuration
// wants it, and has it look at its certificates.
func (r *Responder) surveyNTS(cfg *config.Config) {
	x := &r.nts
	n := cfg.NTSServer
	wanted := n.Enabled && x.rotation != nil && len(x.rotation.Keys) > 0
	if n.NTPPort == 0 && len(cfg.Serve.Ports) > 0 && !slices.Contains(cfg.Serve.Ports, ntpPort) {
		n.NTPPort = cfg.Serve.Ports[0] // where clients find this server
	}
	x.grants.setLimit(n.RateLimit)
	switch {
	case !wanted:
		r.closeKE()
		return
	case x.ke != nil && reflect.DeepEqual(n, x.running):
		r.reloadKE()
		return
	}
	// The new server is there before the old one goes, and takes its sockets
	// over: nobody is turned away in between.
	ke, err := r.opt.ListenKE(n, x.grants)
	if err != nil {
		r.failedKE(n, err)
		return
	}
	r.closeKE()
	r.mu.Lock()
	defer r.mu.Unlock()
	x.ke, x.running, x.waiting, x.failing = ke, n, false, false
	r.opt.Log.Info("giving NTS keys to clients", "port", joined(n.Ports))
}

// failedKE says once why there is no server as the configuration wants it. An
// older one goes on.
func (r *Responder) failedKE(n config.NTSServer, err error) {
	x := &r.nts
	notYet := errors.Is(err, ErrNotYet)
	switch {
	case x.failing || notYet && x.waiting:
	case notYet:
		r.opt.Log.Info("NTS keys will be given to clients once the clock is right", "reason", err)
	case x.ke != nil:
		r.opt.Log.Warn("a change is not followed, clients get NTS keys as before", "reason", err)
	default:
		r.opt.Log.Warn("cannot give NTS keys to clients; will try again", "port", joined(n.Ports), "reason", err)
	}
	x.waiting, x.failing = true, x.failing || !notYet
	if x.ke != nil {
		_ = x.ke.Reload()
	}
}

func (r *Responder) reloadKE() {
	err := r.nts.ke.Reload()
	switch {
	case err != nil && !r.nts.stale:
		r.opt.Log.Warn("a change is not followed, clients get NTS keys as before", "reason", err)
	case err == nil && r.nts.stale:
		r.opt.Log.Info("the change is followed now")
	}
	r.nts.stale = err != nil
}

// closeKE ends the NTS-KE server. Its last clients are served beside, and what
// it counts is kept.
func (r *Responder) closeKE() {
	ke := r.nts.ke
	if ke == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nts.ke, r.nts.leaving = nil, append(r.nts.leaving, ke)
	r.joined.Go(func() {
		_ = ke.Close() // it has ended all the same
		r.mu.Lock()
		defer r.mu.Unlock()
		r.nts.leaving = slices.DeleteFunc(r.nts.leaving, func(k KE) bool { return k == ke })
		r.past.addKE(ke)
	})
}

func (g *Grants) setLimit(l config.RateLimit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = server.RateLimit{Enabled: l.Enabled, Interval: l.Interval, Burst: uint8(l.Burst), Leak: uint8(l.Leak)}
}
