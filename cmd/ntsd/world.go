package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/daemon"
	"ntsd/internal/event"
	"ntsd/internal/foreign"
	"ntsd/internal/linux/resident"
	"ntsd/internal/linux/sysclock"
	"ntsd/internal/ntske"
	"ntsd/internal/resolve"
	"ntsd/internal/store"
	"ntsd/internal/wording"
)

// steered is what the kernel clock and its dry-run twin have in common.
type steered interface {
	Read() clock.Reading
	Rate() (clock.Rate, error)
	SetRate(clock.Rate) (clock.Rate, error)
	Step(clock.Offset) error
	SetStatus(sysclock.Status) error
	KernelWall() clock.Wall
	MonoAt(kernelRealtime clock.Wall) clock.Mono
}

// outside returns the parts of a daemon that are the same whether it runs for
// years or for one query. Clock and Store are the caller's.
func outside(cfg *config.Config, clk steered, log *slog.Logger) daemon.Options {
	return daemon.Options{
		Config: cfg, Network: network{clock: clk}, KE: &keyExchange{client: ntske.NewClient()},
		Resolver: names{wanResolvers()}, Rand: rand.Reader, Floor: buildTime(), Log: log, Version: version,
	}
}

// openClock returns the clock to keep. A dry run is told by the command line,
// the configuration, or asked for by a one-shot query.
func openClock(dryRun bool, log *slog.Logger) (steered, error) {
	if dryRun {
		log.Info("disabled control of system clock")
		return sysclock.OpenDryRun(0)
	}
	k, err := sysclock.Open()
	if err != nil {
		return nil, fmt.Errorf("%w; run as root, or measure only: with -x, with option 'clock' 'none' of section 'ntsd', or -Q for -q", err)
	}
	return k, nil
}

// kept makes a steered clock the daemon's.
type kept struct {
	steered
	rtcSync bool
}

// SetStatus tells the kernel how good its clock is. Without rtcsync it stays
// "unsynchronised", so that the kernel leaves the real-time clock alone.
func (k kept) SetStatus(s event.SetStatus) error {
	status := sysclock.Status{
		Synchronised: s.Synchronised && k.rtcSync, MaxError: s.MaxError, EstError: s.EstError, TAI: s.TAI,
	}
	switch s.Leap {
	case event.LeapInsert:
		status.Leap = sysclock.LeapInsert
	case event.LeapDelete:
		status.Leap = sysclock.LeapDelete
	}
	return k.steered.SetStatus(status)
}

// keyExchange runs NTS-KE. The system's certificate authorities take megabytes
// once parsed, so they are loaded for the exchanges under way and dropped when
// the last one ends.
type keyExchange struct {
	client *ntske.Client

	mu    sync.Mutex
	users int
	roots map[string]*x509.CertPool
}

// Exchange runs one key establishment.
func (k *keyExchange) Exchange(ctx context.Context, ke event.StartKE, trust daemon.Trust) event.KEDone {
	return k.exchange(ctx, ke, trust, nil)
}

func (k *keyExchange) exchange(ctx context.Context, ke event.StartKE, trust daemon.Trust, trace *event.KETrace) event.KEDone {
	k.acquire()
	defer k.release()
	pool, err := k.pool(ke, trust)
	if err != nil {
		return failedKE(ke, err)
	}
	result, err := k.client.Exchange(ctx, ntske.Request{
		Name: ke.Name, Addr: netip.AddrPortFrom(ke.Addr, ke.Port), AEADs: ke.AEADs, Roots: pool,
		NoVal: ke.NoVal, Verify: ke.Verify, Trace: trace,
	})
	if err != nil {
		return failedKE(ke, err)
	}
	done := event.KEDone{Source: ke.Source, Attempt: ke.Attempt, Session: result.Session, Info: result.Info}
	if !result.Session.NTPAddr.Addr().IsValid() {
		done.NTPHost = result.NTPServer // for the engine to resolve, as often as it takes
	}
	return done
}

func failedKE(ke event.StartKE, err error) event.KEDone {
	return event.KEDone{
		Source: ke.Source, Attempt: ke.Attempt, Failure: ntske.ClassOf(err), Reason: ntske.Reason(err),
		NoRoute: errors.Is(err, syscall.ENETUNREACH),
	}
}

func (k *keyExchange) acquire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users++
}

// release also gives back the memory at once: the collector itself would keep
// the megabytes for minutes, for a next exchange that is weeks away.
func (k *keyExchange) release() {
	k.mu.Lock()
	k.users--
	last := k.users == 0
	if last {
		k.roots = nil
	}
	k.mu.Unlock()
	if last {
		debug.FreeOSMemory()
		// Likewise the code of TLS, and all that only ran at the start.
		_, _ = resident.Release() // it is no worse than before
	}
}

// pool returns the authorities that a source trusts: the global ones, and
// those it names itself. nil stands for no check at all: with noval, where
// nothing was named to check against.
func (k *keyExchange) pool(ke event.StartKE, trust daemon.Trust) (*x509.CertPool, error) {
	if ke.NoVal && len(ke.TrustedCerts)+len(trust.Files) == 0 {
		return nil, nil
	}
	if len(ke.TrustedCerts) > 0 {
		trust.Files = append(trust.Files[:len(trust.Files):len(trust.Files)], ke.TrustedCerts...)
	}
	key := fmt.Sprintf("%t %q", trust.System, trust.Files)
	k.mu.Lock()
	defer k.mu.Unlock()
	if pool := k.roots[key]; pool != nil {
		return pool, nil
	}
	pool, err := ntske.LoadRoots(trust.System, trust.Files)
	if err != nil {
		return nil, err
	}
	if k.roots == nil {
		k.roots = make(map[string]*x509.CertPool)
	}
	k.roots[key] = pool
	return pool, nil
}

// names resolves by DNS.
type names struct{ wan []string }

// wanResolvers returns the files that name the resolvers of the uplink where the
// system's own is a program on this very machine: systemd-resolved, or dnsmasq on
// OpenWrt.
func wanResolvers() []string {
	return []string{"/run/systemd/resolve/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto", "/tmp/resolv.conf.auto"}
}

// uncheckedTimeout bounds the first of two lookups while the time is unknown.
const uncheckedTimeout = 3 * time.Second

// Resolve looks up one name.
func (n names) Resolve(ctx context.Context, r event.Resolve) event.Resolved {
	first := resolve.Resolver{}
	if r.Unchecked {
		first.Config = resolve.Config{CheckingDisabled: true, Timeout: uncheckedTimeout}
	}
	addrs, err := first.Lookup(ctx, r.Name, resolveFamily(r.Family))
	if err != nil && r.Unchecked && !errors.Is(err, resolve.ErrNotFound) {
		// A validating resolver, or one behind TLS, may fail by the wrong clock
		// whatever it is asked.
		if servers := resolve.Servers(n.wan...); len(servers) > 0 {
			wan := resolve.Resolver{Config: resolve.Config{CheckingDisabled: true, Timeout: uncheckedTimeout, Servers: servers}}
			if more, err2 := wan.Lookup(ctx, r.Name, resolveFamily(r.Family)); err2 == nil {
				addrs, err = more, nil
			}
		}
	}
	done := event.Resolved{Name: r.Name, Family: r.Family, Addrs: addrs}
	if err != nil {
		done.Temporary, done.Reason = !errors.Is(err, resolve.ErrNotFound), lookupReason(err)
	}
	return done
}

// lookupReason says why a name has no address: in the same words each time it
// is the same, so that the log has it once. What package net says contains the
// port of its socket.
func lookupReason(err error) string {
	var dns *net.DNSError
	for _, reason := range []error{resolve.ErrNotFound, resolve.ErrTemporary, resolve.ErrNoNetwork} {
		if !errors.Is(err, reason) || !errors.As(err, &dns) || dns.Server == "" {
			continue
		}
		if reason == resolve.ErrNotFound {
			return fmt.Sprintf("%v, says %s", reason, dns.Server)
		}
		detail := dns.Err
		if i := strings.LastIndex(detail, ": "); i >= 0 {
			detail = detail[i+2:]
		}
		return fmt.Sprintf("%v: %s: %s", reason, dns.Server, detail)
	}
	return wording.Of(err)
}

func resolveFamily(f event.Family) resolve.Family {
	switch f {
	case event.FamilyIPv4:
		return resolve.IPv4
	case event.FamilyIPv6:
		return resolve.IPv6
	}
	return resolve.Any
}

// load reads the configuration that the options name.
func (o *options) load() (*config.Config, []config.Diagnostic) {
	if o.loader == nil {
		o.loader = foreign.NewLoader(o.source(), os.ReadFile, foreign.Disk{})
	}
	return o.complete(o.loader.Load())
}

// loadSources reads its folders of sources again; false: it has none.
func (o *options) loadSources() (*config.Config, []config.Diagnostic, bool) {
	cfg, diagnostics, found := o.loader.LoadSources()
	if !found {
		return nil, nil, false
	}
	cfg, diagnostics = o.complete(cfg, diagnostics)
	return cfg, diagnostics, true
}

// complete adds what the file leaves to others to say.
func (o *options) complete(cfg *config.Config, diagnostics []config.Diagnostic) (*config.Config, []config.Diagnostic) {
	if cfg != nil {
		systemdFolders(&cfg.Main, os.Getenv)
	}
	return cfg, append(diagnostics, config.LoadKeys(cfg, o.source(), readSecret)...)
}

// parseDirectives reads chrony's directives, and the keys that they speak of.
func (o *options) parseDirectives() (*config.Config, []config.Diagnostic) {
	cfg, diagnostics := foreign.ParseDirectives(o.directives, foreign.Disk{})
	return cfg, append(diagnostics, config.LoadKeys(cfg, "directive", readSecret)...)
}

// maxSecrets bounds a file of symmetric keys in bytes.
const maxSecrets = 256 << 10

// readSecret reads a file of symmetric keys, and says what to do where it must
// not or cannot.
func readSecret(path string) ([]byte, error) {
	b, err := store.ReadShared(path, maxSecrets)
	var refused *store.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Reason == store.TooOpen:
		return nil, errors.New("others may read it, or its group change it: chmod 640")
	case errors.As(err, &refused):
		return nil, errors.New(refused.Reason.String())
	case errors.Is(err, fs.ErrPermission):
		return nil, errors.New("permission denied: it must belong to the user that ntsd runs as, or to its group")
	}
	return b, err
}
