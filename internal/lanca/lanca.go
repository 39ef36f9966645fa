//go:build linux

// Package lanca makes and keeps a certificate authority for one LAN and the
// certificate of this server under it, so that a router can serve NTS without
// a name on the Internet. It belongs to layer 4: it makes keys and writes
// files.
//
// The authority's dates say nothing, on purpose: it is trusted because somebody
// copied it to a client, and it may have to be made before the clock is right.
// The server's certificate is made only when the time is believed, lives for
// half a year, and is replaced in time. Name constraints (RFC 5280 section
// 4.2.1.10) keep the authority to names and addresses of a LAN: its key, stolen
// from a router, is worth nothing on the Internet.
//
// Non-goals: certificates for other hosts, revocation, names in the public DNS
// (use a public authority and the options cert and key).
package lanca

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/store"
)

// The files in the folder on flash.
const (
	caKeyName  = "lan-ca.key" // the authority's private key
	caCertName = "lan-ca.pem" // its certificate, which clients need
	serverName = "lan.pem"    // the server's private key and certificate
)

// Implementation constants.
const (
	maxFile = 16 << 10
	dirPerm = 0o700
	// MaxNames bounds the names and addresses in a certificate.
	MaxNames = 32
	// serverLife is how long the server's certificate is valid: a router that
	// was in a drawer for a season needs no hand.
	serverLife = 180 * 24 * time.Hour
	// renewBefore is when it is replaced: an outage of two months is survived.
	renewBefore = 60 * 24 * time.Hour
	// backdated makes it good for clients whose clock is behind.
	backdated = 24 * time.Hour
	// flashOfOthers is what the server's certificate leaves of the day's writes to
	// flash: for the state and the cookie keys.
	flashOfOthers = 2
	// saveAgain is how often a flash that could not be written is tried again.
	saveAgain = time.Hour
)

// ErrNoTime says that there is no certificate yet and that none is made, for
// its dates would be wrong.
var ErrNoTime = errors.New("lanca: no certificate before the time is known")

// Names are what clients may call this server.
type Names struct {
	Host  string // may be empty
	DNS   []string
	Addrs []netip.Addr
}

// Info describes the authority and the server's certificate.
type Info struct {
	Subject     string
	Fingerprint string // SHA-256 of the authority's certificate, hexadecimal with colons
	File        string // where the authority's certificate is kept
	PEM         string // that certificate
	// Of the server's certificate; empty and zero where there is none yet.
	Names                     []string
	NotBefore, NotAfter, Next clock.Wall // Next is when it will be replaced
}

// Authority is the authority and the server's certificate. Make one with New.
// Its methods may be called from any goroutine.
type Authority struct {
	dir   string
	flash *store.Flash

	mu     sync.Mutex
	loaded bool
	key    *ecdsa.PrivateKey // nil: not made or read yet, like cert
	cert   *x509.Certificate
	server *tls.Certificate // nil: none yet

	unsaved []string  // files that flash does not have yet
	tried   time.Time // when they were last tried to be written
}

// New returns an authority whose files are in dir. It reads nothing yet.
func New(dir string, flash *store.Flash) *Authority { return &Authority{dir: dir, flash: flash} }

// Certificate returns the server's certificate; nil before the first.
func (a *Authority) Certificate() *tls.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.server
}

// Saved reports whether everything is on flash.
func (a *Authority) Saved() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.unsaved) == 0
}

// Keep reads or makes what is missing, and replaces the server's certificate
// where it lacks one of the names or its time has come; believed says that now
// is true. It reports whether the certificate is another one than before.
//
// ErrNoTime means that there is no certificate to serve with. Any other error
// with a certificate at hand is one of saving: it is good until the restart,
// and saving is tried again now and then; store.ErrFlashBudget among them, which
// passes by itself.
func (a *Authority) Keep(now clock.Wall, believed bool, names Names) (changed bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.prepare(names); err != nil {
		return false, err
	}
	switch {
	case a.server != nil && !a.due(now, believed, names):
	case believed:
		if err := a.issue(now, names); err != nil {
			return false, err
		}
		changed = true
		if !slices.Contains(a.unsaved, serverName) {
			a.unsaved = append(a.unsaved, serverName)
		}
		a.tried = time.Time{}
	case a.server == nil:
		return false, errors.Join(ErrNoTime, a.save())
	}
	return changed, a.save()
}

// Renew makes a new authority in place of the old one, whose certificates its
// clients then refuse. The server's certificate follows with the next Keep.
func (a *Authority) Renew(names Names) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.create(names); err != nil {
		return err
	}
	a.loaded, a.server = true, nil
	return a.save()
}

// prepare sees to it that there is an authority: the saved one, or a new one
// where there is none. One that cannot be read is not replaced: clients trust
// it.
func (a *Authority) prepare(names Names) error {
	if a.loaded {
		return nil
	}
	switch err := a.loadAuthority(); {
	case errors.Is(err, fs.ErrNotExist):
		if err := a.create(names); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("%w; ntsctl ca renew makes a new authority, which clients have to trust anew", err)
	default:
		// A certificate that cannot be read is made anew.
		_ = a.loadServer()
	}
	a.loaded = true
	return nil
}

// due reports whether the server's certificate is to be replaced.
func (a *Authority) due(now clock.Wall, believed bool, names Names) bool {
	leaf := a.server.Leaf
	at := now.Time()
	if at.Before(leaf.NotBefore) || at.After(leaf.NotAfter.Add(-renewBefore)) {
		return believed
	}
	return !has(leaf, a.permitted(names))
}

// has reports whether the certificate is for all of these names. Others that it
// has besides do no harm: an interface that is down for a moment is no reason
// for a new one.
func has(leaf *x509.Certificate, names Names) bool {
	for _, n := range names.DNS {
		if !slices.Contains(leaf.DNSNames, n) {
			return false
		}
	}
	for _, a := range names.Addrs {
		if !slices.Contains(addresses(leaf), a) {
			return false
		}
	}
	return true
}

func addresses(c *x509.Certificate) []netip.Addr {
	var all []netip.Addr
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a.Unmap())
		}
	}
	return all
}

// loadAuthority reads the key and its certificate. A key whose certificate is
// missing or of another key is one that a power cut came between: it gets a
// certificate again.
func (a *Authority) loadAuthority() error {
	path := filepath.Join(a.dir, caKeyName)
	b, err := store.ReadPrivate(path, maxFile)
	if err != nil {
		return err
	}
	defer clear(b)
	if a.key, err = parseKey(b); err != nil {
		return fmt.Errorf("lanca: %s: %w", path, err)
	}
	a.cert = nil
	if b, err := store.ReadPublic(filepath.Join(a.dir, caCertName), maxFile); err == nil {
		if c, err := parseCertificate(b); err == nil && a.key.PublicKey.Equal(c.PublicKey) && c.IsCA {
			a.cert = c
			return nil
		}
	}
	return fs.ErrNotExist
}

// loadServer reads the server's key and certificate, if they are of this
// authority.
func (a *Authority) loadServer() error {
	path := filepath.Join(a.dir, serverName)
	b, err := store.ReadPrivate(path, maxFile)
	if err != nil {
		return err
	}
	defer clear(b)
	pair, err := tls.X509KeyPair(b, b)
	if err == nil {
		err = pair.Leaf.CheckSignatureFrom(a.cert)
	}
	if err != nil {
		return fmt.Errorf("lanca: %s: %w", path, err)
	}
	a.server = &pair
	return nil
}

// save writes what flash does not have yet.
func (a *Authority) save() error {
	if len(a.unsaved) == 0 || !a.tried.IsZero() && time.Since(a.tried) < saveAgain {
		return nil
	}
	a.tried = time.Now()
	if err := store.MakeDir(a.dir, dirPerm); err != nil {
		return err
	}
	for len(a.unsaved) > 0 {
		if err := a.write(a.unsaved[0]); err != nil {
			return err
		}
		a.unsaved = a.unsaved[1:]
	}
	return nil
}

// write writes one of the files. Those of the server are one, so that key and
// certificate always belong together.
func (a *Authority) write(name string) error {
	var b []byte
	var err error
	perm := store.PrivatePerm
	switch name {
	case caKeyName:
		b, err = keyPEM(a.key)
	case caCertName:
		b, perm = certificatePEM(a.cert.Raw), store.PublicPerm
	case serverName:
		if b, err = keyPEM(a.server.PrivateKey.(*ecdsa.PrivateKey)); err == nil {
			b = append(b, certificatePEM(a.server.Certificate[0])...)
		}
	}
	if err != nil {
		return err
	}
	defer clear(b)
	write := func() error { return store.WriteAtomic(filepath.Join(a.dir, name), perm, b) }
	if name == serverName { // there are a few a year, unless addresses come and go
		return a.flash.Try(flashOfOthers, write)
	}
	// The authority in use must be the one on flash.
	return a.flash.Must(write)
}

// Info returns what there is to know; ok is false before the first Keep.
func (a *Authority) Info() (info Info, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.loaded {
		return Info{}, false
	}
	sum := sha256.Sum256(a.cert.Raw)
	info = Info{
		Subject: a.cert.Subject.CommonName, Fingerprint: colons(sum[:]), File: filepath.Join(a.dir, caCertName),
		PEM: string(certificatePEM(a.cert.Raw)),
	}
	if a.server == nil {
		return info, true
	}
	leaf := a.server.Leaf
	info.Names = slices.Clone(leaf.DNSNames)
	for _, addr := range addresses(leaf) {
		info.Names = append(info.Names, addr.String())
	}
	info.NotBefore, info.NotAfter = clock.WallTime(leaf.NotBefore), clock.WallTime(leaf.NotAfter)
	info.Next = info.NotAfter.Add(-renewBefore)
	return info, true
}

// colons writes bytes as openssl x509 -fingerprint does.
func colons(b []byte) string {
	pairs := make([]string, len(b))
	for i, c := range b {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{c}))
	}
	return strings.Join(pairs, ":")
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
