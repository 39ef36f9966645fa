//go:build linux

package resident

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// Headers of binaries as Go's linker makes them: for the mips of a router, loaded
// where it says; and for amd64, to be loaded anywhere.
const (
	fixedMips = "7f454c460102010000000000000000000002000800000001000c3fd8000000340000011450001004003400200007002800120011000000060000003400010034" +
		"00010034000000e0000000e000000004000100000000000400000f7800010f7800010f7800000064000000640000000400000004000000010000000000010000" +
		"00010000000ed0cc000ed0cc000000050001000000000001000f00000010000000100000000c714c000c714c000000040001000000000001001c0000001d0000" +
		"001d000000009d000002a04000000006000100006474e551000000000000000000000000000000000000000000000006000000047000000300000f6000010f60" +
		"00010f6000000018000000180000000400000008"
	anywhere = "7f454c4602010100000000000000000003003e0001000000600e4800000000004000000000000000a80200000000000000000000400038000b00400028002700" +
		"06000000040000004000000000000000400040000000000040004000000000006802000000000000680200000000000000100000000000000300000004000000" +
		"e40f000000000000e40f400000000000e40f4000000000001c000000000000001c00000000000000010000000000000004000000040000005c0f000000000000" +
		"5c0f4000000000005c0f400000000000640000000000000064000000000000000400000000000000010000000500000000000000000000000000400000000000" +
		"000040000000000010c20a000000000010c20a00000000000010000000000000010000000400000000d00a000000000000d04a000000000000d04a0000000000" +
		"68410e000000000068410e00000000000010000000000000010000000600000000201900000000000020590000000000002059000000000078a2020000000000" +
		"78a2020000000000001000000000000052e574640400000000201900000000000020590000000000002059000000000078a202000000000078a2020000000000" +
		"0010000000000000010000000600000000d01b000000000000d05b000000000000d05b0000000000a0aa00000000000000060400000000000010000000000000" +
		"0200000006000000c0b81b0000000000c0b85b0000000000c0b85b0000000000c000000000000000c00000000000000008000000000000000700000004000000" +
		"00000000000000000000000000000000000000000000000000000000000000000800000000000000080000000000000051e57464060000000000000000000000" +
		"00000000000000000000000000000000000000000000000000000000000000000800000000000000"
)

// TestConstants: code and constants, but not the part with addresses of a binary
// that may be loaded anywhere, which is as read-only by now as they are.
func TestConstants(t *testing.T) {
	for _, tt := range []struct {
		name, head, maps string
		want             []mapping
	}{
		{"fixed", fixedMips, `00010000-00370000 r-xp 00000000 1f:05 123        /usr/sbin/ntsd
`, []mapping{{0x10000, 0xee000}, {0x100000, 0xc8000}}},
		{"anywhere", anywhere, `0f077400-0f077640 ---p 00000000 00:00 0
5b41c000-5b41d000 r-xp 00000000 1f:05 124        /usr/sbin/other
5b41d000-5b4ca000 r-xp 00000000 1f:05 123        /usr/sbin/ntsd
5b4ca000-5b5af000 r--p 000ad000 1f:05 123        /usr/sbin/ntsd
5b5af000-5b5d9000 r--p 00192000 1f:05 123        /usr/sbin/ntsd
5b5d9000-5b5e5000 rw-p 001bc000 1f:05 123        /usr/sbin/ntsd
`, []mapping{{0x5b41d000, 0xad000}, {0x5b4ca000, 0xe5000}}},
		{"replaced meanwhile", anywhere, "00010000-00370000 r-xp 00000000 1f:05 123 /usr/sbin/ntsd (deleted)\n", nil},
		{"no ELF", "23212f62696e2f7368", "00010000-00370000 r-xp 00000000 1f:05 123 /usr/sbin/ntsd\n", nil},
	} {
		head, err := hex.DecodeString(tt.head)
		if err != nil {
			t.Fatal(err)
		}
		if got := constants(head, []byte(tt.maps), "/usr/sbin/ntsd", 4096); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %x, want %x", tt.name, got, tt.want)
		}
	}
}

func FuzzSegments(f *testing.F) {
	for _, s := range []string{fixedMips, anywhere} {
		head, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		for _, s := range func() []mapping { all, _ := segments(head, 4096); return all }() {
			if s.start%4096 != 0 || s.length%4096 != 0 {
				t.Errorf("%x is not a range of pages", s)
			}
		}
	})
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
