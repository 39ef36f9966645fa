package interop

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/wire"
)

// pollInterval is how often a condition is looked at that nobody announces.
const pollInterval = 10 * time.Millisecond

const ntpPort = 123

// Peers is where the foreign programs are.
type Peers struct {
	Chronyd, Chronyc string
	Newer            bool     // chronyd is not Debian's but the one that CHRONYD names
	Ntpd, Ntpq       string   // ntpsec's
	Ntpdig           string   // likewise: asks once
	Env              []string // what they need in their environment
}

// FindPeers returns the programs that scripts/peers.sh has unpacked, or skips
// the test where it has not. CHRONYD in the environment names another chronyd,
// such as a newer one.
func FindPeers(t testing.TB) Peers {
	t.Helper()
	root := moduleRoot(t)
	if _, err := os.Stat(filepath.Join(root, "build", "peers", "complete")); err != nil {
		Unavailable(t, "interop: chrony and ntpsec are not there: run scripts/peers.sh")
	}
	out, err := exec.Command(filepath.Join(root, "scripts", "peers.sh")).Output()
	if err != nil {
		t.Fatalf("interop: scripts/peers.sh: %v", err)
	}
	value := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		value[name] = v
	}
	p := Peers{
		Chronyd: value["chronyd"], Chronyc: value["chronyc"],
		Ntpd: value["ntpd"], Ntpq: value["ntpq"], Ntpdig: value["ntpdig"],
		Env: append(os.Environ(), "LD_LIBRARY_PATH="+value["library_path"],
			"PYTHONPATH="+value["ntpq_pythonpath"]),
	}
	if other := os.Getenv("CHRONYD"); other != "" {
		p.Chronyd, p.Newer = other, true
		// chronyc goes with its daemon.
		if own := filepath.Join(filepath.Dir(other), "chronyc"); isFile(own) {
			p.Chronyc = own
		}
	}
	return p
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// moduleRoot returns the folder of go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("interop: no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// StartChronyd starts chronyd with the lines of a configuration, which gets a
// pid file of its own and no command sockets. It cannot set the clock (-x).
func (h *Host) StartChronyd(p Peers, lines ...string) *Process {
	h.t.Helper()
	conf := h.writeFile("chrony.conf", append([]string{
		"pidfile " + filepath.Join(h.Dir, "chronyd.pid"),
		"cmdport 0",
		"bindcmdaddress /",
	}, lines...))
	cmd := h.Command(context.Background(), p.Chronyd, "-x", "-d", "-u", "root", "-f", conf)
	cmd.Env = p.Env
	return h.Start(cmd)
}

// StartChronyServer starts chronyd as an NTS server of stratum 2 with cert.
func (h *Host) StartChronyServer(p Peers, cert tls.Certificate, lines ...string) *Process {
	h.t.Helper()
	certFile, keyFile := h.writeKeyPair(cert)
	proc := h.StartChronyd(p, append([]string{
		"local stratum 2",
		"allow all",
		"ntsserverkey " + keyFile,
		"ntsservercert " + certFile,
		"ntsdumpdir " + h.Dir,
	}, lines...)...)
	h.WaitListen("tcp", nts.DefaultPort)
	return proc
}

// StartNTPsec starts ntpsec's ntpd with the lines of a configuration. It cannot
// set the clock, as nothing on a host can, and it is told not to try.
func (h *Host) StartNTPsec(p Peers, lines ...string) *Process {
	h.t.Helper()
	conf := h.writeFile("ntp.conf", append([]string{
		"disable ntp",
		// The default, which no line changes, has limits on rate and queries.
		"restrict 127.0.0.1",
		"restrict 192.0.2.0/24",
		"restrict 2001:db8::/64",
		"statsdir " + h.Dir,
	}, lines...))
	// In the foreground, logging to its standard error.
	cmd := h.Command(context.Background(), p.Ntpd, "-n", "-c", conf, "-l", "/dev/stderr",
		"-p", filepath.Join(h.Dir, "ntpd.pid"))
	cmd.Env = p.Env
	return h.Start(cmd)
}

// StartNTPsecServer starts ntpsec's ntpd as an NTS server of stratum 3 with
// cert. It returns when the server calls itself synchronised.
func (h *Host) StartNTPsecServer(p Peers, cert tls.Certificate, lines ...string) *Process {
	h.t.Helper()
	certFile, keyFile := h.writeKeyPair(cert)
	keys := filepath.Join(h.Dir, "nts-keys")
	proc := h.StartNTPsec(p, append([]string{
		"tos orphan 3 orphanwait 1",
		"nts enable",
		"nts key " + keyFile,
		"nts cert " + certFile,
		"nts cookie " + keys,
	}, lines...)...)
	h.WaitListen("tcp", nts.DefaultPort)
	// It listens before it has cookie keys, and then seals with a key of zeros
	// that it does not know later.
	h.waitFor("cookie keys in "+keys, func() bool {
		data, err := os.ReadFile(keys)
		return err == nil && strings.Contains(string(data), "\nK: ")
	})
	h.waitFor("synchronised server", func() bool {
		var got Sample
		err := h.Do(func() (err error) {
			got, err = ExchangePlain(netip.AddrPortFrom(h.IPv4, ntpPort), time.Second)
			return err
		})
		return err == nil && got.Header.Leap != wire.LeapUnknown
	})
	return proc
}

// Certificate returns a certificate for the host's name and addresses that is
// valid around now.
func (h *Host) Certificate(ca *demo.CA) tls.Certificate {
	h.t.Helper()
	cert, err := ca.Issue(demo.CertSpec{
		Names:     []string{h.Name},
		Addrs:     []netip.Addr{h.IPv4, h.IPv6},
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(24 * time.Hour),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return cert
}

// WaitListen waits until somebody listens on the host's port. network is tcp or
// udp; a plain connection would already be counted as a visit.
func (h *Host) WaitListen(network string, port uint16) {
	h.t.Helper()
	h.waitFor(fmt.Sprintf("listener on %s port %d", network, port), func() bool {
		return h.listening(network, port)
	})
}

// waitFor waits until ok.
func (h *Host) waitFor(what string, ok func() bool) {
	h.t.Helper()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			h.t.Fatalf("interop: %s: no %s within %v", h.Name, what, patience)
		}
	}
}

// listening looks for the port in the kernel's socket tables (proc_net_tcp in
// the kernel's documentation): column 2 is address:port in hexadecimal, column
// 4 the state, TCP_LISTEN or an unconnected UDP socket.
func (h *Host) listening(network string, port uint16) bool {
	h.t.Helper()
	state := map[string]string{"tcp": "0A", "udp": "07"}[network]
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{network, network + "6"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", h.ns.pid, table))
		if err != nil {
			h.t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == state {
				return true
			}
		}
	}
	return false
}

func (h *Host) writeKeyPair(cert tls.Certificate) (certFile, keyFile string) {
	h.t.Helper()
	certFile, keyFile = filepath.Join(h.Dir, "cert.pem"), filepath.Join(h.Dir, "key.pem")
	if err := demo.WriteKeyPair(cert, certFile, keyFile); err != nil {
		h.t.Fatal(err)
	}
	return certFile, keyFile
}

func (h *Host) writeFile(name string, lines []string) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}
