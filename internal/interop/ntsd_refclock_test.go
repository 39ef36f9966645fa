package interop

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/refdata"
	"ntsd/internal/status"
)

// Units of shared memory that no receiver has.
const (
	chronyUnit = 241
	ntsdUnit   = 242
)

// receiver is a program like gpsd: it hands the same measurements to chronyd and
// ntsd, by shared memory and by socket.
type receiver struct {
	segments [][]byte
	sockets  []string
}

// attach makes a segment, as gpsd does where there is none.
func (r *receiver) attach(t *testing.T, unit int) {
	t.Helper()
	id, err := unix.SysvShmGet(refdata.ShmKey+unit, refdata.Layout64().Size(), unix.IPC_CREAT|0o600)
	if err != nil {
		Unavailable(t, "interop: shared memory: %v", err)
	}
	memory, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	clear(memory)
	r.segments = append(r.segments, memory)
	t.Cleanup(func() {
		_ = unix.SysvShmDetach(memory)
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	})
}

// tell hands over that the true time is off after the system's.
func (r *receiver) tell(off time.Duration) {
	now := time.Now()
	truth := now.Add(off)
	order := binary.NativeEndian
	for _, m := range r.segments {
		valid := (*uint32)(unsafe.Pointer(&m[refdata.Layout64().Valid()]))
		if atomic.LoadUint32(valid) != 0 {
			continue // it was not read yet
		}
		order.PutUint32(m[refdata.ShmMode:], 1)
		order.PutUint64(m[8:], uint64(truth.Unix()))
		order.PutUint32(m[16:], uint32(truth.Nanosecond()/1000))
		order.PutUint64(m[24:], uint64(now.Unix()))
		order.PutUint32(m[32:], uint32(now.Nanosecond()/1000))
		order.PutUint32(m[36:], 0)
		order.PutUint32(m[52:], uint32(truth.Nanosecond()))
		order.PutUint32(m[56:], uint32(now.Nanosecond()))
		atomic.StoreUint32(valid, 1)
	}
	b := order.AppendUint64(order.AppendUint64(nil, uint64(now.Unix())), uint64(now.Nanosecond()/1000))
	// The offset is against the microseconds told, as gpsd computes it.
	b = order.AppendUint64(b, math.Float64bits(off.Seconds()+float64(now.Nanosecond()%1000)*1e-9))
	for _, v := range []uint32{0, 0, 0, 0x534f434b} {
		b = order.AppendUint32(b, v)
	}
	for _, path := range r.sockets {
		if c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}); err == nil {
			_, _ = c.Write(b)
			c.Close()
		}
	}
}

// run tells ten times a second until the test ends.
func (r *receiver) run(t *testing.T, seed uint64, off, jitter time.Duration) {
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	done := make(chan struct{})
	var joined sync.WaitGroup
	joined.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				r.tell(off + time.Duration(rng.NormFloat64()*float64(jitter)))
			}
		}
	})
	t.Cleanup(func() { close(done); joined.Wait() })
}

// TestNtsdRefClocks: chronyd and ntsd read the same receiver, by shared memory and
// by socket, and say the same of it.
func TestNtsdRefClocks(t *testing.T) {
	l := newLab(t)
	r := new(receiver)
	for _, unit := range []int{chronyUnit, ntsdUnit} {
		r.attach(t, unit)
	}
	peer, router := l.Host("chrony"), l.Host("router")
	theirs, ours := filepath.Join(peer.Dir, "s.sock"), filepath.Join(router.Dir, "s.sock")
	r.sockets = []string{theirs, ours}
	const off = -12_300 * time.Microsecond // both clocks are fast by that
	line, _ := peer.commandSocket()
	options := " poll 0 dpoll -3 noselect precision 1e-6 refid "
	peer.StartChronyd(l.peers, line, "refclock SHM "+strconv.Itoa(chronyUnit)+options+"SHM", "refclock SOCK "+theirs+options+"SOCK")
	clockOf := func(driver, parameter string) string {
		return Section("refclock", "driver", driver, "parameter", parameter, "refid", driver, "poll", "0", "dpoll", "-3",
			"noselect", "1", "precision", "1us")
	}
	d := l.ntsd("router", clockOf("SHM", strconv.Itoa(ntsdUnit)), clockOf("SOCK", ours))
	r.run(t, 7, off, 20*time.Microsecond)
	const tolerance = 50e-6 // of a mean of some ten readings with 20 us each, twice, and the time to look
	for _, name := range []string{"SHM", "SOCK"} {
		s := d.untilSource(name, "eight samples", func(s *status.Source) bool { return s.Reach == 0xff && s.Stats.Samples >= 8 })
		if s.Kind != status.KindRefClock || s.Stratum != 0 || s.Selection.Letter != "N" {
			t.Errorf("%s: got %+v, want a reference clock that is not selected", name, s)
		}
		var measured float64
		peer.waitFor("samples of "+name, func() bool {
			for line := range strings.Lines(peer.chronyc(l.peers, "-c", "sources")) {
				f := strings.Split(strings.TrimSpace(line), ",")
				if len(f) > 8 && f[0] == "#" && f[2] == name && f[5] == "377" {
					measured, _ = strconv.ParseFloat(f[8], 64)
					return true
				}
			}
			return false
		})
		for who, got := range map[string]float64{"chronyd": measured, "ntsd": s.MeasuredOffsetS} {
			if math.Abs(got+off.Seconds()) > tolerance {
				t.Errorf("%s of %s: measured %v, want %v", who, name, got, -off.Seconds())
			}
		}
		t.Logf("%s: chronyd measured %.9f, ntsd %.9f", name, measured, s.MeasuredOffsetS)
		if got := row(t, d.ask("sources"), name); !strings.HasPrefix(got, "#? "+name) {
			t.Errorf("sources: got %q", got)
		}
	}
	if info, err := os.Stat(ours); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v; want it for its owner only", info, err)
	}
}

// TestNtsdStratumOne: ntsd follows a receiver and serves as stratum 1; a chronyd
// follows it and knows the receiver by its name.
func TestNtsdStratumOne(t *testing.T) {
	l := newLab(t)
	router, client := l.Host("router"), l.Host("client")
	r := &receiver{sockets: []string{filepath.Join(router.Dir, "gps.sock")}}
	d := l.ntsd("router", Section("refclock", "driver", "SOCK", "parameter", r.sockets[0], "refid", "GPS", "poll", "0", "dpoll", "-3"),
		Section("allow")+"\tlist subnet '0.0.0.0/0'\n")
	r.run(t, 8, 0, time.Microsecond)
	report := d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	if tr := report.Tracking; tr.Stratum != 1 || tr.ReferenceName != "GPS" || tr.ReferenceID != "47505300" {
		t.Errorf("tracking: got %+v", tr)
	}
	line, _ := client.commandSocket()
	client.StartChronyd(l.peers, line, "server "+router.IPv4.String()+" iburst minpoll -2 maxpoll -2")
	client.waitFor("synchronisation of the client", func() bool {
		f := strings.Split(client.chronyc(l.peers, "-c", "tracking"), ",")
		return len(f) > 2 && f[2] == "2"
	})
	if got := client.chronyc(l.peers, "ntpdata"); !strings.Contains(got, "47505300 (GPS)") {
		t.Errorf("chronyc ntpdata does not know the receiver:\n%s", got)
	}
	if err := os.Remove(r.sockets[0]); err != nil {
		t.Fatal(err)
	}
	d.untilLog(t, "reference clock cannot be read", "the socket was removed")
}

// untilLog waits for a line with both texts.
func (d *daemon) untilLog(t *testing.T, message, text string) {
	t.Helper()
	d.until("a line of the log", func(*status.Report) bool {
		for line := range strings.Lines(d.Log()) {
			if strings.Contains(line, message) && strings.Contains(line, text) {
				return true
			}
		}
		return false
	})
}
