package status

import (
	"fmt"
	"math"
	"strings"
	"time"

	"ntsd/internal/clock"
)

// The legends stand above the tables with -v.
const (
	sourcesLegend = `
M  ^ a server
S  * the clock follows it    + combined with it       - agrees, not needed now
   x disagrees with others   ~ too much jitter        ? cannot be used
Reach: the last eight polls in octal, newest bit last; 377 is eight replies
Last sample: adjusted[measured] +/- error bound; + means this clock is ahead

`
	sourcestatsLegend = `
NP, NR     samples kept, and runs of residuals with the same sign
Span       from the oldest sample to the newest
Frequency  how fast this clock gains on the source (ppm), and Freq Skew its bound
Offset     estimated now; + means this clock is ahead
Std Dev    of the samples round their line

`
	selectdataLegend = `
S  N noselect    M too few samples  s source not synchronised  r stratum
   d too distant ~ too much jitter  w waits for samples        S stale
   O orphan      T not trusted      x disagrees with others    W waits for others
   P not preferred  U waits for a sample  D L far from the best  + combined  * best
COpts, EOpts   options as configured and in force: Noselect Prefer Trust Require
Interval       where this clock's error lies; + means it is ahead

`
	authdataLegend = `
KeyID      key establishments so far      Type, KLen  AEAD number, key bits
Last       since the last establishment   Atmp        attempts since then
NAK        refusals of our cookie         Cook, CLen  cookies left, their bytes

`
)

// sourceWords says in words what a row of sources leaves open.
func sourceWords(r *Report, s *Source) []string {
	out := stateWords(r, s)
	if len(out) > 0 && s.Address != "" && s.Address != s.Name {
		out[0] = s.Address + ": " + out[0]
	}
	return append(out, authWords(r, s)...)
}

// stateWords says what the selection made of a source, and why.
func stateWords(_ *Report, s *Source) []string {
	text := s.Selection.State
	if s.Selection.Why != "" && s.Selection.Why != text {
		text += ": " + s.Selection.Why
	}
	if s.Address == "" {
		text = "no address known yet"
		if s.Selection.Why != "" {
			text += ": " + s.Selection.Why
		}
	}
	if !s.Online {
		text += " (offline)"
	}
	return []string{text}
}

// authWords tells about keys, TLS and the certificate.
func authWords(r *Report, s *Source) []string {
	a := &s.Auth
	if a.Mode != "nts" {
		return []string{"not authenticated: anyone on the path can forge its replies"}
	}
	var out []string
	if t := a.TLS; t != nil {
		pq := "not post-quantum"
		if t.PostQuantum {
			pq = "post-quantum"
		}
		out = append(out, fmt.Sprintf("%s, %s, %s (%s), key establishment took %s",
			t.Version, t.CipherSuite, t.Group, pq, strings.TrimSpace(magnitude(t.DurationS))))
	}
	if a.KeyBits > 0 {
		out = append(out, fmt.Sprintf("keys: %s, %d bits; %d cookies of %d bytes", a.AEADName, a.KeyBits, a.Cookies, a.CookieBytes))
	} else {
		out = append(out, "no keys yet")
	}
	if c := a.Certificate; c != nil {
		out = append(out, fmt.Sprintf("certificate: %s, issued by %s, valid %s to %s (%s)",
			c.Subject, c.Issuer, day(c.NotBefore), day(c.NotAfter), validity(r.Time, c)))
	}
	if a.LastError != "" {
		text := "last error: " + a.LastError
		if a.NextKE >= 0 {
			text += fmt.Sprintf("; next attempt in %s", Duration(a.NextKE))
		}
		out = append(out, text)
	}
	return out
}

// validity says how a certificate's dates look from now.
func validity(now Time, c *Certificate) string {
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
func trackingWords(r *Report) []string {
	t := &r.Tracking
	state := "not synchronised"
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
			strings.TrimSpace(magnitude(math.Abs(t.CorrectionS)+t.RootDispersionS+t.RootDelayS/2))),
		fmt.Sprintf("%-16s: %d updates, %d steps", "Since start", t.Updates, t.Steps),
		fmt.Sprintf("%-16s: ntsd %s, process %d, up %s", "Daemon", r.Daemon.Version, r.Daemon.PID, Duration(r.Daemon.UptimeS)),
	}
	if !t.Synchronised {
		out[1] = fmt.Sprintf("%-16s: unknown", "Clock error")
	}
	if r.Daemon.DryRun {
		out = append(out, fmt.Sprintf("%-16s: the system clock is left alone (-x)", "Dry run"))
	}
	for _, warning := range r.Daemon.Warnings {
		out = append(out, fmt.Sprintf("%-16s: %s", "Warning", warning))
	}
	return out
}

// ntpWords says what became of the replies, and how they are authenticated.
func ntpWords(r *Report, s *Source) []string {
	var out []string
	for _, v := range s.Counters.Verdicts {
		out = append(out, fmt.Sprintf("%-16s: %d %s", "Replies", v.Count, v.Name))
	}
	for _, line := range authWords(r, s) {
		out = append(out, fmt.Sprintf("%-16s: %s", "Authentication", line))
	}
	return out
}

// Duration is a number of seconds in words of at most two units: "3d 4h".
func Duration[T Ago | float64](seconds T) string {
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
