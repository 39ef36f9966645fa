package config

import (
	"math"
	"time"

	"ntsd/internal/config/value"
)

// DefaultRunDir is the option run_dir where it is not set.
const DefaultRunDir = "/var/run/ntsd"

func mainSection() *Section {
	s := single("ntsd", "the daemon", func(c *Config) []*Option {
		m := &c.Main
		return []*Option{
			option("enabled", value.Boolean(), "1", "start at all", &m.Enabled),
			option("log_level", value.LogLevel(), "info", "what is worth a line in the log", &m.LogLevel),
			option("state_dir", value.Path(), "/etc/ntsd/state", "folder on flash for what must survive a reboot", &m.StateDir),
			option("run_dir", value.Path(), DefaultRunDir, "folder in memory for what must survive a restart", &m.RunDir),
			option("user", value.Optional(value.UserName()), "", "run as this user; by default as the one it was started as", &m.User),
			option("clock", value.OneOf(ClockKernel, ClockNone), "kernel", "the clock to steer; none: measure only", &m.Clock),
			option("rtcsync", value.Boolean(), "1", "let the kernel copy its time to the real-time clock", &m.RTCSync),
			option("use_system_servers", value.Boolean(), "0", "also take the servers of system.ntp", &m.UseSystemServers),
		}
	})
	s.Name = "main"
	return s
}

func makeStepSection() *Section {
	return single("makestep", "when the clock is stepped instead of slewed", func(c *Config) []*Option {
		m := &c.MakeStep
		return []*Option{
			option("threshold", value.Seconds(), "1", "offset above which it is stepped", &m.Threshold),
			option("limit", value.Integer(-1, math.MaxInt32), "3", "updates in which that may happen; 0: never, -1: always", &m.Limit),
		}
	})
}

func ntsSection() *Section {
	return single("nts", "what all NTS sources share", func(c *Config) []*Option {
		n := &c.NTS
		return []*Option{
			option("rtccheck", value.Boolean(), "0", "accept certificates at first without a trusted clock, by the bootstrap ladder", &n.RTCCheck),
			option("systemcerts", value.Boolean(), "1", "trust the CA certificates of the system", &n.SystemCerts),
			list("trustedcerts", value.Path(), "", "further CA certificates: files or folders", &n.TrustedCerts),
		}
	})
}

func bootstrapSection() *Section {
	s := single("bootstrap", "how the first time is found", func(c *Config) []*Option {
		b := &c.Bootstrap
		return []*Option{
			option("mode", value.OneOf(BootstrapLadder, BootstrapStrict, BootstrapNoCertTimeCheck), "ladder",
				"how certificates are judged before the clock is set; strict where nts.rtccheck is off", &b.Mode),
			option("agree", value.Unless(0, "majority", value.Integer(1, 100)), "majority", "operators that must agree before the first step", &b.Agree),
			option("deadline", value.Seconds(), "300", "after it the log says what is missing; it never forces a step", &b.Deadline),
		}
	})
	s.check = func(s *section, target any) {
		if target.(*Config).Bootstrap.Mode == BootstrapNoCertTimeCheck {
			s.warn("mode", "certificates count whatever their dates until the clock is first set, so whoever has the key of an old one can set it")
		}
	}
	return s
}

func selectionSection() *Section {
	return single("selection", "how sources are weighed against each other", func(c *Config) []*Option {
		s := &c.Selection
		return []*Option{
			option("minsources", value.Integer(1, maxSources), "1", "sources that must agree before the clock is touched", &s.MinSources),
			option("authselectmode", value.OneOf(AuthRequire, AuthPrefer, AuthMix, AuthIgnore), "mix", "how authenticated and plain sources are mixed", &s.AuthMode),
			option("maxdistance", value.Seconds(), "3", "root distance above which a source is ignored", &s.MaxDistance),
			option("combinelimit", value.Ratio(1e3), "3", "how much farther than the selected source others may be to be combined with it", &s.CombineLimit),
			option("reselectdist", value.Seconds(), "0.0001", "distance added to sources that are not selected", &s.ReselectDist),
			option("stratumweight", value.Seconds(), "0.001", "distance added per stratum", &s.StratumWeight),
		}
	})
}

func systemClockSection() *Section {
	return single("systemclock", "the kernel's clock", func(c *Config) []*Option {
		s := &c.SystemClock
		return []*Option{
			option("precision", value.Optional(value.TimeSpan(0, time.Second)), "", "its precision; by default measured", &s.Precision),
			option("leapsecmode", value.OneOf(LeapSystem, LeapStep, LeapSlew, LeapIgnore), "system", "what happens at a leap second", &s.LeapSecMode),
			option("maxslewrate", value.PPM(1e5), "83333", "fastest slew; 0: as by default", &s.MaxSlew),
			option("leapfile", value.Optional(value.Path()), "", "list of leap seconds (leap-seconds.list of the IERS), for TAI and where no server announces one", &s.LeapFile),
		}
	})
}

func hwTimestampSection() *Section {
	return single("hwtimestamp", "network cards that stamp packets by hardware", func(c *Config) []*Option {
		h := &c.HWTimestamp
		return []*Option{
			list("interface", value.InterfaceName(), "", "their devices, not a bridge or VLAN on top of them", &h.Interfaces),
		}
	})
}

func smoothTimeSection() *Section {
	return single("smoothtime", "smooth the time that is served", func(c *Config) []*Option {
		s := &c.SmoothTime
		return []*Option{
			option("maxppm", value.PPM(1e5), "0", "largest frequency offset of the served time; 0: do not smooth", &s.MaxRate),
			option("maxwander", value.PPM(1e3), "0.01", "largest change of that offset per second", &s.MaxWander),
			option("leaponly", value.Boolean(), "0", "only at leap seconds", &s.LeapOnly),
		}
	})
}

func loggingSection() *Section {
	return single("logging", "what is worth a line in the log", func(c *Config) []*Option {
		l := &c.Logging
		return []*Option{
			option("logchange", value.Seconds(), "0.5", "corrections of the clock above this", &l.LogChange),
		}
	})
}

// statFile is the name of a statistics file.
type statFile = string

func statisticsSection() *Section {
	return single("statistics", "files of measurements", func(c *Config) []*Option {
		s := &c.Statistics
		return []*Option{
			option("dir", value.Optional(value.Path()), "", "their folder; by default none are written", &s.Dir),
			list("log", value.OneOf[statFile]("loopstats", "peerstats", "clockstats", "rawstats", "measurements", "tracking", "statistics"), "",
				"which", &s.Logs),
			option("keep", value.Integer(0, 36500), "7", "days to keep them; 0: for ever", &s.Keep),
			option("max_size", value.ByteSize(), "4M", "size of all of them together that is not exceeded; 0: any", &s.MaxSize),
		}
	})
}

func monitorSection() *Section {
	return single("monitor", "what other programs may ask", func(c *Config) []*Option {
		m := &c.Monitor
		return []*Option{
			option("chrony_socket", value.Path(), DefaultRunDir+"/chronyd.sock", "socket for chronyc, by default in run_dir; /: none", &m.ChronySocket),
			option("chrony_port", value.Integer[uint16](0, math.MaxUint16), "0", "UDP port for chronyc on the loopback interface; 0: none", &m.ChronyPort),
			option("ntpq", value.Boolean(), "0", "answer ntpq (mode 6, read only) on the loopback interface", &m.NTPQ),
			option("metrics", value.Optional(value.Path()), "", "file of metrics for a collector of text files, written every 15 s", &m.Metrics),
		}
	})
}
