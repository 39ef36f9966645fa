package config

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"ntsd/internal/config/value"
	"ntsd/internal/event"
	"ntsd/internal/hostname"
	"ntsd/internal/ntptime"
)

// Implementation limits.
const (
	// maxSources bounds the sources of each type: far more than help anybody.
	maxSources = 64
	// maxSamples is the largest number of samples that a source keeps, as in
	// chrony.
	maxSamples = 64
)

// draft is a source while it is read: what does not outlive the reading stands
// beside it.
type draft struct {
	Source
	Disabled bool
}

// sourceSection describes the sections that are sources: server, pool, peer,
// and the pattern for servers from DHCP.
func sourceSection(k Kind) *Section {
	bind := func(target any) []*Option { return sourceOptions(k, target.(*draft)) }
	s := &Section{
		Type: string(k), Many: true, Options: bind(new(draft)), bind: bind,
		open: func(*Config) any {
			d := &draft{Source: Source{Kind: k}}
			setDefaults(bind(d))
			return d
		},
		commit: func(c *Config, target any) { target.(*draft).commit(c) },
		each:   func(c *Config) []any { return drafts(c, k) },
		check:  func(s *section, target any) { checkSource(s, target.(*draft)) },
	}
	switch k {
	case Server:
		s.Doc = "a time server: one address of its name is used at a time"
	case Pool:
		s.Doc = "a name that stands for many servers: several addresses are used at once"
	case Peer:
		s.Doc = "a symmetric association with a host that may also take our time"
	case DHCP:
		s.Doc, s.Many = "how to use the servers that DHCP names; without this section, or disabled, not at all", false
	}
	return s
}

func (d *draft) commit(c *Config) {
	switch {
	case d.Kind == DHCP && d.Disabled:
		c.DHCP = nil
	case d.Disabled:
	case d.Kind == DHCP:
		c.DHCP = &d.Source
	case d.Kind == Peer:
		c.Peers = append(c.Peers, d.Source)
	default:
		c.Sources = append(c.Sources, d.Source)
	}
}

func drafts(c *Config, k Kind) []any {
	sources := c.Sources
	switch {
	case k == Peer:
		sources = c.Peers
	case k == DHCP && c.DHCP != nil:
		sources = []Source{*c.DHCP}
	}
	var targets []any
	for _, s := range sources {
		if s.Kind == k {
			targets = append(targets, &draft{Source: s})
		}
	}
	return targets
}

func sourceOptions(k Kind, d *draft) []*Option {
	var options []*Option
	if k != DHCP {
		options = append(options, option("hostname", value.Host(), "", "name or address, perhaps with the port of NTS-KE (of NTP without nts)", &d.Name))
	}
	options = append(options, option("disabled", value.Boolean(), "0", "leave this section out", &d.Disabled))
	options = append(options, ntsOptions(k, d)...)
	options = append(options, pollOptions(d)...)
	options = append(options, sampleOptions(d)...)
	if k == Pool {
		options = append(options, option("maxsources", value.Integer(1, 16), "4", "addresses used at once", &d.MaxSources))
	}
	return append(options, trustOptions(d)...)
}

func ntsOptions(k Kind, d *draft) []*Option {
	options := []*Option{
		option("nts", value.Boolean(), "0", "authenticate with NTS; never falls back to plain NTP", &d.NTS),
		option("ntsport", value.Port(), "4460", "TCP port of NTS-KE", &d.NTSPort),
		option("port", value.Port(), "123", "UDP port of NTP, where NTS-KE names no other", &d.Port),
		list("trustedcerts", value.Path(), "", "further CA certificates for this source: files or folders", &d.TrustedCerts),
		list("aead", value.AEAD(), "30 15 17 16", "algorithms offered, in order of preference", &d.AEADs),
		option("noval", value.Boolean(), "0", "do not check the server's name; such a source never counts as authenticated", &d.NoVal),
	}
	if k != DHCP {
		options = append(options, option("operator", value.Optional(value.Name()), "",
			"who runs it, for counting independent sources; by default the registrable domain", &d.Operator))
	}
	return append(options,
		option("key", value.Optional(value.Integer[uint32](1, math.MaxUint32)), "", "id of a symmetric key", &d.Key))
}

func pollOptions(d *draft) []*Option {
	poll := value.Integer[ntptime.Exponent](-7, 24)
	return []*Option{
		option("minpoll", poll, "6", "shortest polling interval, as a power of two of seconds", &d.MinPoll),
		option("maxpoll", poll, "10", "longest polling interval, likewise", &d.MaxPoll),
		option("iburst", value.Boolean(), "0", "start with a few requests two seconds apart", &d.IBurst),
		option("xleave", value.Boolean(), "0", "interleaved mode where the server has it: its transmit timestamps come from its kernel", &d.XLeave),
		option("family", value.Family(), "any", "addresses to use", &d.Family),
		option("interface", value.Optional(value.InterfaceName()), "", "send through this interface only", &d.Interface),
		option("offline", value.Boolean(), "0", "do not poll until told to", &d.Offline),
	}
}

func sampleOptions(d *draft) []*Option {
	return []*Option{
		option("maxdelay", value.Seconds(), "3", "longest round trip of a sample that counts", &d.MaxDelay),
		option("mindelay", value.Optional(value.Seconds()), "", "round trip of the path, where it is known to be constant", &d.MinDelay),
		option("offset", value.Optional(value.Offset()), "", "added to what is measured, for a path whose ways differ", &d.Correction),
		option("maxdelayratio", value.Optional(value.Ratio(1e6)), "", "longest round trip against the shortest seen", &d.MaxDelayRatio),
		option("maxdelaydevratio", value.Optional(value.Ratio(1e6)), "", "largest excess of the round trip against the spread of the offsets", &d.MaxDelayDevRatio),
		option("minsamples", value.Optional(value.Integer(0, maxSamples)), "", "fewest samples that an estimate begins anew with", &d.MinSamples),
		option("maxsamples", value.Optional(value.Integer(0, maxSamples)), "", "most samples kept; 1: do not wait for a second one", &d.MaxSamples),
		option("filter", value.Optional(value.Integer(0, maxSamples)), "", "polls whose samples make one: that in the middle", &d.Filter),
	}
}

// defaultMaxUnreach is chrony's: no limit, but for the error that grows.
const defaultMaxUnreach = "100000"

func trustOptions(d *draft) []*Option {
	return []*Option{
		option("maxunreach", value.Integer(0, math.MaxInt32), defaultMaxUnreach, "polls for which it is used while it is unreachable and no other answers", &d.MaxUnreach),
		option("prefer", value.Boolean(), "0", "select it before others that are as good", &d.Prefer),
		option("trust", value.Boolean(), "0", "take it for right where sources contradict each other", &d.Trust),
		option("require", value.Boolean(), "0", "no synchronisation without it, or another required one", &d.Require),
		option("noselect", value.Boolean(), "0", "measure it only", &d.NoSelect),
	}
}

// checkSource looks at the options of a source together and completes what
// follows from them.
func checkSource(s *section, d *draft) {
	d.Line = s.Line
	if d.Disabled {
		return
	}
	if d.Kind != DHCP && !checkHost(s, d) {
		return
	}
	checkPolls(s, d)
	if d.MaxSamples > 0 && d.MinSamples > d.MaxSamples {
		s.fail("minsamples", "must not be above maxsamples "+s.value("maxsamples"))
	}
	for i, a := range d.AEADs {
		if slices.Contains(d.AEADs[:i], a) {
			s.fail("aead", "must not name an algorithm twice")
			break
		}
	}
	switch {
	case d.Kind == Peer && d.NTS:
		s.fail("nts", "is not possible with a peer")
	case d.NTS && d.Key != 0:
		s.warn("key", "has no effect beside nts")
	case d.Kind == Peer && d.Key == 0:
		s.warn("", "has no key: whoever can send packets in the peer's name can set its time")
	}
	if d.NoVal && d.NTS {
		s.warn("noval", "whoever answers is believed, so this source never counts as authenticated")
	}
	for _, name := range []string{"iburst", "xleave"} {
		if d.Kind == Peer && s.Option(name) != nil {
			s.warn(name, "has no effect with a peer")
		}
	}
	for _, name := range []string{"ntsport", "trustedcerts", "aead", "noval"} {
		if s.Option(name) != nil && !d.NTS {
			s.warn(name, "has no effect without nts")
		}
	}
}

// checkHost takes the host name apart and reports whether there is one.
func checkHost(s *section, d *draft) bool {
	if d.Name == "" {
		s.fail("hostname", "is missing")
		return false
	}
	host, port, _ := hostname.Split(d.Name)
	d.Name = host
	if port != 0 {
		name, field := "ntsport", &d.NTSPort
		if !d.NTS {
			name, field = "port", &d.Port
		}
		if s.Option(name) != nil && *field != port {
			s.fail("hostname", "names another port than option '"+name+"'")
		}
		*field = port
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Unmap().Is4() && d.Family == event.FamilyIPv6 || !a.Unmap().Is4() && d.Family == event.FamilyIPv4 {
			s.fail("family", "does not fit the address "+host)
		}
	}
	if d.Operator == "" {
		d.Operator = hostname.Operator(host)
	}
	d.Operator = strings.ToLower(d.Operator)
	return true
}

// checkPolls: where only one limit is given and lies beyond the other's
// default, the interval is fixed there.
func checkPolls(s *section, d *draft) {
	if d.MinPoll <= d.MaxPoll {
		return
	}
	switch {
	case s.Option("minpoll") == nil:
		d.MinPoll = d.MaxPoll
	case s.Option("maxpoll") == nil:
		d.MaxPoll = d.MinPoll
	default:
		s.fail("minpoll", "must not be above maxpoll "+s.value("maxpoll"))
	}
}
