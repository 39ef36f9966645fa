//go:build linux

package refclock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/refdata"
)

const kernelNow = clock.Wall(2_000_000_000_000_000_000)

// scale is one where the kernel's clock and Mono differ by a constant.
type scale struct {
	mu  sync.Mutex
	now clock.Mono
}

func (s *scale) Read() clock.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clock.Reading{Mono: s.now}
}
func (s *scale) KernelWall() clock.Wall         { return kernelNow }
func (s *scale) MonoAt(w clock.Wall) clock.Mono { return clock.Mono(w - kernelNow) }
func (s *scale) pass(d time.Duration) *scale {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
	return s
}

func read(d *Devices, s refdata.Spec) event.ClockRead {
	return d.Read(event.ReadClock{Source: 1, Spec: s})
}

// fake is a device in memory.
type fake struct {
	found  []measurement
	err    error
	closed int
}

func (f *fake) Read(clock.Wall) ([]measurement, error) { return f.found, f.err }
func (f *fake) Close() error                           { f.closed++; return nil }

// TestDeviceComesLater: a clock that is missing is looked for now and then, read
// once it is there, and looked for again after it has failed.
func TestDeviceComesLater(t *testing.T) {
	s := new(scale)
	var dev *fake
	opened := 0
	d := newDevices(s, func(refdata.Spec) (device, error) {
		opened++
		if dev == nil {
			return nil, os.ErrNotExist
		}
		return dev, nil
	})
	spec := refdata.Spec{Driver: refdata.PPS, Path: "/dev/pps0"}
	for range 25 {
		if got := read(d, spec); got.Reason != "PPS /dev/pps0 is not there" || got.Source != 1 {
			t.Errorf("got %+v", got)
		}
		s.pass(time.Second)
	}
	if opened != 3 {
		t.Errorf("tried %d times in 25 s, want 3", opened)
	}
	dev = &fake{found: []measurement{{Measurement: refdata.Measurement{Local: kernelNow.Add(5), True: 77, Leap: 1, Pulse: true}, within: 9}}}
	s.pass(10 * time.Second)
	want := event.Measurement{At: 5, True: 77, Error: 9, Leap: 1, Pulse: true}
	if got := read(d, spec); got.Reason != "" || len(got.Measurements) != 1 || got.Measurements[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	dev.err = unix.ENODEV
	if got := read(d, spec); !strings.Contains(got.Reason, "no such device") || dev.closed != 1 {
		t.Errorf("unplugged: got %+v, closed %d times", got, dev.closed)
	}
	dev.err = nil
	if got := read(d, spec); got.Reason == "" {
		t.Error("opened again at once")
	}
	s.pass(10 * time.Second)
	if got := read(d, spec); got.Reason != "" {
		t.Errorf("plugged in again: %s", got.Reason)
	}
	d.Close(1)
	d.CloseAll()
	if dev.closed != 2 {
		t.Errorf("closed %d times, want 2", dev.closed)
	}
}

// TestReadingsBesideEachOther: sources are read by goroutines of their own.
func TestReadingsBesideEachOther(t *testing.T) {
	d := newDevices(new(scale), func(refdata.Spec) (device, error) { return &fake{}, nil })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				d.Read(event.ReadClock{Source: event.SourceID(i % 4)})
				if i == 7 {
					d.Close(3)
				}
			}
		})
	}
	wg.Wait()
	d.CloseAll()
}

// TestSegment: a segment of the kernel's, made by us and found by us.
func TestSegment(t *testing.T) {
	const unit = 251 // nobody's, it is to be hoped
	for _, c := range []struct {
		spec refdata.Spec
		size int
	}{
		{refdata.Spec{Driver: refdata.SHM, Unit: unit, Perm: 0o600, Time32: true}, refdata.Layout32().Size()},
		{refdata.Spec{Driver: refdata.SHM, Unit: unit, Perm: 0o644}, nativeLayout(refdata.Spec{}).Size()},
	} {
		dev, err := openSegment(c.spec)
		if err != nil {
			t.Skipf("shared memory: %v", err)
		}
		id, err := unix.SysvShmGet(refdata.ShmKey+unit, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var desc unix.SysvShmDesc
		if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, &desc); err != nil {
			t.Fatal(err)
		}
		remove := func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) }
		if got := uint32(desc.Perm.Mode) & 0o777; got != c.spec.Perm || int(desc.Segsz) != c.size {
			t.Errorf("got %d bytes with permissions %o, want %d and %o", desc.Segsz, got, c.size, c.spec.Perm)
		}
		s := dev.(*segment)
		again, err := openSegment(refdata.Spec{Driver: refdata.SHM, Unit: unit, Perm: 0o600})
		if err != nil || again.(*segment).layout != s.layout {
			t.Errorf("attached: %v, want the layout of whoever made it", err)
		}
		writeSegment(s, 2_000_000_000, 123_456_789, 1_999_999_999, 5_000, 1)
		got, err := again.Read(kernelNow)
		want := refdata.Measurement{
			True: clock.WallUnix(2_000_000_000, 123_456_789), Local: clock.WallUnix(1_999_999_999, 5_000), Leap: 1,
		}
		if err != nil || len(got) != 1 || got[0].Measurement != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if got, err := dev.Read(kernelNow); err != nil || len(got) != 0 {
			t.Errorf("the same again: %+v, %v", got, err)
		}
		for _, x := range []device{dev, again} {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
		remove()
	}
}

// writeSegment writes as gpsd does: mode 1, counting before and after.
func writeSegment(s *segment, trueSec, trueNano, localSec, localNano int64, leap int) {
	order := binary.NativeEndian
	at := refdata.ShmCount + 4
	word := func(v int64) { order.PutUint32(s.memory[at:], uint32(v)); at += 4 }
	seconds := func(v int64) {
		if s.layout == refdata.Layout32() {
			word(v)
			return
		}
		if s.layout == refdata.Layout64() {
			at = (at + 7) / 8 * 8
		}
		order.PutUint64(s.memory[at:], uint64(v))
		at += 8
	}
	order.PutUint32(s.memory[refdata.ShmMode:], 1)
	order.PutUint32(s.memory[refdata.ShmCount:], 2)
	seconds(trueSec)
	word(trueNano / 1000)
	seconds(localSec)
	word(localNano / 1000)
	word(int64(leap))
	word(-20)
	word(0)
	word(1)
	word(trueNano)
	word(localNano)
}

// send sends a sample as chrony's clients do.
func send(t *testing.T, path string, sec, usec int64, offset float64) {
	t.Helper()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	order := binary.NativeEndian
	b := order.AppendUint64(order.AppendUint64(nil, uint64(sec)), uint64(usec))
	b = order.AppendUint64(b, math.Float64bits(offset))
	b = order.AppendUint32(order.AppendUint32(order.AppendUint32(order.AppendUint32(b, 0), 0), 0), 0x534f434b)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// TestSocket: it belongs to its owner alone, takes the place of an old one and of
// nothing else, and goes when it is closed.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	spec := refdata.Spec{Driver: refdata.SOCK, Path: path}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSocket(spec); err == nil {
		t.Error("a file made room for a socket")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	old, err := openSocket(spec)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := openSocket(spec) // as after a crash
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("got %v, %v; want a socket for its owner", info.Mode(), err)
	}
	if _, err := old.Read(kernelNow); err == nil {
		t.Error("the old socket does not see that it is none any more")
	}
	if old.Close(); !exists(path) {
		t.Error("closing the old socket took the new one away")
	}
	if got, err := dev.Read(kernelNow); err != nil || len(got) != 0 {
		t.Errorf("nothing sent: %+v, %v", got, err)
	}
	for i := range 3 {
		send(t, path, 2_000_000_000+int64(i), 250_000, 0.125)
	}
	got, err := dev.Read(kernelNow)
	if err != nil || len(got) != 3 || got[2].True != clock.WallUnix(2_000_000_002, 375_000_000) {
		t.Errorf("got %+v, %v", got, err)
	}
	if dev.Close(); exists(path) {
		t.Error("the socket stays after the end")
	}
	// A link of root's, or ours, leads to where it may be made.
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	dev, err = openSocket(refdata.Spec{Driver: refdata.SOCK, Path: link})
	if err != nil {
		t.Fatal(err)
	}
	send(t, link, 2_000_000_000, 0, 0)
	if got, err := dev.Read(kernelNow); err != nil || len(got) != 1 {
		t.Errorf("by the link: got %+v, %v", got, err)
	}
	if dev.Close(); exists(path) || !exists(link) {
		t.Error("the socket should go and the link stay")
	}
	if os.Lchown(link, 4711, 4711) == nil { // as root
		if dev, err := openSocket(refdata.Spec{Driver: refdata.SOCK, Path: link}); err == nil {
			dev.Close()
			t.Error("somebody else's link is followed")
		}
	}
	if _, err := openSocket(refdata.Spec{Driver: refdata.SOCK, Path: "/nonexistent/s"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// pulseMaker is a pulse device in memory.
type pulseMaker struct {
	able   int32
	params unix.PPSKParams
	info   unix.PPSKInfo
	err    error
}

func (p *pulseMaker) Capabilities() (int32, error)          { return p.able, p.err }
func (p *pulseMaker) Parameters() (unix.PPSKParams, error)  { return p.params, nil }
func (p *pulseMaker) SetParameters(x unix.PPSKParams) error { p.params = x; return nil }
func (p *pulseMaker) Fetch() (unix.PPSKInfo, error)         { return p.info, p.err }
func (p *pulseMaker) Close() error                          { return nil }

func TestPPS(t *testing.T) {
	k := &pulseMaker{able: captureAssert | captureClear, params: unix.PPSKParams{Mode: 0x1000}}
	p, err := newPPS(k, true)
	if err != nil || k.params.Mode != 0x1000|captureClear || k.params.Api_version != ppsAPI {
		t.Fatalf("%v, parameters %+v; want the falling edge beside what was set", err, k.params)
	}
	if got, err := p.Read(0); err != nil || len(got) != 0 {
		t.Errorf("no pulse yet: %+v, %v", got, err)
	}
	k.info = unix.PPSKInfo{
		Assert_sequence: 8, Assert_tu: unix.PPSKTime{Sec: 1, Nsec: 2},
		Clear_sequence: 7, Clear_tu: unix.PPSKTime{Sec: 5_000_000_000, Nsec: 999_999_999},
	}
	got, err := p.Read(0)
	want := refdata.Measurement{Local: clock.WallUnix(5_000_000_000, 999_999_999), Pulse: true}
	if err != nil || len(got) != 1 || got[0].Measurement != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := p.Read(0); err != nil || len(got) != 0 {
		t.Errorf("the same pulse again: %+v, %v", got, err)
	}
	k.err = unix.ENODEV
	if _, err := p.Read(0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("unplugged: %v", err)
	}
	if _, err := newPPS(&pulseMaker{able: captureAssert}, true); err == nil {
		t.Error("a device that cannot stamp the edge is used")
	}
}

// card is a card's clock in memory.
type card struct {
	precise error
	windows []window
	asked   int
}

func (c *card) Precise() (clock.Wall, clock.Wall, error) { c.asked++; return 11, 10, c.precise }
func (c *card) Windows(int) ([]window, error)            { return c.windows, nil }
func (c *card) Close() error                             { return nil }

func TestPHC(t *testing.T) {
	c := &card{windows: []window{{100, 1000, 160}, {200, 1100, 220}, {400, 1200, 390}, {500, 1300, 540}}}
	p := &phc{kernel: c}
	if got, err := p.Read(0); err != nil || len(got) != 1 || got[0].Local != 10 || got[0].True != 11 || got[0].within != 0 {
		t.Errorf("precise: got %+v, %v", got, err)
	}
	c.precise = unix.EOPNOTSUPP
	for range 3 {
		got, err := p.Read(0)
		want := measurement{Measurement: refdata.Measurement{Local: 210, True: 1100}, within: 10}
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, %v; want %+v, the shortest window", got, err, want)
		}
	}
	if c.asked != 2 {
		t.Errorf("asked %d times for what the card cannot do, want once", c.asked-1)
	}
	c.windows = []window{{5, 6, 4}}
	if got, err := p.Read(0); err != nil || len(got) != 0 {
		t.Errorf("the clock was stepped meanwhile: got %+v, %v", got, err)
	}
	c.precise, p.simple = unix.ENODEV, false
	if _, err := p.Read(0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("unplugged: %v", err)
	}
}

// TestNoSuchDevice: what is not there, or is something else, is said in words.
func TestNoSuchDevice(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := New(new(scale))
	defer d.CloseAll()
	for i, c := range []struct {
		spec refdata.Spec
		want string
	}{
		{refdata.Spec{Driver: refdata.PPS, Path: "/nonexistent/pps0"}, "PPS /nonexistent/pps0 is not there"},
		{refdata.Spec{Driver: refdata.PHC, Path: "/nonexistent/ptp0"}, "PHC /nonexistent/ptp0 is not there"},
		{refdata.Spec{Driver: refdata.PPS, Path: plain}, "PPS " + plain + " is a device or file of another kind"},
		{refdata.Spec{Driver: refdata.PHC, Path: plain}, "PHC " + plain + " is a device or file of another kind"},
		{refdata.Spec{Driver: refdata.PHC, Path: "nosuchcard"}, "PHC nosuchcard: "},
		{refdata.Spec{Driver: refdata.SOCK, Path: plain}, "SOCK " + plain + ": something other than a socket is there"},
	} {
		got := d.Read(event.ReadClock{Source: event.SourceID(i + 1), Spec: c.spec})
		unknown := strings.HasSuffix(got.Reason, unix.ENOSYS.Error()) // an emulator does not know the call
		if !strings.HasPrefix(got.Reason, c.want) && !unknown || len(got.Measurements) > 0 {
			t.Errorf("%v: got %+v, want %q", c.spec, got, c.want)
		}
	}
	if got := fmt.Sprint(refdata.Spec{Driver: refdata.SHM, Unit: 3}); got != "SHM 3" {
		t.Errorf("got %q", got)
	}
}
