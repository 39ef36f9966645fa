package config

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/refdata"
)

func accessSection(typ, doc string, field func(*Config) *[]Access) Section {
	s := many(acted, typ, doc, field,
		list(acted, "interface", interfaceName(), "", "logical interfaces: their subnets; wan means everyone", func(a *Access) *[]string { return &a.Interfaces }),
		list(acted, "subnet", subnet(), "", "prefixes or addresses", func(a *Access) *[]netip.Prefix { return &a.Subnets }),
	)
	s.check = func(s *section, target any) {
		if a := target.(*Access); len(a.Interfaces)+len(a.Subnets) == 0 {
			s.warn("", "names neither an interface nor a subnet, so it has no effect")
		}
	}
	return s
}

// ntpRateLimit and keRateLimit are chrony's defaults of ratelimit and
// ntsratelimit, once they are switched on.
func ntpRateLimit() RateLimit { return RateLimit{Interval: 3, Burst: 8, Leak: 2} }
func keRateLimit() RateLimit  { return RateLimit{Interval: 6, Burst: 8, Leak: 2} }

func serveSection() Section {
	return single(acted, "serve", "the NTP server, for clients that allow sections name", func(c *Config) *Serve { return &c.Serve },
		option(acted, "enabled", boolean(), "1", "answer them", func(s *Serve) *bool { return &s.Enabled }),
		list(acted, "interface", interfaceName(), "", "on these interfaces only", func(s *Serve) *[]string { return &s.Interfaces }),
		list(acted, "port", port(), "123", "UDP ports", func(s *Serve) *[]uint16 { return &s.Ports }),
		option(acted, "interleaved", boolean(), "1", "interleaved mode", func(s *Serve) *bool { return &s.Interleaved }),
		option(acted, "ratelimit", rateLimit(ntpRateLimit()), "0", "limit the replies to one client", func(s *Serve) *RateLimit { return &s.RateLimit }),
		option(acted, "clients", boolean(), "1", "keep a table of clients", func(s *Serve) *bool { return &s.Clients }),
		option(acted, "max_clients", integer(16, 1<<20), "4096", "its length", func(s *Serve) *int { return &s.MaxClients }),
		option(acted, "advertise", boolean(), "0", "announce this server to the LAN by DHCP and DHCPv6", func(s *Serve) *bool { return &s.Advertise }),
		option(acted, "intercept", boolean(), "0", "redirect the LAN's other NTP traffic here", func(s *Serve) *bool { return &s.Intercept }),
	)
}

func localSection() Section {
	return single(acted, "local", "serve time when the sources are gone", func(c *Config) *Local { return &c.Local },
		option(acted, "enabled", boolean(), "0", "do so", func(l *Local) *bool { return &l.Enabled }),
		option(acted, "stratum", integer(1, 15), "10", "with this stratum", func(l *Local) *int { return &l.Stratum }),
		option(acted, "orphan", boolean(), "0", "let servers of this stratum agree on one", func(l *Local) *bool { return &l.Orphan }),
		option(acted, "distance", seconds(), "1", "once the root distance has grown to this", func(l *Local) *time.Duration { return &l.Distance }),
		option(acted, "activate", seconds(), "0", "after the distance was once below this", func(l *Local) *time.Duration { return &l.Activate }),
		option(acted, "waitsynced", seconds(), "0", "this long after the last update", func(l *Local) *time.Duration { return &l.WaitSynced }),
		option(acted, "waitunsynced", unless(WaitByOrphan, "auto", seconds()), "auto", "this long without synchronisation; auto: 300 s for orphans, else 0",
			func(l *Local) *time.Duration { return &l.WaitUnsynced }),
	)
}

func ntsServerSection() Section {
	s := single(acted, "nts_server", "the NTS-KE server", func(c *Config) *NTSServer { return &c.NTSServer },
		option(acted, "enabled", boolean(), "0", "run it", func(n *NTSServer) *bool { return &n.Enabled }),
		list(acted, "cert", path(), "", "certificate files (PEM, with intermediates), one per key", func(n *NTSServer) *[]string { return &n.Certs }),
		list(acted, "key", path(), "", "private key files", func(n *NTSServer) *[]string { return &n.Keys }),
		list(acted, "port", port(), "4460", "TCP ports", func(n *NTSServer) *[]uint16 { return &n.Ports }),
		list(acted, "interface", interfaceName(), "", "on these interfaces only", func(n *NTSServer) *[]string { return &n.Interfaces }),
		option(acted, "ntp_server", optional(plainHost()), "", "NTP server named to clients; by default this one", func(n *NTSServer) *string { return &n.NTPServer }),
		option(acted, "ntp_port", optional(port()), "", "its port", func(n *NTSServer) *uint16 { return &n.NTPPort }),
		option(acted, "rotate", timeSpan(time.Minute, maxTime), "1d", "life of a cookie key", func(n *NTSServer) *time.Duration { return &n.Rotate }),
		option(acted, "keep", integer(1, 100), "10", "old cookie keys that are still accepted", func(n *NTSServer) *int { return &n.Keep }),
		option(acted, "keys_file", optional(path()), "", "cookie keys shared by a fleet", func(n *NTSServer) *string { return &n.KeysFile }),
		option(acted, "max_connections", integer(1, 10000), "100", "connections at once", func(n *NTSServer) *int { return &n.MaxConnections }),
		option(acted, "timeout", timeSpan(100*time.Millisecond, time.Hour), "2", "time to finish one", func(n *NTSServer) *time.Duration { return &n.Timeout }),
		option(acted, "ratelimit", rateLimit(keRateLimit()), "0", "limit the connections of one client", func(n *NTSServer) *RateLimit { return &n.RateLimit }),
		option(acted, "selfsigned", boolean(), "0", "make and keep a CA for the LAN and a certificate", func(n *NTSServer) *bool { return &n.SelfSigned }),
	)
	s.check = func(s *section, target any) {
		n := target.(*NTSServer)
		switch {
		case len(n.Certs) != len(n.Keys):
			s.fail("cert", "must be as many as there are keys")
		case n.Enabled && len(n.Certs) == 0 && !n.SelfSigned:
			s.fail("cert", "is missing; so is selfsigned")
		}
	}
	return s
}

// keyType is the name of an algorithm for symmetric keys.
type keyType = string

func keySection() Section {
	s := many(acted, "key", "a symmetric key", func(c *Config) *[]Key { return &c.Keys },
		option(acted, "id", optional(integer[uint32](1, math.MaxUint32)), "", "its number", func(k *Key) *uint32 { return &k.ID }),
		option(acted, "type", oneOf[keyType]("MD5", "SHA1", "SHA256", "SHA384", "SHA512", "AES128", "AES256"), "AES128", "its algorithm",
			func(k *Key) *string { return &k.Type }),
		option(acted, "secret_file", optional(path()), "", "file (0600) that holds it", func(k *Key) *string { return &k.SecretFile }),
		option(acted, "secret", optional(text("text", maxText, nil)), "", "the key itself, which ends up in every backup of the configuration",
			func(k *Key) *string { return &k.Secret }),
	)
	s.check = func(s *section, target any) {
		k := target.(*Key)
		k.Line = s.Line
		switch {
		case k.ID == 0:
			s.fail("id", "is missing")
		case k.Secret == "" && k.SecretFile == "":
			s.fail("secret_file", "is missing")
		case k.Secret != "" && k.SecretFile != "":
			s.fail("secret_file", "cannot stand beside secret")
		case k.Secret != "":
			s.warn("secret", "ends up in every backup of the configuration; use secret_file")
		}
	}
	return s
}

func keyFileSection() Section {
	s := many(acted, "keyfile", "a file of symmetric keys, as other daemons have them", func(c *Config) *[]KeyFile { return &c.KeyFiles },
		option(acted, "file", optional(path()), "", "where it is (0600)", func(k *KeyFile) *string { return &k.File }),
		option(acted, "format", oneOf(KeysChrony, KeysNTP), string(KeysChrony), "whose it is: they write secrets differently",
			func(k *KeyFile) *KeyFormat { return &k.Format }),
		list(acted, "trusted", integer[uint32](1, math.MaxUint32), "", "ids of the keys to use; by default all of them",
			func(k *KeyFile) *[]uint32 { return &k.Trusted }),
	)
	s.check = func(s *section, target any) {
		k := target.(*KeyFile)
		if k.Line = s.Line; k.File == "" {
			s.fail("file", "is missing")
		}
	}
	return s
}

func refClockSection() Section {
	options := append(refClockTiming(),
		option(acted, "lock", optional(operatorName()), "", "reference id of the clock that numbers the seconds of this one", func(r *RefClock) *string { return &r.Lock }),
		option(acted, "maxlockage", optional(integer(0, 1000)), "", "pulses for which that number holds", func(r *RefClock) *int { return &r.MaxLockAge }),
		option(acted, "filter", optional(integer(0, maxSamples)), "", "samples that are combined into one", func(r *RefClock) *int { return &r.Filter }),
		option(acted, "minsamples", optional(integer(0, maxSamples)), "", "fewest samples kept", func(r *RefClock) *int { return &r.MinSamples }),
		option(acted, "maxsamples", optional(integer(0, maxSamples)), "", "most samples kept", func(r *RefClock) *int { return &r.MaxSamples }),
		option(acted, "stratum", optional(integer(0, 15)), "", "stratum of the clock", func(r *RefClock) *int { return &r.Stratum }),
		option(acted, "tai", boolean(), "0", "it keeps TAI", func(r *RefClock) *bool { return &r.TAI }),
		option(later, "local", boolean(), "0", "it is an independent clock, not true time", func(r *RefClock) *bool { return &r.Local }),
		option(acted, "prefer", boolean(), "0", "as for a server", func(r *RefClock) *bool { return &r.Prefer }),
		option(acted, "trust", boolean(), "0", "as for a server", func(r *RefClock) *bool { return &r.Trust }),
		option(acted, "require", boolean(), "0", "as for a server", func(r *RefClock) *bool { return &r.Require }),
		option(acted, "noselect", boolean(), "0", "as for a server", func(r *RefClock) *bool { return &r.NoSelect }),
	)
	s := many(acted, "refclock", "a reference clock", func(c *Config) *[]RefClock { return &c.RefClocks }, options...)
	s.check = func(s *section, target any) {
		switch r := target.(*RefClock); {
		case r.Driver == "":
			s.fail("driver", "is missing")
		case r.Parameter == "":
			s.fail("parameter", "is missing")
		default:
			if _, err := refdata.ParseSpec(r.Driver, r.Parameter); err != nil {
				s.fail("parameter", strings.TrimPrefix(err.Error(), refdata.ErrSpec.Error()+": "))
			}
		}
	}
	return s
}

// driver is the name of a kind of reference clock.
type driver = string

func refClockTiming() []Option {
	poll := integer[ntptime.Exponent](-6, 24)
	short := timeSpan(0, 10*time.Second)
	return []Option{
		option(acted, "driver", optional(oneOf[driver]("SHM", "SOCK", "PPS", "PHC")), "", "its kind", func(r *RefClock) *string { return &r.Driver }),
		option(acted, "parameter", optional(path()), "", "segment, socket or device, with the driver's options", func(r *RefClock) *string { return &r.Parameter }),
		option(acted, "refid", optional(text("1 to 4 characters", 4, notBlank)), "", "reference id", func(r *RefClock) *string { return &r.RefID }),
		option(acted, "poll", poll, "4", "interval of its samples, as a power of two of seconds", func(r *RefClock) *ntptime.Exponent { return &r.Poll }),
		option(acted, "dpoll", poll, "0", "interval of reading the driver, likewise", func(r *RefClock) *ntptime.Exponent { return &r.DPoll }),
		option(acted, "offset", clockOffset(), "0", "correction added to its time", func(r *RefClock) *clock.Offset { return &r.Offset }),
		option(acted, "delay", short, "0.000000001", "spread of its delay", func(r *RefClock) *time.Duration { return &r.Delay }),
		option(acted, "precision", optional(short), "", "its precision; by default the system clock's", func(r *RefClock) *time.Duration { return &r.Precision }),
		option(acted, "maxdispersion", optional(short), "", "dispersion above which a sample is ignored", func(r *RefClock) *time.Duration { return &r.MaxDispersion }),
		option(acted, "width", optional(short), "", "width of the pulse, to find the right edge", func(r *RefClock) *time.Duration { return &r.Width }),
		option(acted, "rate", integer(1, 1000), "1", "pulses per second", func(r *RefClock) *int { return &r.Rate }),
		option(acted, "pps", boolean(), "0", "its samples say when a second begins, not which", func(r *RefClock) *bool { return &r.PPS }),
	}
}

func clockOffset() kind[clock.Offset] {
	k := timeSpan(-maxTime, maxTime)
	return kind[clock.Offset]{
		want:  k.want,
		parse: func(s string) (clock.Offset, bool) { d, ok := k.parse(s); return clock.Offset(d), ok },
		print: func(o clock.Offset) string { return formatSeconds(o.Duration()) },
	}
}
