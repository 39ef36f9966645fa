package timeserver

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/lanca"
	"ntsd/internal/nts"
	"ntsd/internal/responder"
	"ntsd/internal/status"
	"ntsd/internal/store"
)

// lanDomain is where OpenWrt's name server finds the router and its clients.
const lanDomain = ".lan"

// lanServer is the authority of the LAN and this server's certificate under
// it. Its methods may be called from any goroutine.
type lanServer struct {
	*lanca.Authority
	log       *slog.Logger
	addresses func(interfaces []string) ([]netip.Addr, error)

	mu     sync.Mutex
	cfg    *config.NTSServer // nil: not in use
	grants *responder.Grants
	failed bool // the latest attempt to save
}

// use says for which server the authority is needed.
func (l *lanServer) use(cfg *config.NTSServer, g *responder.Grants) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cfg, l.grants = cfg, g
}

// release says that this server needs it no more; another one may.
func (l *lanServer) release(cfg *config.NTSServer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg == cfg {
		l.cfg = nil
	}
}

// used reports whether a server needs it.
func (l *lanServer) used() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cfg != nil
}

// keep sees to the certificate. The error says why there is none; one that
// cannot be saved is told of once, and serves.
func (l *lanServer) keep() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg == nil {
		return errNoAuthority
	}
	now, believed := l.grants.Time()
	names := l.names()
	changed, err := l.Keep(now, believed, names)
	if errors.Is(err, store.ErrFlashBudget) {
		err = nil // it is saved later
	}
	if info, _ := l.Info(); changed {
		l.log.Info("new certificate for the LAN", "names", strings.Join(info.Names, ", "), "not_after", status.Time(info.NotAfter),
			"authority", info.Subject)
		if names.Host != "" && !slices.Contains(info.Names, names.Host) {
			l.log.Warn("the LAN's authority was made under another host name: clients cannot use the new one before 'ntsctl ca renew'",
				"name", names.Host)
		}
	}
	switch {
	case l.Certificate() == nil && errors.Is(err, lanca.ErrNoTime):
		return responder.ErrNotYet
	case l.Certificate() == nil:
		return err
	case err != nil && !l.failed:
		l.log.Warn("the LAN's certificate authority cannot be saved: after a restart clients will have to trust another one", "reason", err)
	}
	l.failed = err != nil || l.failed && !l.Saved()
	return nil
}

// names returns what clients of the LAN may call this server.
func (l *lanServer) names() lanca.Names {
	var names lanca.Names
	if host, err := os.Hostname(); err == nil && nts.ValidServer(host) {
		host = strings.ToLower(host)
		names.Host, names.DNS = host, []string{host}
		if !strings.Contains(host, ".") {
			names.DNS = append(names.DNS, host+lanDomain)
		}
	}
	// Interfaces that cannot be read now are read the next time.
	addrs, _ := l.addresses(l.cfg.Interfaces)
	for _, a := range addrs {
		if lanca.OnLAN(a) && !a.IsLinkLocalUnicast() {
			names.Addrs = append(names.Addrs, a)
		}
	}
	return names
}

// Answering answers what is asked about the authority, and leaves the rest to
// next.
func (l *lanServer) Answering(next control.Handler) control.Handler {
	return func(ctx context.Context, req control.Request) control.Response {
		if req.Cmd != control.CmdCA {
			return next(ctx, req)
		}
		switch {
		case len(req.Args) == 0:
		case len(req.Args) == 1 && req.Args[0] == control.ArgRenew:
			if err := l.renew(); err != nil {
				return control.Fail(control.CodeFailed, err.Error())
			}
		default:
			return control.Fail(control.CodeArguments, "ca takes nothing or "+control.ArgRenew)
		}
		info, ok := l.Info()
		if !ok || !l.used() {
			return control.Fail(control.CodeFailed, errNoAuthority.Error())
		}
		return control.Reply(status.CA{
			Subject: info.Subject, Fingerprint: info.Fingerprint, File: info.File, PEM: info.PEM, Names: info.Names,
			NotBefore: status.Time(info.NotBefore), NotAfter: status.Time(info.NotAfter), Next: status.Time(info.Next),
		})
	}
}

var errNoAuthority = errors.New("no authority of the LAN is in use: that needs 'enabled' and 'selfsigned' in section 'nts_server'")

// renew makes a new authority and a certificate under it.
func (l *lanServer) renew() error {
	l.mu.Lock()
	if l.cfg == nil {
		l.mu.Unlock()
		return errNoAuthority
	}
	names := l.names()
	l.mu.Unlock()
	if err := l.Renew(names); err != nil {
		return err
	}
	l.log.Warn("new certificate authority for the LAN: its clients have to trust it anew")
	if err := l.keep(); err != nil && !errors.Is(err, responder.ErrNotYet) {
		return err
	}
	return nil
}
