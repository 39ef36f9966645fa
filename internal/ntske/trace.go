package ntske

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"ntsd/internal/event"
)

// maxTraced bounds the names of a certificate that a trace repeats: the server
// chooses them.
const maxTraced = 32

// stopwatch takes the times of an exchange for its trace, which may be nil.
type stopwatch struct {
	trace *event.KETrace
	last  time.Time
}

func (s *stopwatch) lap() time.Duration {
	now := time.Now()
	d := now.Sub(s.last)
	s.last = now
	return max(d, 1) // 0 means that it did not come so far
}

// connected notes that the server has accepted the connection.
func (s *stopwatch) connected() {
	if s.trace != nil {
		s.trace.Connect = s.lap()
	}
}

// handshake notes what both sides agreed on, and the chain with the judgement
// on it. crypto/tls tells it at the end of the handshake, before it fails by
// that judgement.
func (s *stopwatch) handshake(cs *tls.ConnectionState, checked bool, refused error) {
	t := s.trace
	if t == nil {
		return
	}
	t.Handshake = s.lap()
	t.TLSVersion, t.CipherSuite = tls.VersionName(cs.Version), tls.CipherSuiteName(cs.CipherSuite)
	t.Group, t.PostQuantum = cs.CurveID.String(), postQuantum(cs.CurveID)
	t.ALPN = tame(cs.NegotiatedProtocol, maxName)
	t.Chain = t.Chain[:0]
	for _, c := range cs.PeerCertificates[:min(len(cs.PeerCertificates), maxChain)] {
		t.Chain = append(t.Chain, described(c))
	}
	t.Verified = checked && refused == nil
	if refused != nil {
		t.Refused = tame(trimPrefix(refused), maxReason)
	}
}

func described(c *x509.Certificate) event.Certificate {
	d := event.Certificate{
		Subject: tame(c.Subject.String(), maxName), Issuer: tame(c.Issuer.String(), maxName),
		NotBefore: wall(c.NotBefore), NotAfter: wall(c.NotAfter), Key: keyKind(c),
	}
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	for _, n := range all[:min(len(all), maxTraced)] {
		d.Names = append(d.Names, tame(n, maxName))
	}
	return d
}

// keyKind names a public key as people do: "ECDSA P-256".
func keyKind(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	}
	return c.PublicKeyAlgorithm.String()
}
