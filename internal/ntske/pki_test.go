package ntske

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"ntsd/internal/clock"
)

// The certificates of these tests live in 2030 whatever the machine's clock
// says: nothing may look at it.
var (
	june2030 = date(2030, 6, 15)
	y2029    = date(2029, 1, 1)
	y2031    = date(2031, 1, 1)
)

func date(y int, m time.Month, d int) clock.Wall {
	return clock.WallTime(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

// authority can issue certificates.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	chain [][]byte // its certificate and those above it, less the root
}

// issue makes a certificate under parent, or self-signed if parent is nil.
func issue(t testing.TB, parent *authority, tmpl x509.Certificate) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(1)
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore = date(2030, 1, 1).Time()
	}
	if tmpl.NotAfter.IsZero() {
		tmpl.NotAfter = date(2030, 12, 31).Time()
	}
	tmpl.BasicConstraintsValid = true
	a := &authority{key: key}
	signer, signKey := &tmpl, key
	if parent != nil {
		signer, signKey = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, signer, &key.PublicKey, signKey)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if parent != nil {
		a.chain = append([][]byte{der}, parent.chain...)
	}
	return a
}

func newCA(t testing.TB, parent *authority, name string) *authority {
	return issue(t, parent, x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: date(2025, 1, 1).Time(), NotAfter: date(2035, 1, 1).Time(),
	})
}

// leaf makes a server certificate for nts.test and 127.0.0.1; edit changes it.
func leaf(t testing.TB, parent *authority, edit func(*x509.Certificate)) *authority {
	tmpl := x509.Certificate{
		Subject: pkix.Name{CommonName: "nts.test"}, DNSNames: []string{"nts.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if edit != nil {
		edit(&tmpl)
	}
	return issue(t, parent, tmpl)
}

func (a *authority) tls() tls.Certificate {
	chain := a.chain
	if chain == nil { // self-signed
		chain = [][]byte{a.cert.Raw}
	}
	return tls.Certificate{Certificate: chain, PrivateKey: a.key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}
