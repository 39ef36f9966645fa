package config

import (
	"log/slog"
	"math"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config/value"
)

// DefaultRunDir is the option run_dir where it is not set.
const DefaultRunDir = "/var/run/ntsd"

func mainSection() Section {
	s := single(acted, "ntsd", "the daemon", func(c *Config) *Main { return &c.Main },
		option(acted, "enabled", value.Boolean(), "1", "start at all", func(m *Main) *bool { return &m.Enabled }),
		option(acted, "log_level", value.LogLevel(), "info", "what is worth a line in the log", func(m *Main) *slog.Level { return &m.LogLevel }),
		option(acted, "state_dir", value.Path(), "/etc/ntsd/state", "folder on flash for what must survive a reboot", func(m *Main) *string { return &m.StateDir }),
		option(acted, "run_dir", value.Path(), DefaultRunDir, "folder in memory for what must survive a restart", func(m *Main) *string { return &m.RunDir }),
		option(acted, "user", value.Optional(value.UserName()), "", "run as this user; by default as the one it was started as",
			func(m *Main) *string { return &m.User }),
		option(acted, "clock", value.OneOf(ClockKernel, ClockNone), "kernel", "the clock to steer; none: measure only", func(m *Main) *ClockMode { return &m.Clock }),
		option(acted, "rtcsync", value.Boolean(), "1", "let the kernel copy its time to the real-time clock", func(m *Main) *bool { return &m.RTCSync }),
		option(acted, "use_system_servers", value.Boolean(), "0", "also take the servers of system.ntp", func(m *Main) *bool { return &m.UseSystemServers }),
	)
	s.Name = "main"
	return s
}

func makeStepSection() Section {
	return single(acted, "makestep", "when the clock is stepped instead of slewed", func(c *Config) *MakeStep { return &c.MakeStep },
		option(acted, "threshold", value.Seconds(), "1", "offset above which it is stepped", func(m *MakeStep) *time.Duration { return &m.Threshold }),
		option(acted, "limit", value.Integer(-1, math.MaxInt32), "3", "updates in which that may happen; 0: never, -1: always",
			func(m *MakeStep) *int { return &m.Limit }),
	)
}

func ntsSection() Section {
	return single(acted, "nts", "what all NTS sources share", func(c *Config) *NTS { return &c.NTS },
		option(acted, "rtccheck", value.Boolean(), "0", "accept certificates at first without a trusted clock, by the bootstrap ladder",
			func(n *NTS) *bool { return &n.RTCCheck }),
		option(acted, "systemcerts", value.Boolean(), "1", "trust the CA certificates of the system", func(n *NTS) *bool { return &n.SystemCerts }),
		list(acted, "trustedcerts", value.Path(), "", "further CA certificates: files or folders", func(n *NTS) *[]string { return &n.TrustedCerts }),
	)
}

func bootstrapSection() Section {
	s := single(acted, "bootstrap", "how the first time is found", func(c *Config) *Bootstrap { return &c.Bootstrap },
		option(acted, "mode", value.OneOf(BootstrapLadder, BootstrapStrict, BootstrapNoCertTimeCheck), "ladder",
			"how certificates are judged before the clock is set; strict where nts.rtccheck is off", func(b *Bootstrap) *BootstrapMode { return &b.Mode }),
		option(acted, "agree", value.Unless(0, "majority", value.Integer(1, 100)), "majority", "operators that must agree before the first step", func(b *Bootstrap) *int { return &b.Agree }),
		option(acted, "deadline", value.Seconds(), "300", "after it the log says what is missing; it never forces a step",
			func(b *Bootstrap) *time.Duration { return &b.Deadline }),
	)
	s.check = func(s *section, target any) {
		if target.(*Bootstrap).Mode == BootstrapNoCertTimeCheck {
			s.warn("mode", "certificates count whatever their dates until the clock is first set, so whoever has the key of an old one can set it")
		}
	}
	return s
}

func selectionSection() Section {
	return single(acted, "selection", "how sources are weighed against each other", func(c *Config) *Selection { return &c.Selection },
		option(acted, "minsources", value.Integer(1, maxSources), "1", "sources that must agree before the clock is touched",
			func(s *Selection) *int { return &s.MinSources }),
		option(acted, "authselectmode", value.OneOf(AuthRequire, AuthPrefer, AuthMix, AuthIgnore), "mix", "how authenticated and plain sources are mixed",
			func(s *Selection) *AuthMode { return &s.AuthMode }),
		option(acted, "maxdistance", value.Seconds(), "3", "root distance above which a source is ignored", func(s *Selection) *time.Duration { return &s.MaxDistance }),
		option(acted, "combinelimit", value.Ratio(1e3), "3", "how much farther than the selected source others may be to be combined with it",
			func(s *Selection) *float64 { return &s.CombineLimit }),
		option(acted, "reselectdist", value.Seconds(), "0.0001", "distance added to sources that are not selected", func(s *Selection) *time.Duration { return &s.ReselectDist }),
		option(acted, "stratumweight", value.Seconds(), "0.001", "distance added per stratum", func(s *Selection) *time.Duration { return &s.StratumWeight }),
	)
}

func systemClockSection() Section {
	return single(acted, "systemclock", "the kernel's clock", func(c *Config) *SystemClock { return &c.SystemClock },
		option(acted, "precision", value.Optional(value.TimeSpan(0, time.Second)), "", "its precision; by default measured",
			func(s *SystemClock) *time.Duration { return &s.Precision }),
		option(acted, "leapsecmode", value.OneOf(LeapSystem, LeapStep, LeapSlew, LeapIgnore), "system", "what happens at a leap second",
			func(s *SystemClock) *LeapMode { return &s.LeapSecMode }),
		option(acted, "leapfile", value.Optional(value.Path()), "", "list of leap seconds (leap-seconds.list of the IERS), for TAI and where no server announces one",
			func(s *SystemClock) *string { return &s.LeapFile }),
	)
}

func hwTimestampSection() Section {
	return single(acted, "hwtimestamp", "network cards that stamp packets by hardware", func(c *Config) *HWTimestamp { return &c.HWTimestamp },
		list(acted, "interface", value.InterfaceName(), "", "their devices, not a bridge or VLAN on top of them", func(h *HWTimestamp) *[]string { return &h.Interfaces }),
	)
}

func smoothTimeSection() Section {
	return single(acted, "smoothtime", "smooth the time that is served", func(c *Config) *SmoothTime { return &c.SmoothTime },
		option(acted, "maxppm", value.PPM(1e5), "0", "largest frequency offset of the served time; 0: do not smooth", func(s *SmoothTime) *clock.Rate { return &s.MaxRate }),
		option(acted, "maxwander", value.PPM(1e3), "0.01", "largest change of that offset per second", func(s *SmoothTime) *clock.Rate { return &s.MaxWander }),
		option(acted, "leaponly", value.Boolean(), "0", "only at leap seconds", func(s *SmoothTime) *bool { return &s.LeapOnly }),
	)
}

func loggingSection() Section {
	return single(acted, "logging", "what is worth a line in the log", func(c *Config) *Logging { return &c.Logging },
		option(acted, "logchange", value.Seconds(), "0.5", "corrections of the clock above this", func(l *Logging) *time.Duration { return &l.LogChange }),
	)
}

// statFile is the name of a statistics file.
type statFile = string

func statisticsSection() Section {
	return single(acted, "statistics", "files of measurements", func(c *Config) *Statistics { return &c.Statistics },
		option(acted, "dir", value.Optional(value.Path()), "", "their folder; by default none are written", func(s *Statistics) *string { return &s.Dir }),
		list(acted, "log", value.OneOf[statFile]("loopstats", "peerstats", "clockstats", "rawstats", "measurements", "tracking", "statistics"), "",
			"which", func(s *Statistics) *[]string { return &s.Logs }),
		option(acted, "keep", value.Integer(0, 36500), "7", "days to keep them; 0: for ever", func(s *Statistics) *int { return &s.Keep }),
		option(acted, "max_size", value.ByteSize(), "4M", "size of all of them together that is not exceeded; 0: any", func(s *Statistics) *int64 { return &s.MaxSize }),
	)
}

func monitorSection() Section {
	return single(acted, "monitor", "what other programs may ask", func(c *Config) *Monitor { return &c.Monitor },
		option(acted, "chrony_socket", value.Path(), DefaultRunDir+"/chronyd.sock", "socket for chronyc, by default in run_dir; /: none", func(m *Monitor) *string { return &m.ChronySocket }),
		option(acted, "chrony_port", value.Integer[uint16](0, math.MaxUint16), "0", "UDP port for chronyc on the loopback interface; 0: none",
			func(m *Monitor) *uint16 { return &m.ChronyPort }),
		option(acted, "ntpq", value.Boolean(), "0", "answer ntpq (mode 6, read only) on the loopback interface", func(m *Monitor) *bool { return &m.NTPQ }),
		option(acted, "metrics", value.Optional(value.Path()), "", "file of metrics for a collector of text files, written every 15 s", func(m *Monitor) *string { return &m.Metrics }),
	)
}
