package metrics

import (
	"math"
	"math/bits"

	"ntsd/internal/status"
)

// shown returns the sources to tell of: each pair of name and address once, and
// at most MaxSources.
func shown(all []status.Source) []*status.Source {
	type key struct{ name, address string }
	known := make(map[key]bool)
	var list []*status.Source
	for i := range all {
		s := &all[i]
		k := key{s.Name, s.Address}
		if len(list) < MaxSources && !known[k] {
			known[k] = true
			list = append(list, s)
		}
	}
	return list
}

// each writes a family with a sample for every source of which f knows one.
func (w *writer) each(list []*status.Source, f func(s *status.Source)) {
	for _, s := range list {
		w.always("source", s.Name, "address", s.Address)
		f(s)
	}
	w.always()
}

// known reports whether a number of seconds is one.
func known(a status.Ago) bool { return a >= 0 }

// gauges is a family of one number per source; NaN: unknown.
func (w *writer) gauges(list []*status.Source, name, unit, help string, of func(*status.Source) float64) {
	w.family(gauge, name, unit, help)
	w.each(list, func(s *status.Source) { w.add(of(s)) })
}

// counters is a family of one counter per source.
func (w *writer) counters(list []*status.Source, name, help string, of func(*status.Source) uint64) {
	w.family(counter, name, "", help)
	w.each(list, func(s *status.Source) { w.add(float64(of(s))) })
}

// sources is chronyc's sources, sourcestats, selectdata, authdata and ntpdata.
func (w *writer) sources(all []status.Source) {
	list := shown(all)
	w.family(info, "source", "", "What a source is.")
	w.each(list, func(s *status.Source) {
		w.add(1, "kind", s.Kind, "operator", s.Operator, "mode", s.Auth.Mode, "aead", s.Auth.AEADName)
	})
	w.family(stateset, "source_state", "", "What the selection made of a source.")
	w.each(list, func(s *status.Source) { w.states(state(s.Mark), states()...) })
	w.samples(list)
	w.estimates(list)
	w.replies(list)
	w.counts(list)
	w.auth(list)
}

// states are the marks of sources in words.
func states() []string {
	return []string{"selected", "combined", "not_combined", "variable", "falseticker", "unusable"}
}

func state(mark string) string {
	switch mark {
	case "*", "+", "-", "~", "x":
		return map[string]string{"*": "selected", "+": "combined", "-": "not_combined", "~": "variable", "x": "falseticker"}[mark]
	}
	return "unusable"
}

func unknownUnless(ok bool, v float64) float64 {
	if !ok {
		return math.NaN()
	}
	return v
}

func flagValue(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// samples is what sources shows.
func (w *writer) samples(list []*status.Source) {
	w.gauges(list, "source_online", "", "1: the source is polled.", func(s *status.Source) float64 { return flagValue(s.Online) })
	w.gauges(list, "source_stratum", "", "The source's stratum.", func(s *status.Source) float64 { return float64(s.Stratum) })
	w.gauges(list, "source_poll_interval_seconds", "seconds", "Time between requests.", func(s *status.Source) float64 { return math.Ldexp(1, s.PollLog2) })
	w.gauges(list, "source_reach_ratio", "ratio", "Share of the last eight requests that had a usable reply.", func(s *status.Source) float64 { return float64(bits.OnesCount8(uint8(s.Reach))) / 8 })
	w.gauges(list, "source_last_sample_age_seconds", "seconds", "Time since the last sample.", func(s *status.Source) float64 { return unknownUnless(known(s.LastRx), float64(s.LastRx)) })
	sampled := func(s *status.Source) bool { return known(s.LastRx) }
	w.gauges(list, "source_offset_seconds", "seconds", "Offset of the last sample, with the corrections since; positive: the clock is ahead.", func(s *status.Source) float64 { return unknownUnless(sampled(s), s.AdjustedOffsetS) })
	w.gauges(list, "source_measured_offset_seconds", "seconds", "The same as it was measured.", func(s *status.Source) float64 { return unknownUnless(sampled(s), s.MeasuredOffsetS) })
	w.gauges(list, "source_error_bound_seconds", "seconds", "The offset is off by no more, if the source is right.", func(s *status.Source) float64 { return unknownUnless(sampled(s), s.ErrorBoundS) })
}

// estimates is what sourcestats and selectdata show.
func (w *writer) estimates(list []*status.Source) {
	some := func(s *status.Source) bool { return s.Stats.Samples > 0 }
	w.gauges(list, "source_samples", "", "Samples kept.", func(s *status.Source) float64 { return float64(s.Stats.Samples) })
	w.gauges(list, "source_runs", "", "Runs of them on one side of the line through all.", func(s *status.Source) float64 { return float64(s.Stats.Runs) })
	w.gauges(list, "source_span_seconds", "seconds", "Time from the oldest to the newest.", func(s *status.Source) float64 { return s.Stats.SpanS })
	w.gauges(list, "source_residual_frequency_ppm", "ppm", "How fast the clock gains on the source.", func(s *status.Source) float64 { return unknownUnless(some(s), s.Stats.ResidualFreqPPM) })
	w.gauges(list, "source_skew_ppm", "ppm", "Bound of the error of that.", func(s *status.Source) float64 { return unknownUnless(some(s), s.Stats.SkewPPM) })
	w.gauges(list, "source_estimated_offset_seconds", "seconds", "Offset by all samples; positive: the clock is ahead.", func(s *status.Source) float64 { return unknownUnless(some(s), s.Stats.EstimatedOffsetS) })
	w.gauges(list, "source_standard_deviation_seconds", "seconds", "Spread of the samples.", func(s *status.Source) float64 { return unknownUnless(some(s), s.Stats.StdDevS) })
	w.gauges(list, "source_selection_score_ratio", "ratio", "How near the source is to be followed instead.", func(s *status.Source) float64 { return s.Selection.Score })
	chosen := func(s *status.Source) bool { return known(s.Selection.Last) }
	w.gauges(list, "source_selection_sample_age_seconds", "seconds", "Age of the last sample when the selection was made.", func(s *status.Source) float64 { return unknownUnless(chosen(s), float64(s.Selection.Last)) })
	w.gauges(list, "source_interval_low_seconds", "seconds", "Lower end of where true time lies by this source.", func(s *status.Source) float64 { return unknownUnless(chosen(s), s.Selection.LoS) })
	w.gauges(list, "source_interval_high_seconds", "seconds", "Upper end of it.", func(s *status.Source) float64 { return unknownUnless(chosen(s), s.Selection.HiS) })
	w.family(gauge, "source_option", "", "1: a selection option is in force.")
	w.each(list, func(s *status.Source) {
		o := &s.Selection.Effective
		w.flag(o.NoSelect, "option", "noselect")
		w.flag(o.Prefer, "option", "prefer")
		w.flag(o.Trust, "option", "trust")
		w.flag(o.Require, "option", "require")
	})
	w.family(stateset, "source_leap", "", "The leap second that the source announces.")
	w.each(list, func(s *status.Source) {
		w.states(leap(s.Selection.Leap), "normal", "insert", "delete", "unsynchronised")
	})
}

// replies is the last valid reply, as ntpdata shows it.
func (w *writer) replies(list []*status.Source) {
	of := func(get func(*status.NTPData) float64) func(*status.Source) float64 {
		return func(s *status.Source) float64 {
			if s.NTP == nil {
				return math.NaN()
			}
			return get(s.NTP)
		}
	}
	w.gauges(list, "source_reply_offset_seconds", "seconds", "Offset by the last reply; positive: the clock is behind.", of(func(n *status.NTPData) float64 { return n.OffsetS }))
	w.gauges(list, "source_reply_delay_seconds", "seconds", "Round trip of the last reply.", of(func(n *status.NTPData) float64 { return n.DelayS }))
	w.gauges(list, "source_reply_dispersion_seconds", "seconds", "Error of its timestamps.", of(func(n *status.NTPData) float64 { return n.DispersionS }))
	w.gauges(list, "source_reply_response_seconds", "seconds", "Time that the server took.", of(func(n *status.NTPData) float64 { return n.ResponseS }))
	w.gauges(list, "source_reply_jitter_asymmetry_ratio", "ratio", "From -0.5 to 0.5: on which way the path's jitter is.", of(func(n *status.NTPData) float64 { return n.Asymmetry }))
	w.gauges(list, "source_root_delay_seconds", "seconds", "The server's own round trip to its reference clock.", of(func(n *status.NTPData) float64 { return n.RootDelayS }))
	w.gauges(list, "source_root_dispersion_seconds", "seconds", "The server's own errors.", of(func(n *status.NTPData) float64 { return n.RootDispersionS }))
	w.gauges(list, "source_precision_seconds", "seconds", "Precision that the server claims.", of(func(n *status.NTPData) float64 { return math.Ldexp(1, n.PrecisionLog2) }))
	w.gauges(list, "source_reference_timestamp_seconds", "seconds", "When the server's clock was last set, in seconds since 1970.", of(func(n *status.NTPData) float64 {
		return unknownUnless(n.ReferenceTime != 0, unix(n.ReferenceTime))
	}))
	w.gauges(list, "source_reply_interleaved", "", "1: the last reply was in interleaved mode.", of(func(n *status.NTPData) float64 { return flagValue(n.Interleaved) }))
	w.gauges(list, "source_reply_authenticated", "", "1: it was authenticated.", of(func(n *status.NTPData) float64 { return flagValue(n.Authenticated) }))
}

// counts is the packets of each source since its association began.
func (w *writer) counts(list []*status.Source) {
	w.counters(list, "source_requests", "Requests sent.", func(s *status.Source) uint64 { return s.Counters.Sent })
	w.counters(list, "source_replies", "Datagrams received.", func(s *status.Source) uint64 { return s.Counters.Received })
	w.counters(list, "source_valid_replies", "Of those, replies to our requests, authenticated where they must be.", func(s *status.Source) uint64 { return s.Counters.Valid })
	w.counters(list, "source_good_replies", "Of those, the ones that passed all tests.", func(s *status.Source) uint64 { return s.Counters.Good })
	w.family(counter, "source_timestamps", "", "Timestamps by who took them; the daemon took the rest.")
	w.each(list, func(s *status.Source) {
		c := &s.Counters
		w.add(float64(c.KernelSent), "direction", "tx", "by", "kernel")
		w.add(float64(c.KernelRecv), "direction", "rx", "by", "kernel")
		w.add(float64(c.CardSent), "direction", "tx", "by", "hardware")
		w.add(float64(c.CardRecv), "direction", "rx", "by", "hardware")
	})
	w.family(counter, "source_verdicts", "", "Datagrams by what was thought of them.")
	w.each(list, func(s *status.Source) {
		for _, v := range s.Counters.Verdicts[:min(len(s.Counters.Verdicts), MaxVerdicts)] {
			w.add(float64(v.Count), "verdict", v.Name)
		}
	})
}

// auth is what authdata shows, of sources with NTS.
func (w *writer) auth(all []*status.Source) {
	var list []*status.Source
	for _, s := range all {
		if s.Auth.Mode == "nts" {
			list = append(list, s)
		}
	}
	w.gauges(list, "source_nts_longest_request_bytes", "bytes", "The longest request that gets replies where the network drops longer ones; 0: no such limit is known.", func(s *status.Source) float64 {
		if s.Auth.Path == nil {
			return 0
		}
		return float64(s.Auth.Path.Longest)
	})
	w.gauges(list, "source_nts_shortest_lost_request_bytes", "bytes", "The shortest request known to be dropped there; 0: none.", func(s *status.Source) float64 {
		if s.Auth.Path == nil {
			return 0
		}
		return float64(s.Auth.Path.Lost)
	})
	w.gauges(list, "source_nts_cookies", "", "Unused cookies.", func(s *status.Source) float64 { return float64(s.Auth.Cookies) })
	w.gauges(list, "source_nts_cookie_bytes", "bytes", "Length of a cookie.", func(s *status.Source) float64 { return float64(s.Auth.CookieBytes) })
	w.gauges(list, "source_nts_key_bytes", "bytes", "Length of the keys.", func(s *status.Source) float64 { return float64(s.Auth.KeyBits) / 8 })
	w.gauges(list, "source_nts_naks", "", "NAKs since the last key establishment.", func(s *status.Source) float64 { return float64(s.Auth.NAKs) })
	w.gauges(list, "source_nts_attempts", "", "Attempts at a key establishment since the last that worked.", func(s *status.Source) float64 { return float64(s.Auth.Attempts) })
	w.gauges(list, "source_nts_max_placeholders", "", "Cookies that a request may ask for; fewer than 7: long packets get lost on the path.", func(s *status.Source) float64 { return float64(s.Auth.MaxPlaceholders) })
	path := func(of func(*status.Auth) float64) func(*status.Source) float64 {
		return func(s *status.Source) float64 {
			if s.Auth.Path == nil {
				return math.NaN()
			}
			return of(&s.Auth)
		}
	}
	w.gauges(list, "source_path_longest_answered_bytes", "bytes", "Longest request that gets replies, where longer ones get lost.", path(func(a *status.Auth) float64 { return float64(a.Path.Longest) }))
	w.gauges(list, "source_path_shortest_lost_bytes", "bytes", "Shortest request that got none.", path(func(a *status.Auth) float64 { return float64(a.Path.Lost) }))
	w.gauges(list, "source_nts_on_trial", "", "1: the certificates were not judged at a trusted time.", func(s *status.Source) float64 { return flagValue(s.Auth.OnTrial) })
	w.gauges(list, "source_nts_last_key_establishment_seconds", "seconds", "Time since the keys were established.", func(s *status.Source) float64 { return unknownUnless(known(s.Auth.LastKE), float64(s.Auth.LastKE)) })
	w.gauges(list, "source_nts_next_key_establishment_seconds", "seconds", "Time until they may be established again, where that waits.", func(s *status.Source) float64 { return unknownUnless(known(s.Auth.NextKE), float64(s.Auth.NextKE)) })
	w.counters(list, "source_nts_key_establishments", "Key establishments that worked.", func(s *status.Source) uint64 { return s.Auth.KEs })
	w.gauges(list, "source_nts_handshake_seconds", "seconds", "Duration of the last key establishment.", func(s *status.Source) float64 {
		if s.Auth.TLS == nil {
			return math.NaN()
		}
		return s.Auth.TLS.DurationS
	})
	date := func(of func(*status.Certificate) status.Time) func(*status.Source) float64 {
		return func(s *status.Source) float64 {
			if s.Auth.Certificate == nil {
				return math.NaN()
			}
			return unix(of(s.Auth.Certificate))
		}
	}
	w.gauges(list, "source_certificate_not_before_timestamp_seconds", "seconds", "Begin of the chain's validity, in seconds since 1970.", date(func(c *status.Certificate) status.Time { return c.NotBefore }))
	w.gauges(list, "source_certificate_not_after_timestamp_seconds", "seconds", "End of it.", date(func(c *status.Certificate) status.Time { return c.NotAfter }))
}
