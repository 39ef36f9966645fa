package interop

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ntsd/internal/status"
	"ntsd/internal/wire"
)

// goClient builds the client in Go, which is a module of its own.
func goClient(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "goclient")
	build := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	build.Dir = filepath.Join(moduleRoot(t), "scripts", "goclient")
	if out, err := build.CombinedOutput(); err != nil {
		Unavailable(t, "interop: build scripts/goclient: %v: %s", err, out)
	}
	return path
}

// TestNtsdServesOneShotClients: programs that ask once, or a few times, and
// print what they are told: ntpsec's ntpdig, chronyd -Q, and one in Go with
// versions 3 and 4, over IPv4 and IPv6.
func TestNtsdServesOneShotClients(t *testing.T) {
	client := goClient(t)
	l := newLab(t)
	up, router, host := l.Host("upstream"), l.Host("router"), l.Host("host")
	up.StartChronyServer(l.peers, up.Certificate(l.ca))
	d := l.ntsd("router", source(up.IPv4.String(), quickly),
		Section("allow")+"\tlist subnet '192.0.2.0/24'\n\tlist subnet '2001:db8::/64'\n")
	d.until("synchronisation", func(r *status.Report) bool { return r.Tracking.Synchronised })
	host.waitFor("time", func() bool { // the server hears of it once a second
		return host.Do(func() error {
			got, err := ExchangePlain(netip.AddrPortFrom(router.IPv4, ntpPort), time.Second)
			if err == nil && got.Header.Leap == wire.LeapUnknown {
				err = errors.New("not synchronised")
			}
			return err
		}) == nil
	})
	for _, addr := range []string{router.IPv4.String(), router.IPv6.String()} {
		for _, c := range []struct {
			name string
			line []string
			want string // a regular expression; offsets are below 100 ms, however busy the machine
		}{
			{"ntpdig", []string{l.peers.Ntpdig, addr}, `^\d{4}-\d\d-\d\d .* [+-]0\.0\d+ \+/- 0\.\d+ ` + regexp.QuoteMeta(addr) + ` s3 no-leap\n$`},
			{"chronyd -Q", []string{
				l.peers.Chronyd, "-Q", "-u", "root", "-t", "10", "pidfile " + filepath.Join(host.Dir, "once.pid"), "cmdport 0",
				"bindcmdaddress /", "server " + addr + " iburst maxsamples 1",
			}, `System clock wrong by -?0\.0\d+ seconds`},
			{"Go", []string{client, addr}, `^(version [34] stratum 3 leap 0 offset -?(\d\.)?\d+(\.\d+)?(ns|µs|ms)\n){2}$`},
		} {
			cmd := host.Command(context.Background(), c.line[0], c.line[1:]...)
			cmd.Env = l.peers.Env
			out, err := cmd.CombinedOutput()
			if err != nil || !regexp.MustCompile(c.want).Match(out) {
				t.Errorf("%s %s: %v, got\n%swant %s", c.name, addr, err, out, c.want)
			}
		}
	}
	if n := d.served("NTP packets dropped"); n != 0 {
		t.Errorf("%d requests were dropped:\n%s", n, strings.TrimSpace(d.ask("serverstats", "-v")))
	}
}
