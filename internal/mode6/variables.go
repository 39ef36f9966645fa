package mode6

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/clock"
	"ntsd/internal/ntpq"
	"ntsd/internal/ntptime"
	"ntsd/internal/status"
)

// variable is a variable with its value as text.
type variable struct {
	name, value string
	unasked     bool // told where no variables are named
}

// list is a list of variables as text: RFC 9327 section 3, with lines that fit a
// terminal.
type list struct {
	text strings.Builder
	line int // columns of the present line
}

// lineLen is how long the lines of NTPsec's daemon are.
const lineLen = 72

func (l *list) add(v variable) {
	item := v.name
	if v.value != "" {
		item += "=" + v.value
	}
	switch {
	case l.text.Len() == 0:
	case l.line+len(item) > lineLen:
		l.text.WriteString(",\r\n")
		l.line = 0
	default:
		l.text.WriteString(", ")
		l.line += 2
	}
	l.text.WriteString(item)
	l.line += len(item)
}

func (l *list) bytes() []byte {
	if l.text.Len() == 0 {
		return nil
	}
	return []byte(l.text.String() + "\r\n")
}

// Values as text, in ntpq's units.

func number[T ~int | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64](n T) string {
	return fmt.Sprint(n)
}

// ms is a time in milliseconds, to the nanosecond.
func ms(seconds float64) string { return strconv.FormatFloat(seconds*1e3, 'f', 6, 64) }

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', 6, 64) }

func hexadecimal(n int) string { return "0x" + strconv.FormatInt(int64(n), 16) }

// stamp is a time as NTP counts it; zero where it is not known.
func stamp(t status.Time) string {
	if t == 0 {
		return "0x00000000.00000000"
	}
	ts := uint64(ntptime.FromWall(clock.Wall(t)))
	return fmt.Sprintf("0x%08x.%08x", ts>>32, ts&0xffffffff)
}

// quoted sets a text between quotes, which it must not end itself.
func quoted(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' {
			return '_'
		}
		return r
	}, s) + `"`
}

// systemVariables are those of association 0.
func (v *View) systemVariables() []variable {
	t := &v.Report.Tracking
	about := v.clockVariables(t)
	about = append(about,
		variable{"processor", quoted(v.Host.Processor), true},
		variable{"system", quoted(v.Host.System), true},
		variable{"release", quoted(v.Host.Release), true},
		variable{"version", quoted("ntsd " + v.Report.Daemon.Version), true},
	)
	about = append(about, v.counters()...)
	about = append(about, v.Kernel.variables()...)
	nts := ntpq.NTSOf(v.Report.NTS, &v.Server)
	for _, c := range nts.Counters() {
		about = append(about, variable{name: c.Variable, value: number(c.N)})
	}
	about = append(about, v.laterNTS(&nts)...)
	return withList(about, "sys_var_list")
}

// laterNTS are variables that ntpq has asked for since NTPsec 1.2.3. How long key
// establishments took is not known.
func (v *View) laterNTS(n *ntpq.NTS) []variable {
	decoded := n.CookieDecode + n.CookieDecodeOld + n.CookieDecodeOld2 + n.CookieDecodeOlder
	return []variable{
		{name: "nts_cookie_not_server", value: number(v.Server.Verdicts["drop_nts"])},
		{name: "nts_cookie_decode_total", value: number(decoded + n.CookieDecodeTooOld)},
		{name: "nts_cookie_decode_current", value: number(n.CookieDecode)},
		{name: "nts_ke_serves_nossl", value: number(v.Server.KE.Handshake)},
	}
}

// withList adds the variable that lists all of them.
func withList(all []variable, name string) []variable {
	every := make([]string, 0, len(all))
	for _, x := range all {
		every = append(every, x.name)
	}
	slices.Sort(every)
	return append(all, variable{name: name, value: quoted(strings.Join(every, ","))})
}

// clockVariables describe the clock.
func (v *View) clockVariables(t *status.Tracking) []variable {
	stratum, refID, peer, poll, jitter := t.Stratum, ntpq.RefIDText(t.ReferenceID, t.Stratum), uint16(0), 0, 0.0
	var reference *status.Source
	if !t.Synchronised && !t.Local {
		stratum, refID = 16, "INIT"
	} else if i := slices.IndexFunc(v.Report.Sources, func(s status.Source) bool { return s.Mark == "*" }); i >= 0 && !t.Local {
		reference, peer = &v.Report.Sources[i], v.associations()[i]
		poll, jitter = reference.PollLog2, reference.Stats.StdDevS
	}
	return []variable{
		{"leap", number(uint8(t.Leap)), true},
		{"stratum", number(stratum), true},
		{"precision", number(v.Host.PrecisionLog2), true},
		{"rootdelay", ms(t.RootDelayS), true},
		{"rootdisp", ms(t.RootDispersionS), true},
		{"rootdist", ms(t.RootDelayS/2 + t.RootDispersionS), true},
		{"refid", refID, true},
		{"reftime", stamp(t.ReferenceTime), true},
		{"tc", number(poll), true},
		{"peer", number(peer), true},
		{"offset", ms(0 - t.LastOffsetS), true},
		{"frequency", decimal(0 - t.FreqPPM), true},
		{"sys_jitter", ms(jitter), true},
		{"clk_jitter", ms(t.RMSOffsetS), true},
		{"clock", stamp(v.Report.Time), true},
		{"clk_wander", decimal(t.SkewPPM), true},
		{"mintc", "0", true},
		{"peeradr", endpoint(reference), false},
		{"peermode", number(hostMode(reference)), false},
		{"authdelay", ms(0), false},
	}
}

func endpoint(s *status.Source) string {
	if s == nil {
		return "0.0.0.0:0"
	}
	a, err := netip.ParseAddr(s.Address)
	if err != nil {
		return "0.0.0.0:0"
	}
	return netip.AddrPortFrom(a, uint16(s.Port)).String()
}

// counters are those of the server and of the requests themselves.
func (v *View) counters() []variable {
	s, n := &v.Server, v.Server.Verdicts
	received, processed := s.Received, uint64(0)
	for i := range v.Report.Sources {
		received += v.Report.Sources[i].Counters.Received
		processed += v.Report.Sources[i].Counters.Valid
	}
	uptime := number(int64(v.Report.Daemon.UptimeS))
	all := []variable{
		{name: "ss_uptime", value: uptime},
		{name: "ss_numctlreq", value: number(n["control"])},
	}
	// Each counts since the start, and since a reset, which there is none of.
	pair := func(name, value string) {
		all = append(all, variable{name: name, value: value}, variable{name: name + "_r", value: value})
	}
	pair("ss_reset", uptime)
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"ss_received", received},
		{"ss_thisver", received - min(received, n["drop_version"])}, // older versions are not told apart
		{"ss_oldver", 0},
		{"ss_ver1", 0},
		{"ss_ver1client", 0},
		{"ss_ver1zero", 0},
		{"ss_ver1symm", 0},
		{"ss_badformat", n["drop_short"] + n["drop_version"] + n["drop_format"]},
		{"ss_badauth", n["nak"] + n["drop_mac"] + n["drop_nts"]},
		{"ss_declined", n["drop_mode"] + n["drop_source"] + n["drop_random"]},
		{"ss_restricted", n["drop_access"] + n["drop_interface"]},
		{"ss_limited", n["drop_rate"] + n["kiss_rate"]},
		{"ss_kodsent", n["kiss_rate"] + n["nak"]},
		{"ss_processed", processed},
	} {
		pair(c.name, number(c.n))
	}
	return all
}

// Modes of associations (RFC 5905 figure 10).
const (
	modeUnspecified = 0
	modeActive      = 1
	modeClient      = 3
)

func hostMode(s *status.Source) int {
	switch {
	case s == nil:
		return modeUnspecified
	case s.Kind == "peer":
		return modeActive
	}
	return modeClient
}

// peerVariables are those of one source.
func peerVariables(s *status.Source, now status.Time) []variable {
	p := ntpq.PeerOf(s)
	address, name := s.Address, s.Name
	switch {
	case s.Kind == status.KindRefClock: // ntpq knows one by these
		address, name = "127.127.0.0", s.Name+"(0)"
	case address == "":
		address = "0.0.0.0"
	}
	all := []variable{
		{"srcadr", address, true},
		{"srcport", number(s.Port), true},
	}
	if name != address {
		all = append(all, variable{"srchost", quoted(name), true})
	}
	n := s.NTP
	if n == nil {
		n = &status.NTPData{Leap: status.LeapUnsynchronised, PollLog2: s.PollLog2}
	}
	key := int64(0) // NTPsec's daemon has numbers for symmetric keys alone
	if s.Auth.Mode == status.ModeSymmetric {
		key = s.Auth.KeyID
	}
	local := n.LocalAddress
	if local == "" {
		local = "0.0.0.0"
	}
	all = append(all,
		variable{"dstadr", local, true},
		variable{"leap", number(uint8(n.Leap)), true},
		variable{"hmode", number(hostMode(s)), true},
		variable{"stratum", number(p.Stratum), true},
		variable{"ppoll", number(pollExponent(max(n.PollLog2, s.PollLog2))), true},
		variable{"hpoll", number(pollExponent(s.PollLog2)), true},
		variable{"precision", number(n.PrecisionLog2), true},
		variable{"rootdelay", ms(n.RootDelayS), true},
		variable{"rootdisp", ms(n.RootDispersionS), true},
		variable{"refid", p.RefID, true},
		variable{"reftime", stamp(n.ReferenceTime), true},
		variable{"rec", stamp(n.Arrived), true},
		variable{"xmt", stamp(n.Transmitted), true},
		variable{"reach", hexadecimal(s.Reach), true},
		variable{"unreach", number(unreach(s)), true},
		variable{"delay", ms(p.DelayS), true},
		variable{"offset", ms(p.OffsetS), true},
		variable{"jitter", ms(p.JitterS), true},
		variable{"dispersion", ms(s.ErrorBoundS), true},
		variable{"keyid", number(key), true},
		variable{"pmode", number(n.Mode), true},
		variable{"flash", hexadecimal(flash(s)), true},
		variable{"ntscookies", number(ntpq.Cookies(s)), true},
	)
	return withList(append(all, peerCounters(s, now)...), "peer_var_list")
}

// pollExponent is one that ntpq can show: it takes 2 to that power by shifting,
// and gives up at a negative one. The server's own is worth nothing below ours: it
// echoes what our requests, which tell nothing, have in that field.
func pollExponent(e int) int { return max(e, 0) }

// peerCounters are what ntpq -c pstats asks for.
func peerCounters(s *status.Source, now status.Time) []variable {
	since := int64(0)
	if s.LastRx != status.Never {
		since = int64(s.LastRx)
	}
	count := func(names ...string) string {
		sum := uint64(0)
		for _, v := range s.Counters.Verdicts {
			if slices.Contains(names, v.Name) {
				sum += v.Count
			}
		}
		return number(sum)
	}
	next := max(0, ntpq.PeerOf(s).Poll-since)
	return []variable{
		{name: "timerec", value: number(since)},
		{name: "timer", value: number(next)},
		{name: "sent", value: number(s.Counters.Sent)},
		{name: "received", value: number(s.Counters.Received)},
		{name: "badauth", value: count("reply without NTS", "NTS authentication failed", "NTS identifier does not match", "NTS NAK",
			"reply without MAC", "MAC does not verify")},
		{name: "bogusorg", value: count("origin timestamp does not match")},
		{name: "oldpkt", value: count("second reply")},
		{name: "seldisp", value: count("root distance too large")},
		{name: "selbroken", value: count("reference time after transmit time")},
		{name: "clock", value: stamp(now)},
	}
}

// unreach is how many polls in a row brought nothing, as far as the register
// remembers.
func unreach(s *status.Source) int { return min(bits.TrailingZeros8(uint8(s.Reach)), 8) }

// flash says which tests failed with the last reply.
func flash(s *status.Source) int {
	if s.NTP == nil {
		return ntpq.FlashSilent
	}
	bits := ntpq.Flash(s.NTP.Tests)
	if s.Reach == 0 {
		bits |= ntpq.FlashUnreachable
	}
	return bits
}
