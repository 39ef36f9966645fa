package acceptance

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/demo"
	"ntsd/internal/probe"
)

// tested reads what "ntsctl --json test" printed.
func tested(t *testing.T, r result) (p probe.Result) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		t.Fatalf("%v\nstdout %s\nstderr %s", err, r.stdout, r.stderr)
	}
	return p
}

// TestServerTest: "ntsctl test" says the same by the daemon and alone, for a
// server that works and for those that do not, and why.
func TestServerTest(t *testing.T) {
	w := newWorld(t)
	s, r := w.nts(nil), w.relayed(relayConfig{})
	stranger := w.nts(func(c *demo.ServerConfig) {
		ca := newCA(t)
		cert, err := ca.Issue(demo.CertSpec{Names: []string{"localhost"}, Addrs: []netip.Addr{c.KEAddr.Addr()}, NotBefore: c.Cert.Leaf.NotBefore, NotAfter: c.Cert.Leaf.NotAfter})
		if err != nil {
			t.Fatal(err)
		}
		c.Cert = cert
	})
	d := w.start(w.config(source(s)))
	d.synchronised()
	plain := "server " + host(s) + " port " + strconv.Itoa(int(s.NTPAddr().Port()))
	r.set(func(pkt []byte) []byte {
		if len(pkt) > 300 {
			return nil
		}
		return pkt
	}, nil)
	ways := map[string]func(args ...string) result{
		"by the daemon": d.ctl,
		"alone": func(args ...string) result {
			return runProgram(t, exec.Command(tool("ntsctl"), append([]string{"-h", w.dir + "/none.sock"}, args...)...))
		},
	}
	for way, ask := range ways {
		trust := ""
		if way == "alone" {
			trust = " ca " + w.caFile()
		}
		good := ask("--json", "test", "server "+host(s)+" nts"+trust)
		p := tested(t, good)
		if good.exit != 0 || !p.OK || p.KE == nil || p.KE.Cookies != 8 || p.KE.AEAD != 30 || !p.Certificate.Verified || p.NTP == nil || !p.NTP.Authenticated || len(p.Lengths) != 5 || p.SizeLoss.Suspected {
			t.Errorf("%s: exit %d, %s", way, good.exit, good.stdout)
		}
		text := ask("test", "server "+host(s)+" nts"+trust)
		if text.exit != 0 || !inOrder(text.stdout, "Server", "Keys from", "TLS 1.3", "AEAD 30", "Certificate", "verified      : yes", "authenticated", "Offset", "664 (ok)", "can be used") {
			t.Errorf("%s: exit %d\n%s%s", way, text.exit, text.stdout, text.stderr)
		}
		if p := tested(t, ask("--json", "test", plain)); !p.OK || p.KE != nil || p.NTP.Authenticated || p.NTP.ReplyBytes != 48 {
			t.Errorf("%s, plain: got %+v", way, p)
		}
		p = tested(t, ask("--json", "test", "server "+r.host()+" nts"+trust))
		if p.SizeLoss == nil || !p.SizeLoss.Suspected || p.SizeLoss.Above != 256 || !strings.Contains(p.SizeLoss.Verdict, "requests longer than 256 bytes get no reply") {
			t.Errorf("%s, narrow: got %+v, lengths %+v", way, p.SizeLoss, p.Lengths)
		}
		bad := ask("--json", "test", "server "+host(stranger)+" nts"+trust)
		if p := tested(t, bad); bad.exit != 1 || p.OK || p.Certificate == nil || p.Certificate.Verified || !strings.Contains(p.Certificate.Refused, "not trusted here") || !strings.Contains(bad.stderr, "not trusted here") {
			t.Errorf("%s, stranger: exit %d, %+v, %s", way, bad.exit, p, bad.stderr)
		}
	}
	if p := tested(t, d.ctl("--json", "test", host(s))); !p.OK || !p.Configured {
		t.Errorf("by the name of a source: got %+v", p)
	}
	for _, wrong := range [][]string{{"test"}, {"test", "server"}, {"test", "server x nts bogus"}, {"-c", "test", "x"}} {
		if r := d.ctl(wrong...); r.exit != 2 {
			t.Errorf("%q: exit %d, %s", wrong, r.exit, r.stderr)
		}
	}
}
