//go:build linux

package lanca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
)

// serialBits: RFC 5280 section 4.1.2.2, positive and at most 20 octets.
const serialBits = 127

// Errors of files that are not what was written.
var (
	errNoKey         = errors.New("no private key (ECDSA P-256, PKCS 8) in it")
	errNoCertificate = errors.New("no certificate in it")
)

// The authority's dates: those of a clock that knows nothing, and "no
// well-defined expiration date" of RFC 5280 section 4.1.2.5.
func anyTime() (notBefore, notAfter time.Time) {
	return time.Unix(0, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
}

// lanDomains are the domains that are nobody's on the Internet.
func lanDomains() []string {
	return []string{
		"lan",       // OpenWrt's default
		"home.arpa", // RFC 8375
		"internal",  // reserved by ICANN in 2024
		"local",     // RFC 6762
		"localhost", // RFC 6761
	}
}

// lanPrefixes are the addresses that are nobody's on the Internet.
func lanPrefixes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918
		netip.MustParsePrefix("100.64.0.0/10"),                                      // RFC 6598
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), // link-local
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), // loopback
		netip.MustParsePrefix("fc00::/7"),                                               // RFC 4193
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), // RFC 5737
		netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"), // likewise, and RFC 3849
	}
}

// OnLAN reports whether an address may stand in a certificate of a LAN.
func OnLAN(a netip.Addr) bool {
	return slices.ContainsFunc(lanPrefixes(), func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
}

// create makes the authority. The key of before is used again if there is one
// without a certificate.
func (a *Authority) create(names Names) error {
	key := a.key
	if key == nil || a.cert != nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	// Two routers of one make have one name: the key tells them apart.
	id := sha256.Sum256(public)
	subject := "ntsd LAN CA " + hex.EncodeToString(id[:4])
	domains := lanDomains()
	if names.Host != "" {
		subject += " of " + names.Host
		domains = append(domains, names.Host)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: subject},
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		PermittedDNSDomainsCritical: true, PermittedDNSDomains: domains,
	}
	tmpl.NotBefore, tmpl.NotAfter = anyTime()
	for _, p := range lanPrefixes() {
		tmpl.PermittedIPRanges = append(tmpl.PermittedIPRanges, &net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		})
	}
	cert, err := sign(tmpl, tmpl, key, key)
	if err != nil {
		return err
	}
	a.key, a.cert = key, cert
	// The key first: see loadAuthority.
	a.unsaved, a.tried = []string{caKeyName, caCertName}, time.Time{}
	return nil
}

// issue makes the server's certificate, with a key of its own.
func (a *Authority) issue(now clock.Wall, names Names) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	names = a.permitted(a.withOld(names))
	tmpl := &x509.Certificate{
		SerialNumber: serial, DNSNames: names.DNS,
		NotBefore: now.Add(-backdated).Time(), NotAfter: now.Add(serverLife).Time(),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	// RFC 5280 section 4.1.2.6: a subject, unless the names are critical. It is
	// no name of a host: those stand in the names.
	tmpl.Subject.CommonName = "ntsd LAN server"
	for _, addr := range names.Addrs {
		tmpl.IPAddresses = append(tmpl.IPAddresses, addr.AsSlice())
	}
	leaf, err := sign(tmpl, a.cert, key, a.key)
	if err != nil {
		return err
	}
	a.server = &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	return nil
}

// withOld adds the names of the present certificate: one that is missing now
// may be back tomorrow.
func (a *Authority) withOld(names Names) Names {
	if a.server == nil {
		return names
	}
	names.DNS = append(slices.Clone(names.DNS), a.server.Leaf.DNSNames...)
	names.Addrs = append(slices.Clone(names.Addrs), addresses(a.server.Leaf)...)
	return names
}

// permitted returns the names that the authority may vouch for, each once, and
// no more of them than MaxNames.
func (a *Authority) permitted(names Names) Names {
	var some Names
	for _, n := range names.DNS {
		n = strings.ToLower(n)
		if len(some.DNS) < MaxNames/2 && a.mayName(n) && !slices.Contains(some.DNS, n) {
			some.DNS = append(some.DNS, n)
		}
	}
	for _, addr := range names.Addrs {
		addr = addr.Unmap().WithZone("")
		if len(some.Addrs) < MaxNames/2 && OnLAN(addr) && !slices.Contains(some.Addrs, addr) {
			some.Addrs = append(some.Addrs, addr)
		}
	}
	return some
}

// mayName reports whether name is one of the authority's domains or below one.
func (a *Authority) mayName(name string) bool {
	return name != "" && slices.ContainsFunc(a.cert.PermittedDNSDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}

// sign makes a certificate and reads it back.
func sign(tmpl, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	return n.Add(n, big.NewInt(1)), nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseKey(b []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errNoKey
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errNoKey
	}
	return key, nil
}

func parseCertificate(b []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errNoCertificate
	}
	return x509.ParseCertificate(block.Bytes)
}
