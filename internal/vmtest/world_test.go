package vmtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/wire"
)

// The servers' side of the network (RFC 5737).
const (
	network    = "192.0.2.1/24"
	nameServer = "192.0.2.53"
	firstHost  = 64 // the last byte of the first server's address
)

const day = 24 * time.Hour

// lastHost numbers the servers of all scenarios, which share a network.
var lastHost atomic.Uint32 //nolint:gochecknoglobals // as the network is

// world is what a scenario has: a truth, servers, a flash. Its methods are for
// one goroutine.
type world struct {
	t       *testing.T
	ahead   atomic.Int64 // time.Duration: the truth minus this computer's clock
	ca      *demo.CA
	servers []*host
	flash   *flash
	figures figures
	ke, bad int     // key establishments before the last boot
	last    *router // of the last boot

	asked atomic.Int64 // time.Duration: from the daemon's start to its first request; 0: none yet

	mu     sync.Mutex // guards what follows; the servers write it
	spent  map[string]bool
	reused int // cookies that came a second time
	// spendings are noted while there is a log of the writes to the flash.
	spendings   []spending
	spendingLog string
}

// spending is a cookie that came, and how long the log of writes was by then.
type spending struct {
	cookie  []byte
	written int64
}

// host is one server.
type host struct {
	*demo.Server
	name string
	addr netip.Addr
	cfg  demo.ServerConfig
	done demo.Stats // key establishments before the last restart
}

// figures are what a scenario measures, all but boots in its last boot.
type figures struct {
	boots   int
	synced  bool
	offset  clock.Offset  // of the router's clock
	bound   time.Duration // of offset
	toAsk   time.Duration // from the daemon's start to its first request
	toSync  time.Duration // since the daemon could have known the time
	ke, bad int           // key establishments that ended well and badly
	writes  int           // files that were put onto the flash or removed
}

// newWorld makes a world with some servers whose certificates are valid.
func newWorld(t *testing.T, servers int, ahead time.Duration) *world {
	t.Helper()
	w := &world{t: t, spent: map[string]bool{}}
	w.setAhead(ahead)
	now := time.Now()
	var err error
	if w.ca, err = demo.NewCA("vmtest CA", now.AddDate(-10, 0, 0), now.AddDate(30, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for range servers {
		n := lastHost.Add(1)
		h := &host{name: fmt.Sprintf("ntp.operator%d.test", n), addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(firstHost + n)})}
		names.add(h.name, h.addr)
		h.cfg = demo.ServerConfig{
			KEAddr: netip.AddrPortFrom(h.addr, 4460), NTPAddr: netip.AddrPortFrom(h.addr, 123),
			Now: w.truth, Seen: w.seen,
		}
		w.servers = append(w.servers, h)
		w.certify(h, -30*day, 60*day)
		w.start(h)
		t.Cleanup(func() { h.Close() })
	}
	return w
}

func (w *world) setAhead(d time.Duration) { w.ahead.Store(int64(d)) }

// requests is how often anybody has asked the servers for anything.
func (w *world) requests() (n uint64) {
	for _, h := range w.servers {
		s := h.Stats()
		n += s.KEConnections + s.Requests
	}
	return n
}

// awaitRequest notes when the servers are asked for the first time from now on.
func (w *world) awaitRequest() {
	w.asked.Store(0)
	before, begin := w.requests(), time.Now()
	go func() {
		for time.Since(begin) < syncPatience {
			if w.requests() > before {
				w.asked.Store(int64(time.Since(begin)))
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
}

// truth is the right time in this world.
func (w *world) truth() clock.Wall {
	return clock.WallTime(time.Now()).Add(time.Duration(w.ahead.Load()))
}

// certify gives a server a certificate that is valid between two times,
// relative to the truth, from its next start on.
func (w *world) certify(h *host, from, to time.Duration) {
	w.t.Helper()
	now := w.truth().Time()
	cert, err := w.ca.Issue(demo.CertSpec{
		Names: []string{h.name}, Addrs: []netip.Addr{h.addr}, NotBefore: now.Add(from), NotAfter: now.Add(to),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	h.cfg.Cert = cert
}

func (w *world) start(h *host) {
	w.t.Helper()
	s, err := demo.Start(w.t.Context(), h.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	h.Server = s
}

// restart starts a server anew: with new cookie keys, and the certificate that
// it was given last.
func (w *world) restart(h *host) {
	w.t.Helper()
	st := h.Stats()
	h.done.KEDone += st.KEDone
	h.done.KEFailed += st.KEFailed
	h.Close()
	w.start(h)
}

// keyEstablishments counts those that ended well and badly at all servers.
func (w *world) keyEstablishments() (good, bad int) {
	for _, h := range w.servers {
		st := h.Stats()
		good += int(h.done.KEDone + st.KEDone)
		bad += int(h.done.KEFailed + st.KEFailed)
	}
	return good, bad
}

// seen looks for cookies that were spent before.
func (w *world) seen(datagram []byte) {
	cookie := cookieOf(datagram)
	if cookie == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent[string(cookie)] {
		w.reused++
	}
	w.spent[string(cookie)] = true
	if w.spendingLog == "" {
		return
	}
	if fi, err := os.Stat(w.spendingLog); err == nil {
		w.spendings = append(w.spendings, spending{cookie, fi.Size()})
	}
}

// cookieOf returns the cookie of a request (RFC 8915 section 5.4), or nil.
func cookieOf(datagram []byte) []byte {
	const fieldHeader, cookieField = 4, 0x0204
	for rest := datagram[min(wire.HeaderLen, len(datagram)):]; len(rest) >= fieldHeader; {
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < fieldHeader || n > len(rest) {
			return nil
		}
		if binary.BigEndian.Uint16(rest) == cookieField {
			return bytes.Clone(rest[fieldHeader:n])
		}
		rest = rest[n:]
	}
	return nil
}

// Files of the flash, as the router has them.
const (
	passwd = "root:x:0:0:root:/root:/bin/ash\nntp:x:123:123:ntp:/var/run/ntp:/bin/false\n"
	group  = "root:x:0:\nntp:x:123:\n"
)

// configure makes the flash, all of whose files are as old as the build of the
// daemon, with a configuration of the servers and more sections.
func (w *world) configure(more ...string) {
	w.t.Helper()
	var b strings.Builder
	b.WriteString("config ntsd 'main'\n\toption log_level 'debug'\n")
	b.WriteString("config nts\n\toption rtccheck 'yes'\n\toption systemcerts 'no'\n\tlist trustedcerts '/etc/ntsd/ca.pem'\n")
	for _, h := range w.servers {
		b.WriteString(source(h))
	}
	b.WriteString(strings.Join(more, ""))
	w.newFlash(b.String())
}

// source returns the section of a server.
func source(h *host, options ...string) string {
	s := "config server\n\toption hostname '" + h.name + "'\n\toption nts 'yes'\n\toption iburst 'yes'\n"
	for _, o := range options {
		s += "\toption " + o + "\n"
	}
	return s
}

func (w *world) newFlash(config string) {
	w.t.Helper()
	var files []flashFile
	for path, data := range map[string]string{
		"config/ntsd": config, "passwd": passwd, "group": group, "resolv.conf": "nameserver " + nameServer + "\n",
		"ntsd/ca.pem": string(w.ca.PEM()),
	} {
		files = append(files, flashFile{path, data, machineParts.builtAt})
	}
	w.flash = newFlash(w.t, flashSize, files...)
}

// flashSize is the flash's size in megabytes.
const flashSize = 8

// boot starts the router, with its network but not yet the daemon.
func (w *world) boot() *router {
	w.t.Helper()
	return w.bootWith(machineSpec{})
}

func (w *world) bootWith(spec machineSpec) *router {
	w.t.Helper()
	spec.flash = w.flash
	r := &router{machine: boot(w.t, spec), w: w}
	w.last = r
	w.figures = figures{boots: w.figures.boots + 1}
	w.ke, w.bad = w.keyEstablishments()
	if !spec.unplugged {
		r.plugIn()
	}
	return r
}
