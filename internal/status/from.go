package status

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/selection"
	"ntsd/internal/snapshot"
	"ntsd/internal/standing"
	"ntsd/internal/upstream"
	"ntsd/internal/wording"
)

// Implementation constants.
const (
	// maxText bounds a text that came from elsewhere (certificates, servers):
	// longer ones help nobody and could flood a terminal.
	maxText = 256
)

// Info is what the daemon knows about itself beyond the engine's snapshot.
type Info struct {
	Version  string
	PID      int
	Started  clock.Wall
	Uptime   time.Duration
	DryRun   bool
	Warnings []string // about the configuration
	Config   Config
	Log      []LogLine // newest last; the daemon bounds it
	// FlashDay and FlashTotal count the files written to flash within a day and
	// since the start.
	FlashDay   int
	FlashTotal uint64
}

// FromSnapshot builds the report. It is the one place where the engine's signs
// become chronyc's (see the package comment). Texts that others chose lose
// their control characters, so that printing them cannot drive a terminal.
func FromSnapshot(s snapshot.Snapshot, info Info) Report {
	r := Report{
		Time: Time(s.Now.Wall),
		Daemon: Daemon{
			Version: info.Version, PID: info.PID, Started: Time(info.Started),
			UptimeS: seconds(info.Uptime), DryRun: info.DryRun,
			Warnings: cleanAll(info.Warnings), Log: cleanLog(info.Log), Config: info.Config,
		},
		Tracking: trackingFrom(s), Smoothing: smoothingFrom(s.Smoothing), NTS: NTSClient(s.NTS),
		Sources: make([]Source, 0, len(s.Sources)),
	}
	// A selection is made with each new sample, so the newest one tells when
	// the last selection was; selectdata counts from there, as chronyc does.
	selected := clock.Mono(0)
	for i := range s.Sources {
		selected = max(selected, s.Sources[i].LastRx)
	}
	for i := range s.Sources {
		src := sourceFrom(&s.Sources[i], s.Now.Mono, selected)
		if n := src.NTP; n != nil {
			n.Transmitted = Time(s.Sources[i].Last.Header.Transmit.Wall(s.Now.Wall))
			if at := s.Sources[i].LastRx; at != 0 {
				n.Arrived = Time(s.Now.Wall.Add(at.Sub(s.Now.Mono)))
			}
		}
		r.Sources = append(r.Sources, src)
	}
	r.Activity, r.Bootstrap = activityFrom(s), bootstrapFrom(&s)
	r.Tracking.FlashDay, r.Tracking.FlashWrites = info.FlashDay, info.FlashTotal
	return r
}

func trackingFrom(s snapshot.Snapshot) Tracking {
	t := s.Tracking
	out := Tracking{
		Synchronised:     t.Synchronised,
		Local:            t.Local,
		SinceAgo:         ago(s.Now.Mono, t.Since),
		Authenticated:    t.Authenticated,
		ReferenceID:      t.ReferenceID.Hex(),
		ReferenceName:    clean(t.ReferenceName),
		ReferenceAddress: address(t.ReferenceAddr),
		Stratum:          int(t.Stratum),
		ReferenceTime:    Time(t.ReferenceTime),
		CorrectionS:      seconds(t.Correction),
		LastOffsetS:      seconds(-t.LastOffset),
		RMSOffsetS:       seconds(t.RMSOffset),
		FreqPPM:          negated(t.Frequency),
		RootDelayS:       seconds(t.RootDelay),
		RootDispersionS:  seconds(t.RootDisp),
		OwnDispersionS:   seconds(t.RootDisp - t.Beyond),
		UpdateIntervalS:  seconds(t.Interval),
		Leap:             leap(t.Leap),
		Updates:          t.Updates,
		Steps:            t.Steps,
	}
	// As chronyc: without a reference there is no stratum to show, and the
	// residual frequency and the skew describe a reference.
	switch {
	case t.Local:
		return out
	case !t.Synchronised:
		out.Leap = LeapUnsynchronised
		if out.Stratum >= 16 {
			out.Stratum = 0
		}
		return out
	}
	out.ResidualFreqPPM, out.SkewPPM = negated(t.Residual), millionths(t.Skew.PPM())
	return out
}

func activityFrom(s snapshot.Snapshot) Activity {
	a := Activity{Unresolved: s.Unresolved}
	for i := range s.Sources {
		src := &s.Sources[i]
		switch {
		case src.ID == 0 || !src.Addr.IsValid(): // no association: among the unresolved
		case src.Burst && src.Online:
			a.BurstOnline++
		case src.Burst:
			a.BurstOffline++
		case src.Online:
			a.Online++
		default:
			a.Offline++
		}
	}
	return a
}

func sourceFrom(s *snapshot.Source, now, selected clock.Mono) Source {
	src := Source{
		Ident: Ident{
			ID: uint32(s.ID), Name: clean(s.Name), Address: address(s.Addr), Port: int(s.Port),
			Kind: kindName(s.Kind), Operator: clean(s.Operator),
		},
		Sample: sampleFrom(s, now),
		Stats: Stats{
			Samples: s.Stats.Samples, Runs: s.Stats.Runs, SpanS: seconds(s.Stats.Span),
			ResidualFreqPPM: negated(s.Residual), SkewPPM: millionths(s.Stats.Skew.PPM()),
			EstimatedOffsetS: seconds(-s.Offset), StdDevS: seconds(s.Stats.StdDev),
		},
		Selection: Selection{
			Letter: letter(s.Letter), State: fmt.Sprint(s.State), Why: reasonText(s.Why),
			Configured: options(s.Options), Effective: options(s.Effective),
			Score: millionths(s.Score), Leap: leap(s.Leap),
			// Negating an interval swaps its ends.
			LoS: seconds(-s.Hi), HiS: seconds(-s.Lo),
		},
		Auth: authFrom(&s.Auth, now),
		Counters: Counters{
			Sent: s.Counters.Sent, Received: s.Counters.Received,
			Valid: s.Counters.Valid, Good: s.Counters.Good,
			KernelSent: s.Counters.KernelSent, KernelRecv: s.Counters.KernelReceived,
			CardSent: s.Counters.CardSent, CardRecv: s.Counters.CardReceived,
		},
	}
	for _, v := range s.Counters.Verdicts {
		src.Counters.Verdicts = append(src.Counters.Verdicts, Verdict(v))
	}
	src.Selection.Last = Never
	if s.LastRx != 0 {
		src.Selection.Last = ago(selected, s.LastRx)
	} else {
		src.Selection.Leap = LeapUnsynchronised // it said nothing yet
	}
	if s.Last.Valid {
		src.NTP = ntpFrom(&s.Last)
	}
	return src
}

func sampleFrom(s *snapshot.Source, now clock.Mono) Sample {
	out := Sample{
		Mark: letter(s.Mark), Online: s.Online, Stratum: int(s.Stratum),
		PollLog2: int(s.Poll), Reach: int(s.Reach), LastRx: Never,
	}
	if s.LastRx == 0 { // as chronyc: a source without a sample shows zeros
		out.Stratum = 0
		return out
	}
	out.LastRx = ago(now, s.LastRx)
	out.AdjustedOffsetS = seconds(-s.Adjusted)
	out.MeasuredOffsetS = seconds(-s.Measured)
	out.ErrorBoundS = seconds(s.ErrorBound)
	return out
}

func authFrom(a *standing.Auth, now clock.Mono) Auth {
	switch {
	case a.Symmetric:
		return Auth{
			Mode: ModeSymmetric, KeyID: int64(a.KeyID), AEAD: a.KeyType.Number(), AEADName: a.KeyType.String(), KeyBits: a.KeyBits,
			NAKs: a.NAKs, LastKE: Never, NextKE: Never,
		}
	case !a.NTS:
		return Auth{Mode: "none", LastKE: Never, NextKE: Never}
	}
	out := Auth{
		Mode: "nts", KeyID: int64(a.KeyID), AEAD: int(a.AEAD), KeyBits: a.KeyBits,
		LastKE: Never, Attempts: a.Attempts, NAKs: a.NAKs,
		Cookies: a.Cookies, CookieBytes: a.CookieLen, OnTrial: a.OnTrial, KEs: a.KERuns,
		KEAddress: address(a.KEAddr), KEPort: int(a.KEPort),
		NextKE: Never, LastError: reasonText(a.LastError), MaxPlaceholders: a.MaxPlaceholders,
	}
	if f := a.Path; f.Found() {
		out.Path = &f
	}
	if a.AEAD != 0 {
		out.AEADName = fmt.Sprint(a.AEAD)
	}
	if a.KEKnown {
		out.LastKE = ago(now, a.LastKE)
	}
	if a.NextKE != clock.Never && now.Before(a.NextKE) {
		out.NextKE = ago(a.NextKE, now)
	}
	if ke := &a.KE; ke.TLSVersion != "" {
		out.TLS = &TLS{
			Version: clean(ke.TLSVersion), CipherSuite: clean(ke.CipherSuite), Group: clean(ke.Group),
			PostQuantum: ke.PostQuantum, DurationS: seconds(ke.Duration),
		}
		out.Certificate = &Certificate{
			Subject: clean(ke.Subject), Issuer: clean(ke.Issuer),
			NotBefore: Time(ke.NotBefore), NotAfter: Time(ke.NotAfter),
		}
	}
	return out
}

func ntpFrom(e *standing.Exchange) *NTPData {
	h := &e.Header
	return &NTPData{
		LocalAddress: address(e.Local), Leap: Leap(h.Leap & 3),
		Version: int(h.Version), Mode: int(h.Mode), Stratum: int(h.Stratum),
		PollLog2: int(h.Poll), PrecisionLog2: int(h.Precision),
		RootDelayS: seconds(h.RootDelay.Duration()), RootDispersionS: seconds(h.RootDispersion.Duration()),
		ReferenceID: h.ReferenceID.Hex(), ReferenceTime: Time(e.ReferenceTime),
		OffsetS: seconds(e.Offset), DelayS: seconds(e.Delay),
		DispersionS: seconds(e.Dispersion), ResponseS: seconds(e.Response),
		Asymmetry:   millionths(e.Asymmetry),
		Tests:       fmt.Sprintf("%03b %03b %04b", e.Tests[0]&7, e.Tests[1]&7, e.Tests[2]&15),
		Interleaved: e.Interleaved, Authenticated: e.Authenticated,
		Sent: StampName(e.Sent), Received: StampName(e.Received),
	}
}

// negated turns a correction into the error that it corrects, in ppm. Not
// plain minus: zero must not become minus zero, which prints its sign.
func negated(r clock.Rate) float64 { return millionths(0 - r.PPM()) }

// seconds is the number nearest to a count of nanoseconds, so that its shortest
// decimal form has nine decimals at most: a product with 1e-9 would not.
func seconds[T ~int64](ns T) float64 { return float64(ns) / 1e9 }

// millionths rounds to six decimals, which is more than is known of any
// frequency, and replaces what JSON cannot express.
func millionths(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	if scaled := x * 1e6; math.Abs(scaled) < 1<<52 {
		x = math.Round(scaled) / 1e6
	}
	if x == 0 {
		return 0 // minus zero would print its sign
	}
	return x
}

func ago(now, then clock.Mono) Ago {
	return Ago(max(0, now.Sub(then)/time.Second))
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

func letter(b byte) string {
	if b < 0x21 || b > 0x7e {
		return "?"
	}
	return string(rune(b))
}

func leap(l event.Leap) Leap { return Leap(l & 3) }

func options(o selection.Options) SelectOptions { return SelectOptions(o) }

func kindName(k upstream.Kind) string {
	return [...]string{upstream.Server: "server", upstream.Pool: "pool", upstream.Peer: "peer", upstream.RefClock: KindRefClock}[k]
}

// StampName is who took a timestamp, in ntpdata's words.
func StampName(k event.StampKind) string {
	switch k {
	case event.StampDaemon:
		return "Daemon"
	case event.StampKernel:
		return "Kernel"
	case event.StampHardware:
		return "Hardware"
	}
	return "Invalid"
}

// clean makes a text that somebody else chose safe to print and short: at most
// maxText bytes.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return Printable(s)
}

// reasonText is clean for an error that became a reason.
func reasonText(s string) string { return clean(wording.Plain(s)) }

func cleanAll(texts []string) []string {
	var out []string
	for _, s := range texts {
		out = append(out, clean(s))
	}
	return out
}

func cleanLog(lines []LogLine) []LogLine {
	var out []LogLine
	for _, l := range lines {
		out = append(out, LogLine{Time: l.Time, Level: clean(l.Level), Text: clean(l.Text)})
	}
	return out
}

// Printable replaces in s what could drive a terminal or hide text: control
// characters, line ends, changes of direction, bytes that are not UTF-8.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
