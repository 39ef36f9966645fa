package demo

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
)

// Implementation constants.
const (
	// CAFile is the name under which StartFor leaves the authority's
	// certificate.
	CAFile = "ca.pem"
	// NTPPort is where servers answer NTP whose source names no port: 123
	// needs privileges, and a key establishment can name any.
	NTPPort = 11123
	// defaultPort is NTP's, which a source has that names none.
	defaultPort = 123
	// certValidity is how long certificates are valid, from an hour ago.
	certValidity = 30 * 24 * time.Hour
	// WrongBy is what the last of three or more servers is ahead of the
	// others: enough to be outvoted.
	WrongBy = clock.Offset(50 * time.Millisecond)
)

// Fleet is a set of servers with one authority.
type Fleet struct {
	CA      *CA
	Servers []*Server // in the order of the sources
}

// StartFor starts a server for each of the sources, at exactly the address and
// ports that the source names, and writes the certificate of their authority
// to CAFile in dir. Every name must be an address of this machine. now is the
// clock they serve; nil means the machine's.
func StartFor(ctx context.Context, sources []config.Source, dir string, now func() clock.Wall) (*Fleet, error) {
	if now == nil {
		now = machineWall
	}
	begin := now().Time().Add(-time.Hour)
	ca, err := NewCA("ntsd demo CA", begin, begin.Add(certValidity))
	if err != nil {
		return nil, err
	}
	if err := ca.WritePEM(filepath.Join(dir, CAFile)); err != nil {
		return nil, err
	}
	f := &Fleet{CA: ca}
	for i := range sources {
		cfg, err := serverFor(ca, &sources[i])
		if err != nil {
			f.Close()
			return nil, err
		}
		cfg.Now = now
		if i >= 2 && i == len(sources)-1 {
			cfg.Offset = WrongBy
		}
		s, err := Start(ctx, cfg)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.Servers = append(f.Servers, s)
	}
	return f, nil
}

// serverFor returns the server that src wants to find.
func serverFor(ca *CA, src *config.Source) (ServerConfig, error) {
	addr, err := netip.ParseAddr(src.Name)
	if err != nil {
		return ServerConfig{}, fmt.Errorf("demo: server %q: want an address", src.Name)
	}
	port := src.Port
	if port == defaultPort || port == 0 {
		port = NTPPort
	}
	cfg := ServerConfig{NTPAddr: netip.AddrPortFrom(addr, port)}
	if !src.NTS {
		return cfg, nil
	}
	cfg.KEAddr = netip.AddrPortFrom(addr, src.NTSPort)
	cfg.Cert, err = ca.Issue(CertSpec{
		Names:     []string{"localhost"},
		Addrs:     []netip.Addr{addr},
		NotBefore: ca.cert.NotBefore,
		NotAfter:  ca.cert.NotAfter,
	})
	return cfg, err
}

// Close stops all servers and waits for them.
func (f *Fleet) Close() {
	for _, s := range f.Servers {
		s.Close()
	}
}
