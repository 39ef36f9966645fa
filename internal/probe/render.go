package probe

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// Render writes a result as lines of "Name : value", for people.
func Render(w io.Writer, r Result) error {
	l := &lines{}
	mode := "plain NTP"
	if r.NTS {
		mode = "NTS"
	}
	if r.Configured {
		mode += ", with the options of the configuration"
	}
	l.add("Server", "%s (%s)", r.Server, mode)
	for i, a := range r.Addresses {
		name := ""
		if i == 0 {
			name = "Addresses"
		}
		text := a.Address
		switch {
		case a.Address == r.Address:
			text += " (tested)"
		case a.Error != "":
			text += " (failed: " + a.Error + ")"
		}
		l.add(name, "%s", text)
	}
	if r.KE != nil {
		l.ke(r.KE)
	}
	if r.Certificate != nil {
		l.certificate(r.Certificate)
	}
	if r.NTP != nil {
		l.ntp(r.NTP)
	}
	l.lengths(&r)
	if r.OK {
		l.add("Result", "the server can be used")
	} else {
		l.add("Result", "FAILED: %s", r.Error)
	}
	_, err := io.WriteString(w, l.String())
	return err
}

// lines is the text as it grows.
type lines struct{ strings.Builder }

// nameWidth is chronyc's.
const nameWidth = 16

func (l *lines) add(name, format string, args ...any) {
	colon := ":"
	if name == "" {
		colon = " "
	}
	fmt.Fprintf(l, "%-*s%s %s\n", nameWidth, name, colon, status.Printable(fmt.Sprintf(format, args...)))
}

func (l *lines) ke(k *KE) {
	where := k.Address
	if strings.Contains(where, ":") {
		where = "[" + where + "]"
	}
	switch {
	case k.ConnectS == 0:
		l.add("Keys from", "%s:%d, no connection", where, k.Port)
		return
	case k.HandshakeS == 0:
		l.add("Keys from", "%s:%d, TCP %s, no TLS", where, k.Port, span(k.ConnectS))
		return
	}
	l.add("Keys from", "%s:%d, TCP %s, TLS %s%s", where, k.Port, span(k.ConnectS), span(k.HandshakeS), all(k.DurationS))
	group := k.Group
	if k.PostQuantum {
		group += " (post-quantum)"
	}
	alpn := k.ALPN
	if alpn == "" {
		alpn = "none"
	}
	l.add("TLS", "%s, %s, %s, ALPN %s", k.TLSVersion, k.CipherSuite, group, alpn)
	if k.NextProtocol != "" {
		l.add("NTS", "%s, AEAD %d (%s), %d cookies of %d bytes", k.NextProtocol, k.AEAD, k.AEADName, k.Cookies, k.CookieBytes)
		l.add("NTP server", "%s, port %d", k.NTPServer, k.NTPPort)
	}
}

func all(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return ", " + span(seconds) + " in all"
}

func (l *lines) certificate(c *Certificate) {
	l.add("Certificate", "%s, %s", orNone(c.Subject), c.Key)
	l.add("  for", "%s", orNone(strings.Join(c.Names, ", ")))
	l.add("  by", "%s", orNone(c.Issuer))
	l.add("  valid", "%s to %s", day(c.NotBefore), day(c.NotAfter))
	switch {
	case c.Verified:
		l.add("  verified", "yes, %d more in the chain", len(c.Chain))
	case c.Refused != "":
		l.add("  verified", "NO: %s", c.Refused)
	default:
		l.add("  verified", "NO: noval is set, the name is not checked")
	}
	for _, x := range c.Chain {
		l.add("  chain", "%s, by %s, %s to %s", orNone(x.Subject), orNone(x.Issuer), day(x.NotBefore), day(x.NotAfter))
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (l *lines) ntp(n *NTP) {
	how := "NOT authenticated"
	if n.Authenticated {
		how = "authenticated"
	}
	where := n.Address
	if strings.Contains(where, ":") {
		where = "[" + where + "]"
	}
	cookies := "cookies"
	if n.Cookies == 1 {
		cookies = "cookie"
	}
	l.add("Reply from", "%s:%d, %s, %d bytes to %d, %d new %s", where, n.Port, how, n.ReplyBytes, n.RequestBytes, n.Cookies, cookies)
	leap, _ := n.Leap.MarshalText()
	l.add("Stratum", "%d, reference %s (%s), leap %s", n.Stratum, n.ReferenceID, n.Reference, leap)
	direction := "slow"
	if n.OffsetS < 0 {
		direction = "fast"
	}
	l.add("Offset", "our clock is %s %s, +/- %s at most", span(math.Abs(n.OffsetS)), direction, span(n.ErrorBoundS))
	l.add("Delay", "%s, the server took %s", span(n.DelayS), span(n.ResponseS))
	l.add("Root", "delay %s, dispersion %s", span(n.RootDelayS), span(n.RootDispersionS))
	l.add("Timestamps", "%s sent, %s received", strings.ToLower(n.Sent), strings.ToLower(n.Received))
}

func (l *lines) lengths(r *Result) {
	if len(r.Lengths) == 0 {
		return
	}
	var parts []string
	for _, x := range r.Lengths {
		part := fmt.Sprintf("%d (", x.Bytes)
		if x.Sent == x.Answered {
			part += "ok"
		} else {
			part += fmt.Sprintf("%d of %d", x.Answered, x.Sent)
		}
		parts = append(parts, part+")")
	}
	l.add("Lengths", "%s", strings.Join(parts, ", "))
	if r.SizeLoss != nil {
		l.add("", "%s", r.SizeLoss.Verdict)
	}
}

// span is a time for people.
func span(seconds float64) string {
	return strings.TrimPrefix(strings.TrimSpace(status.Signed(seconds)), "+")
}

func day(t status.Time) string { return clock.Wall(t).Time().Format(time.DateOnly) }
