package acceptance

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
)

// kePort is the port of key establishment that RFC 8915 assigns.
const kePort = 4460

// lastHost numbers the loopback addresses that were given out.
var lastHost atomic.Uint32 //nolint:gochecknoglobals // tests share one loopback network

// newAddr returns a loopback address of this process's own, so that servers can
// have the standard ports and every source another address.
func newAddr() netip.Addr {
	n := lastHost.Add(1)
	return netip.AddrFrom4([4]byte{127, byte(64 + os.Getpid()%128), byte(n >> 8), byte(n)})
}

// world is what one test has: a folder, an authority, servers.
type world struct {
	t   *testing.T
	dir string // readable by everybody
	run string // the daemon's run_dir
	ca  *demo.CA

	given  []*os.File // sockets that daemons get, from descriptor 3 on
	stderr *os.File   // what daemons log to; nil: what they log is kept
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	dir, err := os.MkdirTemp(binDir, "w") // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ca, err := demo.NewCA("acceptance CA", now.Add(-time.Hour), now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, run: filepath.Join(dir, "run"), ca: ca}
	if err := ca.WritePEM(w.caFile()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) caFile() string { return filepath.Join(w.dir, "ca.pem") }

// write puts a file into the world's folder and returns its path.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// cert returns a certificate that is valid now.
func (w *world) cert(spec demo.CertSpec) demo.ServerConfig {
	w.t.Helper()
	if spec.NotBefore.IsZero() {
		spec.NotBefore, spec.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	cert, err := w.ca.Issue(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return demo.ServerConfig{Cert: cert}
}

// nts starts an NTS server on a new address, with key establishment on port
// 4460 and a certificate for the address and names. change may alter it.
func (w *world) nts(change func(*demo.ServerConfig), names ...string) *demo.Server {
	w.t.Helper()
	addr := newAddr()
	cfg := w.cert(demo.CertSpec{
		Names: append([]string{"localhost"}, names...), Addrs: []netip.Addr{addr, netip.IPv6Loopback()},
	})
	cfg.KEAddr, cfg.NTPAddr = netip.AddrPortFrom(addr, kePort), netip.AddrPortFrom(addr, 0)
	if change != nil {
		change(&cfg)
	}
	return w.serve(cfg)
}

// plain starts a server without NTS on a new address.
func (w *world) plain(change func(*demo.ServerConfig)) *demo.Server {
	w.t.Helper()
	cfg := demo.ServerConfig{NTPAddr: netip.AddrPortFrom(newAddr(), 0)}
	if change != nil {
		change(&cfg)
	}
	return w.serve(cfg)
}

func (w *world) serve(cfg demo.ServerConfig) *demo.Server {
	w.t.Helper()
	s, err := demo.Start(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// host returns the address of a server as one writes it.
func host(s *demo.Server) string { return s.NTPAddr().Addr().String() }

// section is interop's, by a short name.
func section(typ string, pairs ...string) string { return interop.Section(typ, pairs...) }

// quick are options of a source that is polled four times a second.
func quick(more ...string) []string {
	return append([]string{"minpoll", "-2", "maxpoll", "-2"}, more...)
}

// source returns the section for a server of this world, polled quickly.
func source(s *demo.Server, more ...string) string {
	pairs := append([]string{"hostname", host(s)}, quick()...)
	if s.KEAddr().IsValid() {
		pairs = append(pairs, "nts", "yes", "ntsport", fmt.Sprint(s.KEAddr().Port()))
	} else {
		pairs = append(pairs, "port", fmt.Sprint(s.NTPAddr().Port()))
	}
	return section("server", append(pairs, more...)...)
}

// config returns a configuration that measures only, keeps its files in this
// world and trusts its authority.
func (w *world) config(sections ...string) string {
	head := section("ntsd 'main'", "clock", "none", "run_dir", w.run, "state_dir", filepath.Join(w.dir, "state")) +
		section("nts", "systemcerts", "no", "trustedcerts", w.caFile())
	return head + strings.Join(sections, "")
}

// tool returns the path of ntsd or ntsctl.
func tool(name string) string { return filepath.Join(binDir, name) }

// result is how a program that ended did.
type result struct {
	stdout, stderr string
	exit           int
	took           time.Duration
}

// runLimit ends a program that should have ended by itself.
const runLimit = 30 * time.Second

// runProgram runs a program to its end.
func runProgram(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	r := result{stdout: stdout.String(), stderr: stderr.String(), exit: cmd.ProcessState.ExitCode(), took: time.Since(begin)}
	if r.exit < 0 {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, r.stdout, r.stderr)
	}
	return r
}

// ntsd runs the daemon's program to its end.
func ntsd(t *testing.T, args ...string) result {
	t.Helper()
	return runProgram(t, exec.Command(tool("ntsd"), args...))
}

// newCA returns an authority that nobody trusts.
func newCA(t *testing.T) *demo.CA {
	t.Helper()
	ca, err := demo.NewCA("another CA", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// loopback6 moves a server to the loopback address of IPv6, which is alone:
// its ports are random.
func loopback6(c *demo.ServerConfig) {
	c.KEAddr, c.NTPAddr = netip.MustParseAddrPort("[::1]:0"), netip.MustParseAddrPort("[::1]:0")
}
