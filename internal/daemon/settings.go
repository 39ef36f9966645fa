package daemon

import (
	"slices"
	"time"

	"ntsd/internal/bootstrap"
	"ntsd/internal/config"
	"ntsd/internal/discipline"
	"ntsd/internal/engine"
	"ntsd/internal/local"
	"ntsd/internal/refclock"
	"ntsd/internal/selection"
	"ntsd/internal/smooth"
	"ntsd/internal/upstream"
)

// maxJitter is the jitter above which a source is not used: chrony's default.
const maxJitter = time.Second

// engineConfig returns the configuration in force in the engine's terms.
func (d *Daemon) engineConfig() engine.Config {
	cfg := translate(d.applied)
	cfg.Sources = slices.DeleteFunc(cfg.Sources, func(s upstream.Source) bool { return d.changed.lacks(s.Name) })
	cfg.Sources = appendSources(cfg.Sources, d.applied, d.moreSources())
	cfg.Leaps = d.leaps
	cfg.OneShot, cfg.Floor, cfg.FloorFrom = d.opt.OneShot, d.opt.Floor, "the build"
	if saved := d.boot.Time.Add(-d.boot.TimeError); d.boot.Time != 0 && saved > cfg.Floor {
		cfg.Floor, cfg.FloorFrom = saved, "saved when it was last trusted"
	}
	return cfg
}

// translate puts a checked configuration into the engine's terms.
func translate(c *config.Config) engine.Config {
	sources := appendSources(appendSources(nil, c, c.Sources), c, c.Peers)
	for i := range c.RefClocks {
		sources = append(sources, engineClock(c, i))
	}
	return engine.Config{
		Sources: sources,
		Selection: selection.Config{
			AuthMode: authMode(c.Selection.AuthMode), MinSources: c.Selection.MinSources,
			MaxDistance: c.Selection.MaxDistance, MaxJitter: maxJitter, CombineLimit: c.Selection.CombineLimit,
			ReselectDist: c.Selection.ReselectDist, StratumWeight: c.Selection.StratumWeight,
		},
		Local: local.Config{
			Enabled: c.Local.Enabled, Stratum: uint8(c.Local.Stratum), Orphan: c.Local.Orphan, Distance: c.Local.Distance,
			Activate: c.Local.Activate, WaitSynced: c.Local.WaitSynced, WaitUnsynced: waitUnsynced(&c.Local),
		},
		Smooth: smooth.Config{
			MaxRate: c.SmoothTime.MaxRate, MaxWander: c.SmoothTime.MaxWander, LeapOnly: c.SmoothTime.LeapOnly,
		},
		LeapMode:  leapMode(c.SystemClock.LeapSecMode),
		Precision: c.SystemClock.Precision,
		MakeStep:  engine.MakeStep{Threshold: c.MakeStep.Threshold, Limit: c.MakeStep.Limit},
		LogChange: c.Logging.LogChange,
		MaxSlew:   c.SystemClock.MaxSlew,
		Bootstrap: engine.Bootstrap{
			Mode: bootstrapMode(c.Bootstrap.Mode), Agree: c.Bootstrap.Agree, Deadline: c.Bootstrap.Deadline,
		},
	}
}

// waitUnsynced is how long a clock that does not know the time waits before it
// serves its own: by default not at all, and with other orphans about as long as
// chrony.
func waitUnsynced(l *config.Local) time.Duration {
	const withOrphans = 300 * time.Second
	switch {
	case l.WaitUnsynced != config.WaitByOrphan:
		return l.WaitUnsynced
	case l.Orphan:
		return withOrphans
	}
	return 0
}

func bootstrapMode(m config.BootstrapMode) bootstrap.Mode {
	switch m {
	case config.BootstrapLadder:
		return bootstrap.ModeLadder
	case config.BootstrapNoCertTimeCheck:
		return bootstrap.ModeNoCertTimeCheck
	default:
		return bootstrap.ModeStrict
	}
}

// appendSources puts sources into the engine's terms. One without the key that it
// wants is none: it would be asked as if it wanted no key.
func appendSources(dst []upstream.Source, c *config.Config, sources []config.Source) []upstream.Source {
	for i := range sources {
		if !c.Lacks(&sources[i]) {
			dst = append(dst, engineSource(c, &sources[i]))
		}
	}
	return dst
}

// engineSource puts a source of c into the engine's terms.
func engineSource(c *config.Config, s *config.Source) upstream.Source {
	kind, local := upstream.Server, uint16(0)
	switch s.Kind {
	case config.Pool:
		kind = upstream.Pool
	case config.Peer:
		kind, local = upstream.Peer, c.Serve.Ports[0]
	}
	return upstream.Source{
		Kind: kind, Name: s.Name, Port: s.Port, NTS: s.NTS, NTSPort: s.NTSPort, AEADs: s.AEADs,
		TrustedCerts: s.TrustedCerts, NoVal: s.NoVal, Key: c.Secret(s.Key), Operator: s.Operator, Family: s.Family,
		MinPoll: s.MinPoll, MaxPoll: s.MaxPoll, IBurst: s.IBurst, Offline: s.Offline,
		MaxDelay: s.MaxDelay, MinDelay: s.MinDelay, Correction: s.Correction,
		MinSamples: s.MinSamples, MaxSamples: s.MaxSamples, MaxUnreach: maxUnreach(s.MaxUnreach), MaxSources: s.MaxSources,
		XLeave: s.XLeave, Interface: s.Interface, LocalPort: local, Filter: s.Filter,
		MaxDelayRatio: s.MaxDelayRatio, MaxDelayDevRatio: s.MaxDelayDevRatio,
		Select: selection.Options{NoSelect: s.NoSelect, Prefer: s.Prefer, Trust: s.Trust, Require: s.Require},
	}
}

// maxUnreach puts the option of that name into the engine's terms.
func maxUnreach(polls int) int {
	if polls == 0 {
		return -1
	}
	return polls
}

// engineClock puts a reference clock of c into the engine's terms.
func engineClock(c *config.Config, i int) upstream.Source {
	r := &c.RefClocks[i]
	precision := r.Precision
	if precision == 0 {
		precision = c.SystemClock.Precision
	}
	return upstream.Source{
		Kind: upstream.RefClock, Name: r.Name(i), MinPoll: r.Poll, MaxPoll: r.Poll,
		MinSamples: r.MinSamples, MaxSamples: r.MaxSamples, MaxUnreach: maxUnreach(r.MaxUnreach),
		Select: selection.Options{NoSelect: r.NoSelect, Prefer: r.Prefer, Trust: r.Trust, Require: r.Require},
		Ref: refclock.Config{
			Spec: specOf(r.Driver, r.Parameter), RefID: r.Name(i), Lock: r.Lock, Poll: r.Poll, DPoll: r.DPoll,
			Offset: r.Offset, Delay: r.Delay, Precision: precision, MaxDispersion: r.MaxDispersion,
			Width: r.Width, Rate: r.Rate, MaxLockAge: r.MaxLockAge, Filter: r.Filter,
			Stratum: uint8(r.Stratum), Pulses: r.PPS, TAI: r.TAI,
		},
	}
}

func leapMode(m config.LeapMode) discipline.LeapMode {
	switch m {
	case config.LeapStep:
		return discipline.LeapStep
	case config.LeapSlew:
		return discipline.LeapSlew
	case config.LeapIgnore:
		return discipline.LeapIgnore
	default:
		return discipline.LeapSystem
	}
}

func authMode(m config.AuthMode) selection.AuthMode {
	switch m {
	case config.AuthRequire:
		return selection.AuthRequire
	case config.AuthPrefer:
		return selection.AuthPrefer
	case config.AuthIgnore:
		return selection.AuthIgnore
	default:
		return selection.AuthMix
	}
}

// trust returns the certificate authorities of the configuration in force.
func (d *Daemon) trust() Trust {
	return Trust{System: d.applied.NTS.SystemCerts, Files: d.applied.NTS.TrustedCerts}
}
