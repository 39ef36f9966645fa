package config

import (
	"math"
	"strings"
	"time"

	"ntsd/internal/config/value"
	"ntsd/internal/ntptime"
	"ntsd/internal/refdata"
)

func accessSection(typ, doc string, field func(*Config) *[]Access) *Section {
	s := many(typ, doc, field, func(a *Access) []*Option {
		return []*Option{
			list("interface", value.InterfaceName(), "", "logical interfaces: their subnets; wan means everyone", &a.Interfaces),
			list("subnet", value.Subnet(), "", "prefixes or addresses", &a.Subnets),
		}
	})
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

func serveSection() *Section {
	return single("serve", "the NTP server, for clients that allow sections name", func(c *Config) []*Option {
		s := &c.Serve
		return []*Option{
			option("enabled", value.Boolean(), "1", "answer them", &s.Enabled),
			list("interface", value.InterfaceName(), "", "on these interfaces only", &s.Interfaces),
			list("port", value.Port(), "123", "UDP ports", &s.Ports),
			option("interleaved", value.Boolean(), "1", "interleaved mode", &s.Interleaved),
			option("ratelimit", rateLimit(ntpRateLimit()), "0", "limit the replies to one client", &s.RateLimit),
			option("clients", value.Boolean(), "1", "keep a table of clients", &s.Clients),
			option("max_clients", value.Integer(16, 1<<20), "4096", "its length", &s.MaxClients),
			option("advertise", value.Boolean(), "0", "announce this server to the LAN by DHCP and DHCPv6", &s.Advertise),
			option("intercept", value.Boolean(), "0", "redirect the LAN's other NTP traffic here", &s.Intercept),
		}
	})
}

func localSection() *Section {
	return single("local", "serve time when the sources are gone", func(c *Config) []*Option {
		l := &c.Local
		return []*Option{
			option("enabled", value.Boolean(), "0", "do so", &l.Enabled),
			option("stratum", value.Integer(1, 15), "10", "with this stratum", &l.Stratum),
			option("orphan", value.Boolean(), "0", "let servers of this stratum agree on one", &l.Orphan),
			option("distance", value.Seconds(), "1", "once the root distance has grown to this", &l.Distance),
			option("activate", value.Seconds(), "0", "after the distance was once below this", &l.Activate),
			option("waitsynced", value.Seconds(), "0", "this long after the last update", &l.WaitSynced),
			option("waitunsynced", value.Unless(WaitByOrphan, "auto", value.Seconds()), "auto", "this long without synchronisation; auto: 300 s for orphans, else 0", &l.WaitUnsynced),
		}
	})
}

func ntsServerSection() *Section {
	s := single("nts_server", "the NTS-KE server", func(c *Config) []*Option {
		n := &c.NTSServer
		return []*Option{
			option("enabled", value.Boolean(), "0", "run it", &n.Enabled),
			list("cert", value.Path(), "", "certificate files (PEM, with intermediates), one per key", &n.Certs),
			list("key", value.Path(), "", "private key files", &n.Keys),
			list("port", value.Port(), "4460", "TCP ports", &n.Ports),
			list("interface", value.InterfaceName(), "", "on these interfaces only", &n.Interfaces),
			option("ntp_server", value.Optional(value.PlainHost()), "", "NTP server named to clients; by default this one", &n.NTPServer),
			option("ntp_port", value.Optional(value.Port()), "", "its port", &n.NTPPort),
			option("rotate", value.TimeSpan(time.Minute, value.MaxTime), "1d", "life of a cookie key", &n.Rotate),
			option("keep", value.Integer(1, 100), "10", "old cookie keys that are still accepted", &n.Keep),
			option("keys_file", value.Optional(value.Path()), "", "cookie keys shared by a fleet", &n.KeysFile),
			option("max_connections", value.Integer(1, 10000), "100", "connections at once", &n.MaxConnections),
			option("timeout", value.TimeSpan(100*time.Millisecond, time.Hour), "2", "time to finish one", &n.Timeout),
			option("ratelimit", rateLimit(keRateLimit()), "0", "limit the connections of one client", &n.RateLimit),
			option("selfsigned", value.Boolean(), "0", "make and keep a CA for the LAN and a certificate", &n.SelfSigned),
		}
	})
	s.check = func(s *section, target any) {
		n := &target.(*Config).NTSServer
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

func keySection() *Section {
	s := many("key", "a symmetric key", func(c *Config) *[]Key { return &c.Keys }, func(k *Key) []*Option {
		return []*Option{
			option("id", value.Optional(value.Integer[uint32](1, math.MaxUint32)), "", "its number", &k.ID),
			option("type", value.OneOf[keyType]("MD5", "SHA1", "SHA256", "SHA384", "SHA512", "AES128", "AES256"), "AES128", "its algorithm", &k.Type),
			option("secret_file", value.Optional(value.Path()), "", "file (0600) that holds it", &k.SecretFile),
			option("secret", value.Optional(value.Text()), "", "the key itself, which ends up in every backup of the configuration", &k.Secret),
		}
	})
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

func keyFileSection() *Section {
	s := many("keyfile", "a file of symmetric keys, as other daemons have them", func(c *Config) *[]KeyFile { return &c.KeyFiles }, func(k *KeyFile) []*Option {
		return []*Option{
			option("file", value.Optional(value.Path()), "", "where it is (0600)", &k.File),
			option("format", value.OneOf(KeysChrony, KeysNTP), string(KeysChrony), "whose it is: they write secrets differently", &k.Format),
			list("trusted", value.Integer[uint32](1, math.MaxUint32), "", "ids of the keys to use; by default all of them", &k.Trusted),
		}
	})
	s.check = func(s *section, target any) {
		k := target.(*KeyFile)
		if k.Line = s.Line; k.File == "" {
			s.fail("file", "is missing")
		}
	}
	return s
}

func refClockSection() *Section {
	s := many("refclock", "a reference clock", func(c *Config) *[]RefClock { return &c.RefClocks }, refClockOptions)
	s.check = func(s *section, target any) {
		r := target.(*RefClock)
		if r.Local {
			// chrony steadies the clock by it past the selection; as a source of time
			// it would be wrong.
			r.NoSelect = true
			s.warn("local", "has it measured only: the clock is not steadied by one that runs freely")
		}
		switch {
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

func refClockOptions(r *RefClock) []*Option {
	return append(refClockTiming(r),
		option("lock", value.Optional(value.Name()), "", "reference id of the clock that numbers the seconds of this one", &r.Lock),
		option("maxlockage", value.Optional(value.Integer(0, 1000)), "", "pulses for which that number holds", &r.MaxLockAge),
		option("filter", value.Optional(value.Integer(0, maxSamples)), "", "samples that are combined into one", &r.Filter),
		option("minsamples", value.Optional(value.Integer(0, maxSamples)), "", "fewest samples kept", &r.MinSamples),
		option("maxsamples", value.Optional(value.Integer(0, maxSamples)), "", "most samples kept", &r.MaxSamples),
		option("maxunreach", value.Integer(0, math.MaxInt32), defaultMaxUnreach, "polls for which it is used while it gives nothing and no other source does", &r.MaxUnreach),
		option("stratum", value.Optional(value.Integer(0, 15)), "", "stratum of the clock", &r.Stratum),
		option("tai", value.Boolean(), "0", "it keeps TAI", &r.TAI),
		option("local", value.Boolean(), "0", "it runs freely: not true time, so it is measured only", &r.Local),
		option("prefer", value.Boolean(), "0", "as for a server", &r.Prefer),
		option("trust", value.Boolean(), "0", "as for a server", &r.Trust),
		option("require", value.Boolean(), "0", "as for a server", &r.Require),
		option("noselect", value.Boolean(), "0", "as for a server", &r.NoSelect),
	)
}

// driver is the name of a kind of reference clock.
type driver = string

func refClockTiming(r *RefClock) []*Option {
	poll := value.Integer[ntptime.Exponent](-6, 24)
	short := value.TimeSpan(0, 10*time.Second)
	return []*Option{
		option("driver", value.Optional(value.OneOf[driver]("SHM", "SOCK", "PPS", "PHC")), "", "its kind", &r.Driver),
		option("parameter", value.Optional(value.Path()), "", "segment, socket or device, with the driver's options", &r.Parameter),
		option("refid", value.Optional(value.RefID()), "", "reference id", &r.RefID),
		option("poll", poll, "4", "interval of its samples, as a power of two of seconds", &r.Poll),
		option("dpoll", poll, "0", "interval of reading the driver, likewise", &r.DPoll),
		option("offset", value.Offset(), "0", "correction added to its time", &r.Offset),
		option("delay", short, "0.000000001", "spread of its delay", &r.Delay),
		option("precision", value.Optional(short), "", "its precision; by default the system clock's", &r.Precision),
		option("maxdispersion", value.Optional(short), "", "dispersion above which a sample is ignored", &r.MaxDispersion),
		option("width", value.Optional(short), "", "width of the pulse, to find the right edge", &r.Width),
		option("rate", value.Integer(1, 1000), "1", "pulses per second", &r.Rate),
		option("pps", value.Boolean(), "0", "its samples say when a second begins, not which", &r.PPS),
	}
}
