//go:build linux

package resident

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMappings(t *testing.T) {
	const maps = `00010000-00370000 r-xp 00000000 1f:05 123        /usr/sbin/ntsd
00370000-00380000 r--p 00360000 1f:05 123        /usr/sbin/ntsd
00380000-00390000 rw-p 00370000 1f:05 123        /usr/sbin/ntsd
00390000-003a0000 r-xp 00000000 1f:05 124        /usr/sbin/other
00400000-003a0000 r-xp 00000000 1f:05 123        /usr/sbin/ntsd
zz-00 r-xp 00000000 1f:05 123        /usr/sbin/ntsd
77e00000-77e01000 r-xp 00000000 00:00 0          [vdso]
00500000-00600000 r--p 00000000 1f:05 123        /usr/sbin/ntsd (deleted)
`
	want := []mapping{{0x10000, 0x360000}, {0x370000, 0x10000}}
	if got := mappings([]byte(maps), "/usr/sbin/ntsd"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	long := strings.Repeat("00010000-00370000 r-xp 00000000 1f:05 123 /x\n", 100)
	if got := len(mappings([]byte(long), "/x")); got != maxMappings {
		t.Errorf("got %d mappings, want %d", got, maxMappings)
	}
}

// file returns how much of this process's memory is pages of files, in kB.
func file(t *testing.T) (kB int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "RssFile:")
	if _, err := fmt.Sscan(rest, &kB); !ok || err != nil {
		t.Skip("this kernel does not tell RssFile")
	}
	return kB
}

// TestRelease: less is resident, and everything still works.
func TestRelease(t *testing.T) {
	before := file(t)
	n, err := Release()
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Skip("no mapping of the binary: an emulator's")
	}
	if after := file(t); after >= before {
		t.Errorf("%d kB of files resident, before it was %d", after, before)
	}
}
