package main

import (
	"net/netip"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/store"
)

// TestBackoffsOfMany: however many addresses have failed in the years of a run, the
// latest are kept for the next start, and none in memory that are not.
func TestBackoffsOfMany(t *testing.T) {
	f := &files{dir: t.TempDir()}
	save := func(i, failures int) {
		t.Helper()
		addr := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		if err := f.SaveBackoff(event.Backoff{Addr: addr, Port: 4460, Failures: failures, NotBefore: clock.WallUnix(2e9, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	const many = 5 * store.MaxBackoffs
	for i := range many {
		save(0, 1+i) // as long as it fails it is not forgotten
		save(1+i, 1)
	}
	again := &files{dir: f.dir}
	all, refused := again.Backoffs()
	if len(refused) != 0 || len(all) != store.MaxBackoffs || len(f.backoffs) != store.MaxBackoffs {
		t.Fatalf("%d entries read, %d in memory, refused %v; want %d", len(all), len(f.backoffs), refused, store.MaxBackoffs)
	}
	if first, last := all[len(all)-2], all[len(all)-1]; first.Failures != many || last.Addr.As4()[3] != many&255 {
		t.Errorf("the latest are %+v and %+v", first, last)
	}
	for i := range many + 1 {
		save(i, 0)
	}
	if all, _ := again.Backoffs(); len(all) != 0 || len(f.backoffs) != 0 {
		t.Errorf("after all have recovered: %d entries, %d in memory", len(all), len(f.backoffs))
	}
}
