//go:build linux

package lanca

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/store"
)

const day = 24 * time.Hour

func june() clock.Wall { return clock.WallTime(time.Date(2030, 6, 15, 0, 0, 0, 0, time.UTC)) }

func router() Names {
	return Names{
		Host: "router", DNS: []string{"Router", "router.lan"},
		Addrs: []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("fd00::1")},
	}
}

// keep has the authority see to its certificate, and wants that to work.
func keep(t *testing.T, a *Authority, now clock.Wall, names Names, want bool, when string) {
	t.Helper()
	changed, err := a.Keep(now, true, names)
	if err != nil && !errors.Is(err, store.ErrFlashBudget) || changed != want { // many in no time
		t.Errorf("%s: changed %v, %v; want %v", when, changed, err, want)
	}
}

// fingerprint returns the authority's.
func fingerprint(t *testing.T, a *Authority) string {
	t.Helper()
	info, ok := a.Info()
	if !ok {
		t.Fatal("nothing is known of the authority")
	}
	return info.Fingerprint
}

// verify judges the server's certificate as a client does that was given the
// authority's.
func verify(t *testing.T, a *Authority, name string, at clock.Wall) error {
	t.Helper()
	info, _ := a.Info()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(info.PEM)) {
		t.Fatalf("no certificate in %q", info.PEM)
	}
	_, err := a.Certificate().Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: at.Time()})
	return err
}

func TestCertificate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	flash := new(store.Flash)
	a := New(dir, flash)
	if _, ok := a.Info(); ok || a.Certificate() != nil {
		t.Error("something is known before the first Keep")
	}
	keep(t, a, june(), router(), true, "at first")
	for _, name := range []string{"router", "router.lan", "192.168.1.1", "fd00::1"} {
		if err := verify(t, a, name, june()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, at := range []clock.Wall{june().Add(-2 * day), june().Add(serverLife + time.Hour)} {
		if verify(t, a, "router", at) == nil {
			t.Errorf("valid at %v", at.Time())
		}
	}
	info, _ := a.Info()
	if want := []string{"router", "router.lan", "192.168.1.1", "fd00::1"}; !slices.Equal(info.Names, want) {
		t.Errorf("names: got %v, want %v", info.Names, want)
	}
	if info.Next != info.NotAfter.Add(-renewBefore) || info.NotAfter != june().Add(serverLife) {
		t.Errorf("got dates %v to %v, next %v", info.NotBefore.Time(), info.NotAfter.Time(), info.Next.Time())
	}
	for name, perm := range map[string]os.FileMode{caKeyName: 0o600, caCertName: 0o644, serverName: 0o600} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != perm {
			t.Errorf("%s: %v, %v; want %o", name, fi, err, perm)
		}
	}
	if _, n := flash.Written(); n != 3 {
		t.Errorf("got %d writes to flash, want 3", n)
	}
	// The next start has the same.
	serial := a.Certificate().Leaf.SerialNumber
	again := New(dir, flash)
	keep(t, again, june().Add(day), router(), false, "after a restart")
	if again.Certificate().Leaf.SerialNumber.Cmp(serial) != 0 || fingerprint(t, again) != info.Fingerprint {
		t.Error("after a restart: another certificate or authority")
	}
}

// Certificates are replaced in time and for new names, never for want of a
// name, and the authority stays.
func TestReplaced(t *testing.T) {
	a := New(t.TempDir(), new(store.Flash))
	keep(t, a, june(), router(), true, "at first")
	mark := fingerprint(t, a)
	keep(t, a, june().Add(serverLife-renewBefore-time.Second), router(), false, "a day before")
	keep(t, a, june().Add(serverLife-renewBefore+time.Second), router(), true, "in time")
	// The clock was wrong when the certificate was made.
	keep(t, a, june(), router(), true, "back in time")
	keep(t, a, june().Add(-3*365*day), router(), true, "three years back")

	now := june().Add(-3 * 365 * day)
	fewer := router()
	fewer.Addrs = fewer.Addrs[:1]
	keep(t, a, now, fewer, false, "an interface is down")
	more := Names{Host: "router", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	keep(t, a, now, more, true, "a new interface")
	keep(t, a, now, router(), false, "the old interface is back")
	if err := verify(t, a, "10.0.0.1", now); err != nil {
		t.Error(err)
	}
	if fingerprint(t, a) != mark {
		t.Error("the authority has changed")
	}
	// Names of the Internet are left out: they cause no new certificate.
	public := router()
	public.DNS = append(public.DNS, "time.example.com", "")
	public.Addrs = append(public.Addrs, netip.MustParseAddr("2600::1"), netip.MustParseAddr("8.8.8.8"))
	keep(t, a, now, public, false, "names of the Internet")
}

// Nobody can make a certificate of ever more names, and two lists that take
// turns do not cause one after the other.
func TestNamesAreBounded(t *testing.T) {
	a := New(t.TempDir(), new(store.Flash))
	var many [2]Names
	for i := range 100 {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		many[i%2].Addrs = append(many[i%2].Addrs, addr)
	}
	changes := 0
	for i := range 10 {
		changed, err := a.Keep(june(), true, many[i%2])
		if err != nil && !errors.Is(err, store.ErrFlashBudget) {
			t.Fatal(err)
		}
		if changed {
			changes++
		}
		if n := len(a.Certificate().Leaf.IPAddresses); n > MaxNames {
			t.Fatalf("got %d addresses, want at most %d", n, MaxNames)
		}
	}
	if changes > 10 {
		t.Errorf("got %d certificates", changes)
	}
}

// Before the time is known there is an authority, but no certificate; one that
// was made before serves on.
func TestWithoutTime(t *testing.T) {
	dir := t.TempDir()
	a := New(dir, new(store.Flash))
	if _, err := a.Keep(0, false, router()); !errors.Is(err, ErrNoTime) || a.Certificate() != nil {
		t.Errorf("got %v, want ErrNoTime", err)
	}
	mark := fingerprint(t, a)
	a = New(dir, new(store.Flash))
	keep(t, a, june(), router(), true, "synchronised")
	if fingerprint(t, a) != mark {
		t.Error("the authority of 1970 is not the one of today")
	}
	if err := verify(t, a, "router", june()); err != nil {
		t.Error(err)
	}
	for _, now := range []clock.Wall{0, june().Add(70 * 365 * day)} {
		a = New(dir, new(store.Flash))
		if changed, err := a.Keep(now, false, router()); changed || err != nil || a.Certificate() == nil {
			t.Errorf("clock at %v: changed %v, %v; want the old certificate", now.Time(), changed, err)
		}
	}
}

func TestRenew(t *testing.T) {
	dir := t.TempDir()
	a := New(dir, new(store.Flash))
	keep(t, a, june(), router(), true, "at first")
	mark := fingerprint(t, a)
	if err := a.Renew(router()); err != nil {
		t.Fatal(err)
	}
	if a.Certificate() != nil || fingerprint(t, a) == mark {
		t.Error("the old authority or its certificate is still there")
	}
	keep(t, a, june(), router(), true, "under the new authority")
	if err := verify(t, a, "router.lan", june()); err != nil {
		t.Error(err)
	}
	b := New(dir, new(store.Flash))
	keep(t, b, june(), router(), false, "after a restart")
	if fingerprint(t, a) != fingerprint(t, b) {
		t.Error("after a restart: another authority")
	}
}

// A power cut between the key and its certificate, which nobody has seen yet.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	a := New(dir, new(store.Flash))
	keep(t, a, june(), router(), true, "at first")
	if err := os.Remove(filepath.Join(dir, caCertName)); err != nil {
		t.Fatal(err)
	}
	b := New(dir, new(store.Flash))
	keep(t, b, june(), router(), true, "without the authority's certificate")
	if !a.key.Equal(b.key) {
		t.Error("the key was not used again")
	}
	// What was exported before is still good: the same name and key.
	info, _ := a.Info()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(info.PEM))
	if _, err := b.Certificate().Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "router", CurrentTime: june().Time()}); err != nil {
		t.Error(err)
	}
}

// An authority that clients may trust is not replaced because its file was
// touched; a server's certificate is.
func TestRefusedFiles(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"permissions too open": func(p string) error { return os.Chmod(p, 0o644) },
		"no private key":       func(p string) error { return os.WriteFile(p, []byte("half a file"), 0o600) },
	} {
		dir := t.TempDir()
		a := New(dir, new(store.Flash))
		keep(t, a, june(), router(), true, "at first")
		if err := spoil(filepath.Join(dir, serverName)); err != nil {
			t.Fatal(err)
		}
		keep(t, New(dir, new(store.Flash)), june(), router(), true, name)
		if err := spoil(filepath.Join(dir, caKeyName)); err != nil {
			t.Fatal(err)
		}
		b := New(dir, new(store.Flash))
		_, err := b.Keep(june(), true, router())
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "ntsctl ca renew") || b.Certificate() != nil {
			t.Errorf("%s: got %v, want the reason and what to do", name, err)
		}
		if err := b.Renew(router()); err != nil {
			t.Error(err)
		}
		keep(t, b, june(), router(), true, "renewed")
	}
}

// A flash that cannot be written costs nothing but the next start, and is tried
// again an hour later.
func TestReadOnly(t *testing.T) {
	parent := t.TempDir()
	dir, place := filepath.Join(parent, "state"), filepath.Join(parent, "place")
	if err := os.Symlink(place, dir); err != nil { // to what is not there yet
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a := New(dir, new(store.Flash))
		if changed, err := a.Keep(june(), true, router()); !changed || err == nil {
			t.Errorf("changed %v, %v; want a certificate that is not saved", changed, err)
		}
		keep(t, a, june(), router(), false, "soon after")
		if a.Saved() {
			t.Error("taken for saved")
		}
		time.Sleep(saveAgain)
		if _, err := a.Keep(june(), true, router()); err == nil {
			t.Error("an hour later: not tried again")
		}
		if err := os.Mkdir(place, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(saveAgain)
		keep(t, a, june(), router(), false, "flash is back")
		if !a.Saved() {
			t.Error("not saved")
		}
		b := New(dir, new(store.Flash))
		keep(t, b, june(), router(), false, "after a restart")
		if fingerprint(t, a) != fingerprint(t, b) {
			t.Error("after a restart: another authority")
		}
	})
}

// An uplink that gets another private address many times a day does not wear the
// flash: each certificate serves, and the last is kept when there is room again.
func TestFlashIsSpared(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		flash := new(store.Flash)
		a := New(dir, flash)
		keep(t, a, june(), router(), true, "at first")
		if !a.Saved() {
			t.Error("not saved at first")
		}
		names := router()
		for i := range 200 {
			names.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{100, 64, byte(i), 1})}
			changed, err := a.Keep(june(), true, names)
			if !changed || err != nil && !errors.Is(err, store.ErrFlashBudget) {
				t.Fatalf("address %d: changed %v, %v", i, changed, err)
			}
			if err := verify(t, a, names.Addrs[0].String(), june()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if _, n := flash.Written(); n > store.FlashWrites {
			t.Errorf("%d files written, want %d at most", n, store.FlashWrites)
		}
		time.Sleep(25 * time.Hour)
		keep(t, a, june(), names, false, "a day later")
		if !a.Saved() {
			t.Error("not saved a day later")
		}
		keep(t, New(dir, flash), june(), names, false, "after a restart")
	})
}

// Whoever steals the key cannot be a host of the Internet with it.
func TestConstraints(t *testing.T) {
	a := New(t.TempDir(), new(store.Flash))
	keep(t, a, june(), router(), true, "at first")
	for _, c := range []struct {
		tmpl x509.Certificate
		name string
		good bool
	}{
		{x509.Certificate{DNSNames: []string{"time.cloudflare.com"}}, "time.cloudflare.com", false},
		{x509.Certificate{IPAddresses: []net.IP{net.IPv4(8, 8, 8, 8)}}, "8.8.8.8", false},
		{x509.Certificate{DNSNames: []string{"nas.lan"}}, "nas.lan", true},
		{x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 168, 7, 9)}}, "192.168.7.9", true},
		{x509.Certificate{DNSNames: []string{"nas.lan"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, "nas.lan", true},
	} {
		c.tmpl.SerialNumber = a.cert.SerialNumber
		c.tmpl.NotBefore, c.tmpl.NotAfter = anyTime()
		leaf, err := sign(&c.tmpl, a.cert, a.key, a.key)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(a.cert)
		if _, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: c.name, CurrentTime: june().Time()}); (err == nil) != c.good {
			t.Errorf("%s: %v, want good %v", c.name, err, c.good)
		}
	}
	if c := a.cert; !c.MaxPathLenZero || !c.IsCA || c.MaxPathLen != 0 {
		t.Errorf("authorities below it: got %d, %v, want none", c.MaxPathLen, c.MaxPathLenZero)
	}
}

func FuzzParse(f *testing.F) {
	a := New(f.TempDir(), new(store.Flash))
	if err := a.create(router()); err != nil {
		f.Fatal(err)
	}
	key, err := keyPEM(a.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key)
	f.Add(certificatePEM(a.cert.Raw))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{0x30, 0}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := parseKey(b); (k == nil) == (err == nil) {
			t.Errorf("key %v, error %v", k, err)
		}
		if c, err := parseCertificate(b); (c == nil) == (err == nil) {
			t.Errorf("certificate %v, error %v", c, err)
		}
	})
}
