package demo

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/ntske"
	"ntsd/internal/siv"
)

// newKE returns the half of the server that establishes keys. Its cookies send
// clients to ntp.
func (s *Server) newKE(ntp netip.AddrPort) (*ntske.Server, error) {
	cfg := ntske.ServerConfig{
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &s.cfg.Cert, nil },
		Cookies:     s,
		AEADs:       s.cfg.AEADs,
		NTPPort:     ntp.Port(),
		Admit:       func(netip.AddrPort) bool { return !s.faults.paused.Load() },
		Time:        func() time.Time { return s.now().Time() },
	}
	if ntp.Addr() != s.cfg.KEAddr.Addr() {
		cfg.NTPServer = ntp.Addr().String()
	}
	ke, err := ntske.NewServer(cfg)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return ke, nil
}

// AppendCookie appends a cookie for a client's keys: it makes the Server its
// own ntske.CookieSource.
func (s *Server) AppendCookie(dst []byte, alg siv.Algorithm, c2s, s2c []byte) ([]byte, error) {
	var nonce [nts.CookieNonceLen]byte
	rand.Read(nonce[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring.Seal(dst, alg, c2s, s2c, nonce), nil
}
