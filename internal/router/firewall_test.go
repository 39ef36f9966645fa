package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// Strata tell who has answered.
const (
	routersStratum  = 3
	outsidesStratum = 7
)

// reply is how long an answer may take, patience how long a script.
const (
	reply    = 5 * time.Second
	patience = 20 * time.Second
)

// lanDevice is the router's port at the LAN.
const lanDevice = "br-lan.3_x"

// world is a LAN behind a router, and a time server outside, that gives keys,
// too:
//
//	client ---- lanDevice router eth0 ---- server
type world struct {
	*root
	client, router, server *interop.Host
	lan4, lan6             netip.Addr // the router's on the LAN
	ca                     *demo.CA
}

// newWorld makes one whose router runs the scripts with this machine's programs
// for that firewall.
func newWorld(t *testing.T, fw firewall) *world {
	t.Helper()
	for _, program := range fw.tools {
		if _, err := exec.LookPath(program); err != nil {
			interop.Unavailable(t, "router: %v", err)
		}
	}
	lan := interop.NewNet(t)
	outside := interop.NewNetAt(t, netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:1::/64"))
	w := &world{root: newRoot(t), client: lan.Host("client"), server: outside.Host("server"), router: outside.Host("router")}
	if out, err := w.client.Command(context.Background(), "sh", "-ec", fw.probe).CombinedOutput(); err != nil {
		interop.Unavailable(t, "router: %s: this kernel cannot redirect: %v: %s", fw.name, err, out)
	}
	w.lan4, w.lan6 = lan.Plug(w.router, lanDevice)
	w.client.Via(w.lan4, w.lan6)
	w.server.Via(w.router.IPv4, w.router.IPv6)
	w.router.Forward()
	w.serve(w.router, routersStratum)
	w.serve(w.server, outsidesStratum)

	w.write("devices", "lan "+lanDevice+"\n", 0o644)
	w.write("running/ntsd", "", 0o644)
	_ = os.Remove(w.path("bin/nft"))
	for name, program := range fw.tools {
		_ = os.Remove(w.path("bin/" + name))
		w.write("bin/"+name, "#!/bin/sh\nexec chroot /machine "+program+" \"$@\"\n", 0o755)
	}
	if err := os.Mkdir(w.path("machine"), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// serve starts ntsd on a host.
func (w *world) serve(h *interop.Host, stratum int) {
	w.t.Helper()
	var err error
	if w.ca == nil {
		if w.ca, err = demo.NewCA("outside", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil {
			w.t.Fatal(err)
		}
	}
	cert, key, conf := filepath.Join(h.Dir, "cert.pem"), filepath.Join(h.Dir, "key.pem"), filepath.Join(h.Dir, "ntsd")
	text := interop.Section("ntsd 'main'", "run_dir", filepath.Join(h.Dir, "run"), "state_dir", filepath.Join(h.Dir, "state")) +
		interop.Section("allow", "subnet", "0.0.0.0/0") + interop.Section("allow", "subnet", "::/0") +
		interop.Section("local", "enabled", "1", "stratum", fmt.Sprint(stratum)) +
		interop.Section("nts_server", "enabled", "1", "cert", cert, "key", key)
	if err := errors.Join(demo.WriteKeyPair(h.Certificate(w.ca), cert, key), os.WriteFile(conf, []byte(text), 0o644)); err != nil {
		w.t.Fatal(err)
	}
	h.Start(h.Command(context.Background(), filepath.Join(binDir, "ntsd"), "-x", "-t", "60", "-f", conf))
	h.WaitListen("udp", 123)
	h.WaitListen("tcp", nts.DefaultPort)
}

// shell runs a command line on the router, in its tree, and returns what it
// prints.
func (w *world) shell(line string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := w.router.Command(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-ec",
		`mount --rbind / "$1/machine"; cd /; exec chroot "$1" /bin/sh -c "$2"`, "sh", w.dir, line)
	cmd.Env = []string{"PATH=/bin:/sbin:/usr/sbin:/usr/bin"}
	cmd.WaitDelay = time.Second // for what it has left behind
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v: %s", line, errors.Join(err, ctx.Err()), out)
	}
	return string(out)
}

// quietly runs a command line that has nothing to say.
func (w *world) quietly(line string) {
	w.t.Helper()
	if out := w.shell(line); out != "" {
		w.t.Errorf("%s: got %s", line, out)
	}
}

// asks wants one of the hosts' requests to an address to be answered with that
// stratum: at the address that was asked, or it would not be taken.
func (w *world) asks(h *interop.Host, to netip.Addr, want uint8) {
	w.t.Helper()
	err := h.Do(func() error {
		got, err := interop.ExchangePlain(netip.AddrPortFrom(to, 123), reply)
		if err == nil && got.Header.Stratum != want {
			return fmt.Errorf("got stratum %d, want %d", got.Header.Stratum, want)
		}
		return err
	})
	if err != nil {
		w.t.Errorf("%s asks %v: %v", h.Name, to, err)
	}
}

// asksNTS wants the outside's server to give the client keys, and time for them.
func (w *world) asksNTS(to netip.Addr) {
	w.t.Helper()
	var got interop.Sample
	err := w.client.Do(func() error {
		s, err := interop.Establish(context.Background(), w.ca.Pool(), netip.AddrPortFrom(to, nts.DefaultPort), siv.AESSIVCMAC256)
		if err == nil {
			got, err = interop.Exchange(&s, reply)
		}
		return err
	})
	if err != nil || got.Header.Stratum != outsidesStratum {
		w.t.Errorf("NTS with %v: got stratum %d, %v, want %d", to, got.Header.Stratum, err, outsidesStratum)
	}
}

// linkLocal is the router's address on the LAN that has no router behind it.
func (w *world) linkLocal() netip.Addr {
	w.t.Helper()
	var found netip.Addr
	err := w.router.Do(func() error {
		dev, err := net.InterfaceByName(lanDevice)
		if err != nil {
			return err
		}
		addrs, err := dev.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsLinkLocalUnicast() {
				found = p.Addr().WithZone("eth0") // the client's port
			}
		}
		return err
	})
	if err != nil || !found.IsValid() {
		w.t.Fatalf("the router's link-local address: got %v, %v", found, err)
	}
	return found
}

// shout sends 48 bytes to all on the LAN: RFC 5905's groups, and broadcasts.
func (w *world) shout() {
	w.t.Helper()
	for _, to := range []string{"224.0.1.1", "255.255.255.255", "192.0.2.255", "ff02::101"} {
		err := w.client.Do(func() error {
			to := &net.UDPAddr{IP: net.ParseIP(to), Port: 123}
			if to.IP.To4() == nil {
				to.Zone = "eth0"
			}
			conn, err := net.DialUDP("udp", nil, to)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write(append([]byte{4<<3 | 3}, make([]byte, 47)...))
			return err
		})
		if err != nil {
			w.t.Errorf("send to %s: %v", to, err)
		}
	}
}

// firewall is one of those that OpenWrt has had.
type firewall struct {
	name  string
	tools map[string]string // by the names that OpenWrt has for them
	probe string            // fails where the kernel has no such rules
	list  string            // prints the rules
	rules int               // so many redirect
}

func firewalls() []firewall {
	iptables := func(name, kind string) firewall {
		f := firewall{name: name, tools: map[string]string{"flock": "flock"}, rules: 2, list: "iptables-save -c -t nat; ip6tables-save -c -t nat"}
		for _, tool := range []string{"iptables", "ip6tables"} {
			for _, verb := range []string{"", "-save", "-restore"} {
				f.tools[tool+verb] = tool + kind + verb
			}
			rule := "PREROUTING -p udp -m length --length 76 -m addrtype --dst-type LOCAL -j REDIRECT --to-ports 123; "
			f.probe += tool + kind + " -t nat -A " + rule + tool + kind + " -t nat -D " + rule
		}
		return f
	}
	return []firewall{
		{name: "fw4", tools: map[string]string{"flock": "flock", "nft": "nft"}, list: "nft list ruleset", rules: 1, probe: `echo "table inet probe {
				chain probe { type nat hook prerouting priority -105; udp length 56 fib daddr type local redirect to :123; }
			}" | nft -c -f -`},
		iptables("fw3", "-legacy"),
		iptables("fw3 over nft", "-nft"),
	}
}

// count looks at the rules: how many there are, and how many flows they caught.
func (w *world) count(fw firewall) (rules, caught int) {
	w.t.Helper()
	for line := range strings.Lines(w.shell(fw.list)) {
		if m := regexp.MustCompile(`(?i)(?:^\[|packets )(\d+).*redirect`).FindStringSubmatch(line); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				w.t.Fatal(err)
			}
			rules, caught = rules+1, caught+n
		}
	}
	return rules, caught
}

// TestInterceptForReal: requests of 48 bytes that a device on the LAN sends
// elsewhere are answered by the router as if by whom they were for, even where
// there is no way there; nothing else is touched. Rules are there once, however
// often they are asked for, and not at all afterwards.
func TestInterceptForReal(t *testing.T) {
	for _, fw := range firewalls() {
		t.Run(fw.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fw)
			w.config("config ntsd 'main'\nconfig serve 's'\n\toption intercept '1'\n" +
				"config allow\n\tlist interface 'wan'\n\tlist interface 'lan'\n\tlist interface 'guests_that_are_down'\n")
			server := []netip.Addr{w.server.IPv4, w.server.IPv6}
			for _, to := range server {
				w.asks(w.client, to, outsidesStratum)
			}

			const script = "/usr/share/ntsd/intercept"
			w.quietly("for i in 1 2 3; do " + script + " & /etc/init.d/ntsd start & done; wait") // as at a boot
			w.quietly(script)
			w.quietly(`config() { echo "You cannot use UCI here" >&2; exit 1; }; . '` + script + `'`) // as firewalls do
			if rules, caught := w.count(fw); rules != fw.rules || caught != 0 {
				t.Errorf("got %d rules, %d flows caught; want %d, 0:\n%s", rules, caught, fw.rules, w.shell(fw.list))
			}
			if jumps := strings.Count(w.shell(fw.list), "-j ntsd_intercept"); jumps > fw.rules {
				t.Errorf("got %d jumps to our chain, want one each", jumps)
			}
			nowhere := []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:2::1")}
			for _, to := range append(nowhere, server...) {
				w.asks(w.client, to, routersStratum)
			}
			want := 4
			checkCaught := func(what string) {
				t.Helper()
				if _, caught := w.count(fw); caught != want {
					t.Errorf("%s: got %d flows caught, want %d:\n%s", what, caught, want, w.shell(fw.list))
				}
			}
			checkCaught("requests to the outside")
			for _, to := range server {
				w.asksNTS(to)
				w.asks(w.router, to, outsidesStratum)
			}
			for _, to := range []netip.Addr{w.lan4, w.lan6, w.router.IPv4, w.router.IPv6, w.linkLocal()} {
				w.asks(w.client, to, routersStratum)
			}
			w.shout()
			w.asks(w.client, w.server.IPv4, routersStratum) // behind it
			want++
			checkCaught("everything else")

			w.quietly(script + " stop")
			for _, to := range server {
				w.asks(w.client, to, outsidesStratum)
			}
			w.quietly("rm /running/ntsd; " + script) // nobody would answer
			if list := w.shell(fw.list); strings.Contains(list, "ntsd") {
				t.Errorf("after its end:\n%s", list)
			}
		})
	}
}
