package ntske

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"

	"ntsd/internal/clock"
)

// KeyPairFiles names a certificate chain (leaf first) and its private key, both
// PEM.
type KeyPairFiles struct{ Cert, Key string }

// KeyPairs are the server's certificates. Reload reads them again, so that a
// renewed certificate needs no restart. It may be used by several goroutines.
// The zero value has none.
type KeyPairs struct {
	files   []KeyPairFiles
	current atomic.Pointer[[]tls.Certificate]

	// Beside returns a certificate that comes after those of the files, or nil.
	// It is asked for each connection. Not to be set while in use.
	Beside func() *tls.Certificate
}

// LoadKeyPairs reads the files. Where there are several pairs, a client gets
// the first that suits the name it asks for, or the address where it names
// none, else the first.
func LoadKeyPairs(files ...KeyPairFiles) (*KeyPairs, error) {
	if len(files) == 0 {
		return nil, errors.New("ntske: no server certificate")
	}
	k := &KeyPairs{files: files}
	return k, k.Reload()
}

// Reload reads the files again. After an error the old certificates stay.
func (k *KeyPairs) Reload() error {
	pairs := make([]tls.Certificate, 0, len(k.files))
	for _, f := range k.files {
		pair, err := loadKeyPair(f)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("ntske: server certificate: %w; the user that ntsd runs as must be able to read it", err)
		case err != nil:
			return fmt.Errorf("ntske: server certificate: %w", err)
		}
		pairs = append(pairs, pair)
	}
	k.current.Store(&pairs)
	return nil
}

// Certificate is ServerConfig.Certificate.
func (k *KeyPairs) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var pairs []tls.Certificate
	if p := k.current.Load(); p != nil {
		pairs = *p
	}
	var beside *tls.Certificate
	if k.Beside != nil {
		beside = k.Beside()
	}
	switch {
	case len(pairs) == 0 && beside == nil:
		return nil, errNoCertificate
	case len(pairs) == 0:
		return beside, nil
	case len(pairs) == 1 && beside == nil:
		return &pairs[0], nil
	}
	for i := range pairs {
		if suits(hello, &pairs[i]) {
			return &pairs[i], nil
		}
	}
	if beside != nil && suits(hello, beside) {
		return beside, nil
	}
	return &pairs[0], nil
}

// errNoCertificate fails the handshake of a client that came too early.
var errNoCertificate = errors.New("ntske: no server certificate")

// suits reports whether a client would be content with the certificate. One
// that names nobody has the address for a name (RFC 6066 section 3 has no SNI
// for addresses).
func suits(hello *tls.ClientHelloInfo, c *tls.Certificate) bool {
	if hello.SupportsCertificate(c) != nil {
		return false
	}
	if hello.ServerName != "" || hello.Conn == nil || c.Leaf == nil {
		return true // the name has been checked
	}
	local, ok := hello.Conn.LocalAddr().(*net.TCPAddr)
	return ok && c.Leaf.VerifyHostname(local.AddrPort().Addr().Unmap().WithZone("").String()) == nil
}

// NotAfter returns when the first of the files' certificates expires.
func (k *KeyPairs) NotAfter() clock.Wall {
	var first clock.Wall
	for i, p := range *k.current.Load() {
		if end := wall(p.Leaf.NotAfter); i == 0 || end < first {
			first = end
		}
	}
	return first
}

func loadKeyPair(f KeyPairFiles) (tls.Certificate, error) {
	info, err := os.Stat(f.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	// Whoever reads the key can be this server.
	if info.Mode().Perm()&0o007 != 0 {
		return tls.Certificate{}, fmt.Errorf("%s is open to everybody: chmod 640 it, or less", f.Key)
	}
	cert, err := readRegular(f.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readRegular(f.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	clear(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s and %s: %w", f.Cert, f.Key, err)
	}
	return pair, nil
}
