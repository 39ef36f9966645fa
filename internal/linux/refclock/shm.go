//go:build linux

package refclock

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
	"ntsd/internal/refdata"
)

// segment is a segment of shared memory that another program writes to.
type segment struct {
	memory []byte
	layout refdata.Layout
}

// openSegment attaches a segment, and makes it if there is none. The program
// that made one decides on its layout: it is told by the size.
func openSegment(s refdata.Spec) (device, error) {
	key := refdata.ShmKey + s.Unit
	id, err := unix.SysvShmGet(key, 0, 0)
	if err == unix.ENOENT {
		id, err = unix.SysvShmGet(key, nativeLayout(s).Size(), unix.IPC_CREAT|int(s.Perm))
	}
	if err != nil {
		return nil, fmt.Errorf("get the segment: %w", err)
	}
	memory, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("attach the segment: %w", err)
	}
	layout, ok := refdata.LayoutOf(len(memory))
	if !ok {
		err = fmt.Errorf("the segment has %d bytes, which is nobody's", len(memory))
		_ = unix.SysvShmDetach(memory)
		return nil, err
	}
	return &segment{memory, layout}, nil
}

// nativeLayout is that of the programs of this machine: musl, and so OpenWrt, has
// seconds of 64 bits everywhere.
func nativeLayout(s refdata.Spec) refdata.Layout {
	switch {
	case s.Time32:
		return refdata.Layout32()
	case packed64:
		return refdata.Layout64Packed()
	}
	return refdata.Layout64()
}

func (s *segment) word(offset int) *uint32 {
	return (*uint32)(unsafe.Pointer(&s.memory[offset]))
}

// Read copies the segment. Writers count up before and after what they write, so
// that a copy made meanwhile can be told.
func (s *segment) Read(now clock.Wall) ([]measurement, error) {
	valid := s.word(s.layout.Valid())
	if atomic.LoadUint32(valid) == 0 {
		return nil, nil
	}
	before := atomic.LoadUint32(s.word(refdata.ShmCount))
	var b [96]byte
	n := copy(b[:], s.memory)
	after := atomic.LoadUint32(s.word(refdata.ShmCount))
	if binary.NativeEndian.Uint32(b[refdata.ShmMode:]) == 1 && before != after {
		return nil, nil // next time
	}
	m, ok := s.layout.Parse(b[:n], binary.NativeEndian, now)
	atomic.StoreUint32(valid, 0)
	if !ok {
		return nil, nil
	}
	return []measurement{{Measurement: m}}, nil
}

// Close detaches the segment. It stays: the other program may go on.
func (s *segment) Close() error { return unix.SysvShmDetach(s.memory) }
