package ntske

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// verifier judges the server's chain within a handshake. It takes the place of
// crypto/tls's own verification, which knows only one time: now.
type verifier struct {
	policy event.Verify
	name   string         // without final dot; host name or address literal
	roots  *x509.CertPool // nil: nothing is checked, allowed only with noVal
	noVal  bool           // do not check the name
	watch  stopwatch

	// The outcome: the validity that all certificates of the chain share.
	notBefore, notAfter clock.Wall
}

// certError marks an error from verify, which crypto/tls passes through. text
// replaces that of err if it is not empty.
type certError struct {
	text string
	err  error
}

func (e *certError) Error() string {
	if e.text == "" {
		return e.err.Error()
	}
	return e.text
}

func (e *certError) Unwrap() error { return e.err }

// verify is tls.Config.VerifyConnection.
func (v *verifier) verify(cs tls.ConnectionState) error {
	err := v.check(cs.PeerCertificates)
	v.watch.handshake(&cs, v.roots != nil && !v.noVal, err)
	var ce *certError
	if err != nil && !errors.As(err, &ce) {
		return &certError{err: err}
	}
	return err
}

func (v *verifier) check(certs []*x509.Certificate) error {
	if len(certs) == 0 {
		return errors.New("the server sent no certificate")
	}
	if len(certs) > maxChain {
		return fmt.Errorf("the server sent %d certificates", len(certs))
	}
	leaf := certs[0]
	if v.roots == nil {
		if !v.noVal {
			return ErrNoRoots
		}
		v.notBefore, v.notAfter = shared(certs[:1])
		return nil
	}
	opts := x509.VerifyOptions{
		Roots:         v.roots,
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if !v.noVal {
		opts.DNSName = v.name
	}
	for _, c := range certs[1:] {
		opts.Intermediates.AddCert(c)
	}
	chain, err := v.chain(leaf, opts)
	if err != nil {
		return err
	}
	v.notBefore, v.notAfter = shared(chain)
	return nil
}

// chain returns a verified chain that satisfies the policy. Tentative is for a
// clock that is not to be trusted: the chain is judged at a time inside the
// leaf's validity, as near to the clock as that allows.
func (v *verifier) chain(leaf *x509.Certificate, opts x509.VerifyOptions) ([]*x509.Certificate, error) {
	if !v.policy.Tentative {
		opts.CurrentTime = v.policy.At.Time()
		chains, err := leaf.Verify(opts)
		if err != nil {
			return nil, v.explain(leaf, err, opts.CurrentTime)
		}
		return longest(chains), nil
	}
	var firstErr error
	for _, at := range v.candidates(leaf) {
		opts.CurrentTime = at
		chains, err := leaf.Verify(opts)
		if err == nil {
			chain := longest(chains)
			err = v.aboveFloor(chain)
			if err == nil {
				return chain, nil
			}
		}
		if firstErr == nil {
			firstErr = v.explain(leaf, err, at)
		}
	}
	return nil, firstErr
}

// candidates returns the times at which a tentative chain is tried: first the
// one nearest to the clock, and, as an issuer's validity may end inside the
// leaf's, the two ends.
func (v *verifier) candidates(leaf *x509.Certificate) []time.Time {
	at := max(v.policy.At, v.policy.Floor).Time()
	switch {
	case at.Before(leaf.NotBefore):
		at = leaf.NotBefore
	case at.After(leaf.NotAfter):
		at = leaf.NotAfter
	}
	return []time.Time{at, leaf.NotBefore, leaf.NotAfter}
}

// aboveFloor checks that no certificate had certainly expired.
func (v *verifier) aboveFloor(chain []*x509.Certificate) error {
	for _, c := range chain {
		if c.NotAfter.Before(v.policy.Floor.Time()) {
			return fmt.Errorf("the certificate of %s expired on %s, and it is at least %s now",
				subject(c), day(c.NotAfter), day(v.policy.Floor.Time()))
		}
	}
	return nil
}

// explain turns an error of x509 into one that says what to do. at is the time
// that was tried.
func (v *verifier) explain(leaf *x509.Certificate, err error, at time.Time) error {
	say := func(format string, args ...any) error {
		return &certError{text: fmt.Sprintf(format, args...), err: err}
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		c := invalid.Cert
		if v.policy.Tentative {
			if err := v.aboveFloor([]*x509.Certificate{c}); err != nil {
				return err
			}
			return say("the certificates of %s are at no time valid together", subject(leaf))
		}
		if at.Before(c.NotBefore) {
			return say("the certificate of %s is not valid before %s, and the clock says %s: is the clock right?",
				subject(c), minute(c.NotBefore), minute(at))
		}
		return say("the certificate of %s expired on %s, and the clock says %s: is the clock right?",
			subject(c), minute(c.NotAfter), minute(at))
	case errors.As(err, &unknown):
		return say("the certificate of %s was issued by %q, which is not trusted here: add its CA with trustedcerts",
			subject(leaf), tame(leaf.Issuer.String(), maxName))
	case errors.As(err, &host) && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 && leaf.Subject.CommonName != "":
		// crypto/x509 does not take the common name for a host name any more.
		return say("the certificate has no subjectAltName, only the subject %s, which does not count", subject(leaf))
	case errors.As(err, &host):
		return say("the certificate is for %s, not for %s", names(leaf), v.name)
	}
	return err
}

// longest returns the chain that stays valid the longest.
func longest(chains [][]*x509.Certificate) []*x509.Certificate {
	best := chains[0]
	_, bestEnd := shared(best)
	for _, c := range chains[1:] {
		if _, end := shared(c); end > bestEnd {
			best, bestEnd = c, end
		}
	}
	return best
}

// shared returns the validity that all certificates of a chain share.
func shared(chain []*x509.Certificate) (notBefore, notAfter clock.Wall) {
	notBefore, notAfter = wall(chain[0].NotBefore), wall(chain[0].NotAfter)
	for _, c := range chain[1:] {
		notBefore = max(notBefore, wall(c.NotBefore))
		notAfter = min(notAfter, wall(c.NotAfter))
	}
	return notBefore, notAfter
}

// wall converts a date in a certificate, which may lie beyond what clock.Wall
// can say: 9999-12-31 means "no end" (RFC 5280 section 4.1.2.5).
func wall(t time.Time) clock.Wall {
	const edge = 9_000_000_000 // 2255-03-14
	sec := min(max(t.Unix(), -edge), edge)
	return clock.WallUnix(sec, 0)
}

func subject(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return tame(c.Subject.CommonName, maxName)
	}
	return names(c)
}

// names lists whom a certificate is for, shortened: the server chooses them.
func names(c *x509.Certificate) string {
	const most = 3
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "nobody"
	}
	if len(all) > most {
		all = append(all[:most], "and others")
	}
	return tame(strings.Join(all, ", "), 2*maxName)
}

func day(t time.Time) string    { return t.UTC().Format("2006-01-02") }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
