package tables

import (
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/standing"
	"ntsd/internal/status"
)

// The legends stand above the tables with -v.
const (
	sourcesLegend = `
M  ^ a server    = a peer    # a reference clock
S  * the clock follows it    + combined with it       - agrees, not needed now
   x disagrees with others   ~ too much jitter        ? cannot be used
Poll: seconds between requests, as a power of two; LastRx: since the last reply
Reach: the last eight polls in octal, newest bit last; 377 is eight replies
Last sample: adjusted[measured] +/- error bound; + means this clock is ahead

`
	sourcestatsLegend = `
NP, NR     samples kept, and runs of residuals with the same sign
Span       from the oldest sample to the newest
Frequency  how fast this clock gains on the source, in ppm; Freq Skew: its bound
Offset     estimated now; + means this clock is ahead
Std Dev    of the samples round their line

`
	selectdataLegend = `
S  N not to be selected  M too few samples yet     S no answer, or offline
   s not synchronised    T trusted ones disagree   d too distant
   ~ too much jitter     x disagrees with most     W waits for other sources
   P not preferred       D too far off to combine  + combined    * selected
COpts, EOpts   options as configured and in force: Noselect Prefer Trust Require
Interval       where this clock's error lies; + means it is ahead

`
	authdataLegend = `
KeyID      key establishments so far      Type, KLen  AEAD number, key bits
Last       since the last establishment   Atmp        attempts since then
NAK        refusals of our cookie         Cook, CLen  cookies left, their bytes

`
	clientsLegend = `
NTP, Cmd   requests for time; commands, or with -k key establishments
Drop       those that the rate limit refused; Last: since the latest one
Int        seconds between them, as a power of two: 6 is 64 s
IntL       the same between replies, where some were refused

`
)

// sourceWords says in words what a row of sources leaves open.
func sourceWords(r *status.Report, s *status.Source) []string {
	told := *s
	if s.Address != "" && s.Selection.Why == s.Auth.LastError {
		told.Selection.Why = "" // authWords say it
	}
	out := stateWords(r, &told)
	if s.Address == "" {
		return out // without an address there is nothing to authenticate
	}
	if s.Address != s.Name && s.Kind != status.KindRefClock {
		out[0] = s.Address + ": " + out[0]
	}
	return append(out, authWords(r, s)...)
}

// stateWords says what the selection made of a source, and why.
func stateWords(_ *status.Report, s *status.Source) []string { return []string{s.Explain()} }

// trimmed is a time without its sign and padding: "31ms".
func trimmed(seconds float64) string { return strings.TrimSpace(status.Magnitude(seconds)) }

// authWords tells about keys, TLS and the certificate.
func authWords(r *status.Report, s *status.Source) []string {
	a := &s.Auth
	switch {
	case a.Mode == status.ModeSymmetric:
		return []string{fmt.Sprintf("symmetric key %d, %s with %d bits: as secret as its copies on both sides", a.KeyID, a.AEADName, a.KeyBits)}
	case s.Kind == status.KindRefClock:
		return []string{"at this machine: nobody on a network can forge what it says"}
	case a.Mode != "nts":
		return []string{"not authenticated: anyone on the path can forge its replies"}
	}
	var out []string
	if text := keTrouble(a); text != "" {
		out = append(out, text)
	}
	out = append(out, keyWords(a)...)
	if a.Path != nil {
		out = append(out, a.Path.Sentence(a.MaxPlaceholders))
	}
	if t := a.TLS; t != nil {
		pq := "not post-quantum"
		if t.PostQuantum {
			pq = "post-quantum"
		}
		out = append(out, fmt.Sprintf("%s, %s, %s (%s), key establishment took %s",
			t.Version, t.CipherSuite, t.Group, pq, trimmed(t.DurationS)))
	}
	if c := a.Certificate; c != nil {
		out = append(out, fmt.Sprintf("certificate: %s, issued by %s, valid %s to %s (%s)",
			c.Subject, c.Issuer, day(c.NotBefore), day(c.NotAfter), validity(r.Time, c)))
	}
	return out
}

// keyWords tells about the keys in use and their cookies.
func keyWords(a *status.Auth) []string {
	if a.KeyBits == 0 {
		return []string{"no keys yet"}
	}
	text := fmt.Sprintf("keys: %s, %d bits", a.AEADName, a.KeyBits)
	if a.LastKE >= 0 {
		text += fmt.Sprintf(", %s old", Duration(a.LastKE))
	} else {
		text += ", kept from an earlier run"
	}
	out := []string{text + fmt.Sprintf("; %d cookies of %d bytes", a.Cookies, a.CookieBytes)}
	if a.OnTrial {
		out = append(out, "on trial: the dates of the certificates were not judged at a time that is trusted")
	}
	return out
}

// keTrouble says what went wrong in the last key establishment, and when the
// next one comes.
func keTrouble(a *status.Auth) string {
	if a.LastError == "" && (a.KeyBits > 0 || a.Attempts == 0) {
		return ""
	}
	where := ""
	if a.KEAddress != "" {
		where = " with " + net.JoinHostPort(a.KEAddress, fmt.Sprint(a.KEPort))
	}
	text := "key establishment" + where + " under way"
	if a.LastError != "" {
		text = "key establishment" + where + " failed: " + a.LastError
	}
	if a.Attempts > 1 {
		text += fmt.Sprintf("; %d attempts", a.Attempts)
	}
	if a.NextKE >= 0 {
		text += "; next attempt in " + Duration(a.NextKE)
	}
	return text
}

// validity says how a certificate's dates look from now.
func validity(now status.Time, c *status.Certificate) string {
	left := clock.Wall(c.NotAfter).Sub(clock.Wall(now)).Duration()
	switch {
	case now < c.NotBefore:
		return "not yet valid by this clock"
	case left < 0:
		return "expired by this clock"
	case left < 48*time.Hour:
		return fmt.Sprintf("%d hours left", int(left.Hours()))
	}
	return fmt.Sprintf("%d days left", int(left.Hours()/24))
}

// trackingWords adds what tracking does not say.
func trackingWords(r *status.Report) []string {
	t := &r.Tracking
	state := "not synchronised"
	if t.Local {
		state = "its own reference (section local), not synchronised"
	}
	if t.Synchronised {
		state = "synchronised"
		if t.Authenticated {
			state += " by an authenticated source"
		} else {
			state += " without authentication"
		}
	}
	out := []string{
		fmt.Sprintf("%-16s: %s, for %s", "State", state, Duration(t.SinceAgo)),
		fmt.Sprintf("%-16s: at most %s", "Clock error",
			trimmed(math.Abs(t.CorrectionS)+t.RootDispersionS+t.RootDelayS/2)),
		fmt.Sprintf("%-16s: %d updates, %d steps, %d files written to flash (%d in a day)", "Since start",
			t.Updates, t.Steps, t.FlashWrites, t.FlashDay),
		fmt.Sprintf("%-16s: ntsd %s, process %d, up %s", "Daemon", r.Daemon.Version, r.Daemon.PID, Duration(r.Daemon.UptimeS)),
	}
	if !t.Synchronised {
		out[1] = fmt.Sprintf("%-16s: unknown", "Clock error")
		for _, line := range r.Troubles() {
			out = append(out, fmt.Sprintf("%-16s: %s", "What is missing", line))
		}
	}
	if r.Daemon.DryRun {
		out = append(out, fmt.Sprintf("%-16s: the system clock is left alone (-x, or clock none)", "Dry run"))
	}
	for _, warning := range r.Daemon.Warnings {
		out = append(out, fmt.Sprintf("%-16s: %s", "Configuration", warning))
	}
	for _, a := range r.Advice {
		out = append(out, fmt.Sprintf("%-16s: %s", "Advice", a.Text))
	}
	return out
}

// ntpWords says what became of the replies, and how they are authenticated.
func ntpWords(r *status.Report, s *status.Source) []string {
	var out []string
	for _, v := range s.Counters.Verdicts {
		if v.Name != standing.Accepted { // Total good RX has them
			out = append(out, fmt.Sprintf("%-16s: %d %s", "Discarded RX", v.Count, v.Name))
		}
	}
	for _, line := range authWords(r, s) {
		out = append(out, fmt.Sprintf("%-16s: %s", "Authentication", line))
	}
	return out
}

// Duration is a number of seconds in words of at most two units: "3d 4h".
func Duration[T status.Ago | float64](seconds T) string {
	if seconds < 0 {
		return "-"
	}
	n := int64(seconds)
	steps := []struct {
		size int64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}
	for i, u := range steps {
		if n < u.size && u.size > 1 {
			continue
		}
		text := fmt.Sprintf("%d%s", n/u.size, u.name)
		if i+1 < len(steps) && n%u.size/steps[i+1].size > 0 {
			text += fmt.Sprintf(" %d%s", n%u.size/steps[i+1].size, steps[i+1].name)
		}
		return text
	}
	return "0s"
}
