package metrics

import (
	"math"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// Input is what there is to tell. The server's parts are nil where they are not
// known.
type Input struct {
	Report status.Report
	Server *status.ServerStats
	Keys   *status.NTSKeys
}

// Append appends the metrics to dst.
func Append(dst []byte, in Input, f Format) []byte {
	w := &writer{b: dst, format: f}
	w.daemon(&in.Report)
	w.clock(&in.Report.Tracking)
	w.smoothing(&in.Report.Smoothing)
	w.bootstrap(&in.Report.Bootstrap)
	w.activity(&in.Report)
	w.client(&in.Report.NTS)
	w.sources(in.Report.Sources)
	if in.Server != nil {
		w.server(in.Server)
	}
	if in.Keys != nil {
		w.keys(in.Keys)
	}
	if f == OpenMetrics {
		w.b = append(w.b, "# EOF\n"...)
	}
	return w.b
}

// unix is a point in time as Prometheus has them.
func unix(t status.Time) float64 {
	sec, nsec := clock.Wall(t).Unix()
	return float64(sec) + float64(nsec)/1e9
}

// daemon describes the process and its configuration.
func (w *writer) daemon(r *status.Report) {
	d := &r.Daemon
	w.family(info, "build", "", "The version that runs.")
	w.add(1, "version", d.Version)
	w.one(gauge, "start_time_seconds", "seconds", "When the daemon started, in seconds since 1970.", unix(d.Started))
	w.one(gauge, "uptime_seconds", "seconds", "How long it runs, by a clock that nobody sets.", d.UptimeS)
	w.one(gauge, "report_timestamp_seconds", "seconds", "When these numbers were taken, by the system clock, in seconds since 1970.", unix(r.Time))
	w.family(gauge, "dry_run", "", "1: the system clock is left alone.")
	w.flag(d.DryRun)
	w.one(gauge, "config_warnings", "", "Remarks on the configuration in force.", float64(len(d.Warnings)))
	w.family(gauge, "config_refused", "", "1: a newer configuration had errors and is not in force.")
	w.flag(d.Config.Refused)
	w.one(counter, "config_reads", "", "How often a file of configuration was read.", float64(d.Config.Reads))
	if d.Config.Since != 0 {
		w.one(gauge, "config_since_timestamp_seconds", "seconds", "Since when the configuration is in force, in seconds since 1970.", unix(d.Config.Since))
	}
}

// clock is chronyc's tracking.
func (w *writer) clock(t *status.Tracking) {
	w.family(gauge, "synchronised", "", "1: the clock is synchronised.")
	w.flag(t.Synchronised)
	w.family(gauge, "authenticated", "", "1: what it follows is authenticated by NTS.")
	w.flag(t.Authenticated)
	w.family(gauge, "local_reference", "", "1: the clock is its own reference.")
	w.flag(t.Local)
	if t.SinceAgo >= 0 {
		w.one(gauge, "synchronised_changed_seconds", "seconds", "Since when it is synchronised or not, in seconds before now.", float64(t.SinceAgo))
	}
	w.family(info, "reference", "", "What the clock follows.")
	w.add(1, "id", t.ReferenceID, "source", t.ReferenceName, "address", t.ReferenceAddress)
	w.one(gauge, "clock_stratum", "", "Servers between a reference clock and this one, itself included; 0: not synchronised.", float64(t.Stratum))
	if t.ReferenceTime != 0 {
		w.one(gauge, "clock_reference_timestamp_seconds", "seconds", "The latest measurement that was used, in seconds since 1970.", unix(t.ReferenceTime))
	}
	w.one(gauge, "clock_correction_seconds", "seconds", "What is left to correct; positive: the clock is behind.", t.CorrectionS)
	w.one(gauge, "clock_last_offset_seconds", "seconds", "What the last update found; positive: the clock was ahead.", t.LastOffsetS)
	w.one(gauge, "clock_rms_offset_seconds", "seconds", "Long-term average of that.", t.RMSOffsetS)
	w.family(gauge, "clock_error_bound_seconds", "seconds", "The clock is off by no more than this, if the servers are right.")
	if t.Synchronised {
		w.add(math.Abs(t.CorrectionS) + t.RootDispersionS + t.RootDelayS/2)
	}
	w.one(gauge, "clock_frequency_ppm", "ppm", "Error of the oscillator, which is corrected; positive: it is fast.", t.FreqPPM)
	w.one(gauge, "clock_residual_frequency_ppm", "ppm", "What is not corrected of it; positive: the clock gains.", t.ResidualFreqPPM)
	w.one(gauge, "clock_skew_ppm", "ppm", "Bound of the error of the frequency.", t.SkewPPM)
	w.one(gauge, "clock_root_delay_seconds", "seconds", "Round trip to the reference clock.", t.RootDelayS)
	w.one(gauge, "clock_root_dispersion_seconds", "seconds", "Errors that add up on the way from it.", t.RootDispersionS)
	w.one(gauge, "clock_reference_dispersion_seconds", "seconds", "The same if the selected source is believed alone.", t.OwnDispersionS)
	w.one(gauge, "clock_update_interval_seconds", "seconds", "Time between the last two updates.", t.UpdateIntervalS)
	w.family(stateset, "clock_leap", "", "The leap second that is announced.")
	w.states(leap(t.Leap), "normal", "insert", "delete", "unsynchronised")
	w.one(counter, "clock_updates", "", "Updates of the clock.", float64(t.Updates))
	w.one(counter, "clock_steps", "", "Steps of the clock.", float64(t.Steps))
	w.one(counter, "flash_writes", "", "Files written to flash.", float64(t.FlashWrites))
	w.one(gauge, "flash_writes_per_day", "", "Files written to flash within the last day.", float64(t.FlashDay))
}

func leap(l status.Leap) string {
	text, _ := l.MarshalText() // of its four words
	return string(text)
}

// smoothing is chronyc's table of that name.
func (w *writer) smoothing(s *status.Smoothing) {
	w.family(gauge, "smoothing_active", "", "1: clients are served a smoothed time.")
	w.flag(s.Active)
	if !s.Enabled {
		return
	}
	w.one(gauge, "smoothing_offset_seconds", "seconds", "How far the served time is ahead of the true one.", s.OffsetS)
	w.one(gauge, "smoothing_frequency_ppm", "ppm", "How fast the served time gains.", s.FreqPPM)
	w.one(gauge, "smoothing_wander_ppm_per_second", "ppm_per_second", "How fast that changes.", s.WanderPPM)
	w.one(gauge, "smoothing_last_update_seconds", "seconds", "Time since the smoothing was last told of an offset.", s.LastUpdateS)
	w.one(gauge, "smoothing_remaining_seconds", "seconds", "Time until the served time is the true one.", s.RemainingS)
}

// bootstrap is how the first time is found.
func (w *writer) bootstrap(b *status.Bootstrap) {
	w.family(stateset, "bootstrap_phase", "", "How far the search for the first time is.")
	w.states(b.Phase, "off", "searching", "confirming", "done")
	w.one(gauge, "bootstrap_operators", "", "Operators of servers that count for the first time.", float64(len(b.Operators)))
	w.one(gauge, "bootstrap_operators_needed", "", "Operators that must agree on it.", float64(b.Needed))
	w.one(gauge, "bootstrap_operators_agreeing", "", "Operators that do.", float64(len(b.Agreeing)))
	w.one(gauge, "bootstrap_operators_confirmed", "", "Of those, the ones under strictly verified certificates.", float64(b.Confirmed))
}

// activity counts the sources by what is done with them.
func (w *writer) activity(r *status.Report) {
	a := &r.Activity
	w.family(gauge, "sources", "", "Sources by what is done with them.")
	w.add(float64(a.Online), "state", "online")
	w.add(float64(a.Offline), "state", "offline")
	w.add(float64(a.BurstOnline), "state", "burst_online")
	w.add(float64(a.BurstOffline), "state", "burst_offline")
	w.add(float64(a.Unresolved), "state", "unresolved")
	w.family(gauge, "sources_omitted", "", "Sources of which nothing more is told here: there are too many.")
	w.add(float64(len(r.Sources) - len(shown(r.Sources))))
}

// client counts what NTS came to, over all sources that there were.
func (w *writer) client(n *status.NTSClient) {
	w.one(counter, "nts_client_requests", "", "Requests with NTS.", float64(n.Sent))
	w.family(counter, "nts_client_replies", "", "Replies to them, by whether they verified.")
	w.add(float64(n.Good), "result", "good")
	w.add(float64(n.Bad), "result", "bad")
	w.family(counter, "nts_client_key_establishments", "", "Key establishments that we began, by how they ended.")
	w.add(float64(n.KEGood), "result", "good")
	w.add(float64(n.KEBad), "result", "bad")
}
