// Package status is the daemon's whole observable state as one value, the
// Report, its form in JSON, and in words why the clock is not synchronised. It
// is layer 3 and decides nothing: the engine's Snapshot goes in, the Report
// comes out; package tables renders it. It holds no secret, reads no clock and
// opens no file.
//
// # Signs
//
// Inside the daemon an offset is always "true time minus the clock" (positive:
// the clock is slow) and a frequency is the correction in force (positive: the
// oscillator is slow). chronyc changes the sign from column to column, and the
// Report carries chronyc's signs, so that JSON, CSV, tables and what people
// know from chrony agree. FromSnapshot is the only place that converts:
//
//	field                                 positive means            from the engine
//	sources    adjusted/measured offset   the clock is ahead        negated
//	sourcestats estimated offset          the clock is ahead        negated
//	sourcestats residual frequency        the clock gains           negated
//	selectdata interval                   the clock is ahead        negated, ends swapped
//	ntpdata    offset                     the clock is behind       as it is
//	tracking   correction (System time)   the clock is behind, slow as it is
//	tracking   last offset                the clock was ahead       negated
//	tracking   frequency                  the oscillator is fast    negated
//	tracking   residual frequency         the clock gains           negated
package status
