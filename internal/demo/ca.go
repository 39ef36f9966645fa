package demo

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Implementation constants.
const (
	serialBits = 127 // RFC 5280 section 4.1.2.2: positive, at most 20 octets
	publicMode = 0o644
	secretMode = 0o600
)

// CA is a certificate authority that lives in memory. It is safe for
// concurrent use.
type CA struct {
	cert *x509.Certificate
	der  []byte
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority (ECDSA P-256) whose certificate is valid from
// notBefore to notAfter.
func NewCA(name string, notBefore, notAfter time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("demo: make CA key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	ca := &CA{key: key}
	if ca.der, err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key); err != nil {
		return nil, fmt.Errorf("demo: sign CA certificate: %w", err)
	}
	if ca.cert, err = x509.ParseCertificate(ca.der); err != nil {
		return nil, fmt.Errorf("demo: read CA certificate: %w", err)
	}
	return ca, nil
}

// CertSpec describes a server certificate.
type CertSpec struct {
	Names               []string // DNS names; the first one is the common name too
	Addrs               []netip.Addr
	NotBefore, NotAfter time.Time
}

// Issue makes a key (ECDSA P-256) and a certificate for it. The chain that a
// server sends is the leaf alone: clients have the CA's certificate.
func (ca *CA) Issue(spec CertSpec) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("demo: make key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    spec.NotBefore,
		NotAfter:     spec.NotAfter,
		DNSNames:     spec.Names,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(spec.Names) > 0 {
		tmpl.Subject.CommonName = spec.Names[0]
	}
	for _, a := range spec.Addrs {
		tmpl.IPAddresses = append(tmpl.IPAddresses, a.Unmap().AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, key.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("demo: sign certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("demo: read certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// Pool returns a pool with the authority's certificate alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// PEM returns the authority's certificate.
func (ca *CA) PEM() []byte { return pemBlock("CERTIFICATE", ca.der) }

// WritePEM writes the authority's certificate to path, replacing what is
// there. The key never leaves memory.
func (ca *CA) WritePEM(path string) error {
	return writeFile(path, publicMode, ca.PEM())
}

// WriteKeyPair writes cert's chain and its private key (PKCS #8, mode 0600) as
// PEM files, for servers that are other programs.
func WriteKeyPair(cert tls.Certificate, certPath, keyPath string) error {
	var chain bytes.Buffer
	for _, der := range cert.Certificate {
		chain.Write(pemBlock("CERTIFICATE", der))
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("demo: encode key: %w", err)
	}
	if err := writeFile(certPath, publicMode, chain.Bytes()); err != nil {
		return err
	}
	return writeFile(keyPath, secretMode, pemBlock("PRIVATE KEY", key))
}

func pemBlock(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

// writeFile replaces path by rename, so that a reader sees the old file or the
// new one, whole.
func writeFile(path string, mode os.FileMode, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("demo: write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing left to remove
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("demo: write %s: %w", path, err)
	}
	return nil
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("demo: make serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
