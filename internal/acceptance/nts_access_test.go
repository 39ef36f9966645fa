package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/siv"
)

// listening reports whether a program listens on a port of its network: kind
// is tcp or udp.
func (d *daemon) listening(kind string, port uint16) bool {
	d.t.Helper()
	state := map[string]string{"tcp": " 0A ", "udp": " 07 "}[kind]
	for _, family := range []string{"", "6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s%s", d.cmd.Process.Pid, kind, family))
		if err != nil {
			d.t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == strings.TrimSpace(state) {
				return true
			}
		}
	}
	return false
}

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate that the parent signs; without one it signs itself.
func issue(t *testing.T, parent *issued, name string, addrs ...net.IP) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: len(addrs) == 0, BasicConstraintsValid: true, IPAddresses: addrs,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signer := &issued{tmpl, key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, signer.cert, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

// TestCheck20CertificateOpensThePort: TCP port 4460 is open while there is a
// certificate with its key, and only then; a certificate with intermediates
// serves a client that trusts the root alone.
func TestCheck20CertificateOpensThePort(t *testing.T) {
	w := newWorld(t)
	root := issue(t, nil, "root")
	middle := issue(t, root, "intermediate")
	leaf := issue(t, middle, "leaf", net.IPv4(127, 0, 0, 1))
	w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw})))
	cert, key := filepath.Join(w.dir, "chain.pem"), filepath.Join(w.dir, "chain.key")
	chain := tls.Certificate{Certificate: [][]byte{leaf.cert.Raw, middle.cert.Raw}, PrivateKey: leaf.key}
	if err := demo.WriteKeyPair(chain, cert, key); err != nil {
		t.Fatal(err)
	}
	// A network of its own has the standard ports, and nobody else's.
	alone := append(unshare("--net"), "sh", "-c", `ip link set lo up && exec "$@"`, "sh")
	if out, err := exec.Command(alone[0], append(alone[1:], "true")...).CombinedOutput(); err != nil || os.Geteuid() != 0 {
		interop.Unavailable(t, "acceptance: network namespace: %v: %s", err, out)
	}
	closed := w.config(section("server", "hostname", "127.0.0.9"), section("allow", "subnet", "127.0.0.1"), section("local", "enabled", "yes"))
	with := func(cert, key string) string {
		return closed + section("nts_server", "enabled", "yes", "cert", cert, "key", key)
	}
	path := w.write("ntsd.uci", closed)
	d := w.launch(append(alone, tool("ntsd"), "-x", "-t", lifetime, "-f", path), path, filepath.Join(w.run, "ntsd.sock"))
	eventually(t, "NTP server", func() bool { return d.listening("udp", 123) })
	if d.listening("tcp", kePort) {
		t.Error("port 4460 is open without section nts_server")
	}
	d.change(with(cert, filepath.Join(w.dir, "nothing")))
	d.ask("reload")
	d.untilLog(`cannot give NTS keys to clients.*port=4460.*nothing: no such file`)
	if d.listening("tcp", kePort) {
		t.Error("port 4460 is open without a key")
	}
	d.change(with(cert, key))
	d.ask("reload")
	eventually(t, "NTS-KE server", func() bool { return d.listening("tcp", kePort) })
	client := exec.Command("nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", d.cmd.Process.Pid), "--",
		tool("ntsd"), "-Q", "-x", "-t", "10", "server 127.0.0.1 nts iburst maxsamples 1", "nosystemcert", "ntstrustedcerts "+w.caFile())
	if r := runProgram(t, client); r.exit != 0 || !strings.Contains(r.stdout, "System clock wrong by") {
		t.Errorf("a client: exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	d.change(closed)
	d.ask("reload")
	eventually(t, "closed port", func() bool { return !d.listening("tcp", kePort) })
}

// TestCheck21KeyIsForTheServiceAlone: a private key that everybody can read is
// refused, with what to do; one that belongs to the service's user and is
// nobody else's is used.
func TestCheck21KeyIsForTheServiceAlone(t *testing.T) {
	w := newWorld(t)
	if os.Geteuid() != 0 {
		interop.Unavailable(t, "acceptance: another user needs root")
	}
	const nobody = 65534
	cert, key := w.keyPair()
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(key, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(w.dir, nobody, nobody); err != nil { // run_dir is made in it
		t.Fatal(err)
	}
	s := &ntsServer{w: w, ke: newPort(t), ntp: freePort(t)}
	s.text = w.config(source(w.nts(nil)), serving(s.ntp, "127.0.0.1"), w.ntsSection(s.ke, cert, key))
	path := w.write("ntsd.uci", s.text)
	line := asNobody(t, []string{tool("ntsd"), "-x", "-t", lifetime, "-f", path}).Args
	s.daemon = w.launch(line, path, filepath.Join(w.run, "ntsd.sock"))
	s.untilLog(`cannot give NTS keys to clients.*server\.key is open to everybody: chmod 640 it, or less`)
	if s.daemon.listening("tcp", s.ke) {
		t.Error("the port is open")
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ready() // by itself, without a reload
	s.exchange(s.establish(siv.AESSIVCMAC256), "with the key")
}
