//go:build linux

package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// session makes one with all fields set; established after 2038.
func session(t testing.TB, ke string) nts.Session {
	t.Helper()
	const seed = 20361
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, uint64(len(ke)))) // each server its own
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	a := netip.MustParseAddrPort(ke)
	s := nts.Session{
		KEName: "time.example", KEAddr: a.Addr(), KEPort: a.Port(),
		NTPAddr: netip.MustParseAddrPort("[2001:db8::7]:4123"),
		AEAD:    siv.AES128GCMSIV, C2S: random(16), S2C: random(16), AltC2S: random(16), AltS2C: random(16),
		Established: clock.WallUnix(1<<32, 999999999),
		NotBefore:   clock.WallUnix(-1, 1), NotAfter: clock.WallUnix(1<<33, 0),
		Strict: true,
	}
	for i := range nts.MaxCookies {
		s.Cookies = append(s.Cookies, random(63+i))
	}
	return s
}

func TestSessionRoundTrip(t *testing.T) {
	full := session(t, "192.0.2.1:4460")
	bare := full
	bare.AltC2S, bare.AltS2C, bare.Strict, bare.Cookies = nil, nil, false, nil
	bare.NotBefore, bare.NotAfter = 0, 0
	for _, want := range []nts.Session{full, bare} {
		got, err := ParseSession(AppendSession(nil, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v %v\nwant %+v", got, err, want)
		}
	}
	// Appending leaves what was there alone, and out of the sum.
	if got := AppendSession([]byte("before"), full); !bytes.Equal(got, append([]byte("before"), AppendSession(nil, full)...)) {
		t.Errorf("appended: %s", got)
	}
}

func TestSessionGolden(t *testing.T) {
	s := nts.Session{
		KEName: "time.example", KEAddr: netip.MustParseAddr("192.0.2.1"), KEPort: 4460,
		NTPAddr: netip.MustParseAddrPort("192.0.2.2:123"), AEAD: 30,
		C2S: bytes.Repeat([]byte{0xc2}, 16), S2C: bytes.Repeat([]byte{0x2c}, 16),
		Established: clock.WallUnix(1795304179, 500000000),
		NotBefore:   clock.WallUnix(1790000000, 0), NotAfter: clock.WallUnix(1799999999, 0),
		Strict: true, Cookies: [][]byte{{1, 2, 3, 4}},
	}
	want := `NTSD1
name time.example
ke 192.0.2.1 4460
ntp 192.0.2.2:123
aead 30
c2s c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2
s2c 2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c
established 1795304179.500000000
valid 1790000000.000000000 1799999999.000000000
strict yes
cookie 01020304
sum `
	got := string(AppendSession(nil, s))
	if !strings.HasPrefix(got, want) || len(got) != len(want)+2*sumLen+1 {
		t.Errorf("got:\n%swant:\n%s...", got, want)
	}
}

// TestSessionDamaged cuts a file everywhere and turns each of its bits.
func TestSessionDamaged(t *testing.T) {
	b := AppendSession(nil, session(t, "192.0.2.1:4460"))
	for n := range b {
		if _, err := ParseSession(b[:n]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1 << (i % 8)
		if _, err := ParseSession(c); err == nil {
			t.Fatalf("bit turned in byte %d: accepted", i)
		}
	}
}

// TestSessionRefuses has the sum right and something else wrong.
func TestSessionRefuses(t *testing.T) {
	whole := string(AppendSession(nil, session(t, "192.0.2.1:4460")))
	body := whole[:strings.Index(whole, "sum ")]
	line := func(key string) string {
		i := strings.Index(body, "\n"+key+" ") + 1
		return body[i : i+strings.IndexByte(body[i:], '\n')+1]
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"magic", "NTSD1", "NTSD2", "not a file of kind NTSD1"},
		{"unknown key", line("strict"), "strict yes\nfuture 1\n", "unknown key"},
		{"twice", line("strict"), "strict yes\nstrict no\n", "strict again"},
		{"no name", line("name"), "", "name is missing"},
		{"empty name", line("name"), "name \n", "no host name"},
		{"name with a space", line("name"), "name a b\n", "no host name"},
		{"no keys", line("c2s"), "", "c2s is missing"},
		{"short key", line("c2s"), "c2s 00\n", "keys of 1 and 16 bytes"},
		{"huge key", line("c2s"), "c2s " + strings.Repeat("00", 100) + "\n", "too many hexadecimal digits"},
		{"half a second pair", line("altc2s"), "", "half of the second pair"},
		{"short second pair", line("alts2c"), "alts2c 00\n", "second pair of keys has the wrong length"},
		{"unknown AEAD", line("aead"), "aead 99\n", "unknown AEAD 99"},
		{"AEAD out of range", line("aead"), "aead 65566\n", "line 5"},
		{"port 0", line("ke"), "ke 192.0.2.1 0\n", "no port"},
		{"NTP port 0", line("ntp"), "ntp 192.0.2.1:0\n", "no NTP address"},
		{"NTP nowhere", line("ntp"), "ntp 0.0.0.0:123\n", "no NTP address"},
		{"time", line("established"), "established 1e9\n", "no time"},
		{"time out of range", line("established"), "established 9223372037\n", "no time"},
		{"ten decimals", line("established"), "established 1.0123456789\n", "no time"},
		{"signed decimals", line("established"), "established 1.+5\n", "no time"},
		{"validity", line("valid"), "valid 2.0 1.0\n", "validity ends before"},
		{"strict", line("strict"), "strict maybe\n", "neither yes nor no"},
		{"nine cookies", line("strict"), "strict yes\ncookie 00\n", "too many cookies"},
		{"empty cookie", line("strict"), "strict yes\ncookie \n", "bad hexadecimal digits"},
		{"odd cookie", line("strict"), "strict yes\ncookie 000\n", "bad hexadecimal digits"},
	} {
		text := strings.Replace(body, c.old, c.new, 1)
		_, err := ParseSession(appendSum([]byte(text)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestErrorsHoldNoSecrets: reasons end up in logs.
func TestErrorsHoldNoSecrets(t *testing.T) {
	const secret = "5ec2e75ec2e75ec2e75ec2e75ec2e7zz"
	for _, key := range []string{"c2s", "s2c", "altc2s", "alts2c", "cookie"} {
		var s nts.Session
		if err := parseSessionLine(&s, key, secret); err == nil || strings.Contains(err.Error(), "5ec2e7") {
			t.Errorf("%s: %v", key, err)
		}
	}
	_, err := ParseChronySession([]byte("NNC0\nn\n1.0\n192.0.2.1 123\n1 15 " + secret + " " + secret + "\n"))
	if err == nil || strings.Contains(err.Error(), "5ec2e7") {
		t.Errorf("NNC0: %v", err)
	}
}

func TestSessionNames(t *testing.T) {
	for ke, want := range map[string]string{
		"192.0.2.1:4460":       "192.0.2.1.nts",
		"192.0.2.1:443":        "192.0.2.1_443.nts",
		"[2001:db8::1]:4460":   "2001:db8::1.nts",
		"[2001:db8::1]:443":    "2001:db8::1_443.nts",
		"[fe80::1%a_1]:4460":   "fe80::1%a_1.nts",
		"[fe80::1%br-lan]:443": "fe80::1%br-lan_443.nts",
	} {
		a := netip.MustParseAddrPort(ke)
		if got := SessionName(a); got != want {
			t.Errorf("%s: got %s, want %s", ke, got, want)
		}
	}
	for _, name := range []string{"x.nts", ".nts", "192.0.2.1", "192.0.2.1_4460.nts", "192.0.2.1_0.nts", "192.0.2.1_x.nts", "2001:DB8::1.nts", "2001:db8:0::1.nts", "time.example.nts"} {
		if ke, err := parseSessionName(name); err == nil {
			t.Errorf("%s: taken for %v", name, ke)
		}
	}
}

func TestSaveAndLoadSessions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if sessions, errs := LoadSessions(dir); sessions != nil || errs != nil {
		t.Errorf("no folder: got %v %v, want nothing", sessions, errs)
	}
	if err := MakeDir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var want []nts.Session
	for _, ke := range []string{"192.0.2.1:4460", "192.0.2.1:443", "[2001:db8::1]:4460"} {
		s := session(t, ke)
		want = append(want, s)
		if err := SaveSession(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	// One by one they go bad; the others load.
	bad := filepath.Join(dir, "198.51.100.1.nts")
	moved := filepath.Join(dir, "198.51.100.2.nts")
	open := filepath.Join(dir, "198.51.100.3.nts")
	b, err := os.ReadFile(filepath.Join(dir, "192.0.2.1.nts"))
	if err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct {
		data []byte
		perm os.FileMode
	}{bad: {b[:100], 0o600}, moved: {b, 0o600}, open: {b, 0o644}} {
		if err := os.WriteFile(path, c.data, c.perm); err != nil {
			t.Fatal(err)
		}
	}
	got, errs := LoadSessions(dir)
	if len(got) != 3 {
		t.Fatalf("got %d sessions, want 3 (%v)", len(got), errs)
	}
	for _, w := range want {
		found := false
		for _, g := range got {
			found = found || reflect.DeepEqual(g, w)
		}
		if !found {
			t.Errorf("session of %v port %d did not come back", w.KEAddr, w.KEPort)
		}
	}
	if len(errs) != 3 {
		t.Fatalf("got %v, want 3 refusals", errs)
	}
	refused(t, errs[0], bad, Damaged)
	refused(t, errs[1], moved, Damaged)
	refused(t, errs[2], open, TooOpen)

	// Without cookies there is nothing to keep.
	empty := want[0]
	empty.Cookies = nil
	if err := SaveSession(dir, empty); err != nil {
		t.Fatal(err)
	}
	if err := RemoveSession(dir, netip.MustParseAddrPort("192.0.2.1:443")); err != nil {
		t.Fatal(err)
	}
	if got, _ := LoadSessions(dir); len(got) != 1 || got[0].KEAddr != want[2].KEAddr {
		t.Errorf("after removal: %d sessions, want the third alone", len(got))
	}
}

func TestSaveSessionRefuses(t *testing.T) {
	dir := t.TempDir()
	s := session(t, "192.0.2.1:4460")
	s.KEName = "two\nlines"
	if err := SaveSession(dir, s); err == nil {
		t.Error("a name of two lines: saved")
	}
	z := session(t, "[fe80::1%x/../y]:4460")
	if err := SaveSession(dir, z); err == nil {
		t.Error("a zone with a slash: saved")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxTogether + 2 {
		ke := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4460)
		if err := os.WriteFile(filepath.Join(dir, SessionName(ke)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, errs := LoadSessions(dir); len(s) != 0 || len(errs) != maxTogether+1 {
		t.Errorf("%d sessions, %d errors; want 0 and %d", len(s), len(errs), maxTogether+1)
	}
}

// TestChronyFiles reads what chrony 4.8+ wrote with AEAD 15 and 30.
func TestChronyFiles(t *testing.T) {
	for name, want := range map[string]struct {
		aead        siv.Algorithm
		established clock.Wall
		cookie      int
	}{
		"chrony-aead15.nts.txt": {15, clock.WallUnix(1795304179, 500000000), 96},
		"chrony-aead30.nts.txt": {30, clock.WallUnix(1795305340, 900000000), 64},
	} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		path := put(t, "10.66.0.1.nts", 0o600, string(b))
		s, err := LoadSession(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.AEAD != want.aead || s.Established != want.established || len(s.Cookies) != 8 || len(s.Cookies[7]) != want.cookie ||
			s.KEName != "nts.test" || s.KEAddr != netip.MustParseAddr("10.66.0.1") || s.KEPort != 4460 ||
			s.NTPAddr != netip.MustParseAddrPort("10.66.0.1:123") || s.Strict {
			t.Errorf("%s: got %+v", name, s)
		}
		for n := range b {
			p := put(t, "10.66.0.1.nts", 0o600, string(b[:n]))
			if _, err := LoadSession(p); err == nil && !bytes.HasSuffix(b[:n], []byte("\n")) {
				t.Fatalf("%s cut to %d bytes: accepted", name, n)
			} else if err != nil && !errors.As(err, new(*RefusedError)) {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
			if n > 200 {
				break // 200 files say it
			}
		}
	}
}

func TestBackoffs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backoff")
	if all, err := LoadBackoffs(path); all != nil || err != nil {
		t.Errorf("missing: got %v %v, want nothing", all, err)
	}
	want := []Backoff{
		{netip.MustParseAddrPort("192.0.2.1:4460"), 3, clock.WallUnix(1<<32, 5)},
		{netip.MustParseAddrPort("[fe80::1%br-lan]:443"), 65535, clock.WallUnix(0, 0)},
	}
	if err := SaveBackoffs(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadBackoffs(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
	b, _ := os.ReadFile(path)
	for n := range b {
		if _, err := ParseBackoffs(b[:n]); err == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
	for _, line := range []string{"ke 192.0.2.1 3 1.0", "ke 192.0.2.1:1 65536 1.0", "ke 192.0.2.1:1 3", "x 192.0.2.1:1 3 1.0", "ke 192.0.2.1:1 3 x"} {
		p := put(t, "backoff", 0o600, string(appendSum([]byte(magicBackoff+"\n"+line+"\n"))))
		_, err := LoadBackoffs(p)
		refused(t, err, p, Damaged)
	}
	many := make([]Backoff, MaxBackoffs+1)
	for i := range many {
		many[i].KE = netip.MustParseAddrPort("192.0.2.1:4460")
	}
	if got, err := ParseBackoffs(AppendBackoffs(nil, many)); err != nil || len(got) != MaxBackoffs {
		t.Errorf("%d entries %v, want %d", len(got), err, MaxBackoffs)
	}
	if err := SaveBackoffs(path, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("nothing to remember: %v, want no file", err)
	}
}

// What cannot be replaced is removed: the old file has cookies that are spent
// from now on.
func TestUnsavedSessionLeavesNoSpentCookies(t *testing.T) {
	dir := t.TempDir()
	s := session(t, "192.0.2.1:4460")
	if err := SaveSession(dir, s); err != nil {
		t.Fatal(err)
	}
	// The temporary file cannot be made, as on a full disk.
	if err := os.MkdirAll(filepath.Join(dir, ".192.0.2.1.nts.tmp", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Cookies = s.Cookies[1:]
	if err := SaveSession(dir, s); err == nil {
		t.Error("SaveSession: got no error")
	}
	if left, errs := LoadSessions(dir); len(left) != 0 || len(errs) != 0 {
		t.Errorf("got %d sessions, errors %v; want none", len(left), errs)
	}
}
