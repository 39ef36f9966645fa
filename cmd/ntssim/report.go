package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/sim"
	"ntsd/internal/sim/scenario"
)

// row is one run as it is written for programs. Times are in seconds.
type row struct {
	Scenario  string   `json:"scenario"`
	Seed      uint64   `json:"seed"`
	RMS       float64  `json:"rms_offset_s"`
	Max       float64  `json:"max_offset_s"`
	P99       float64  `json:"p99_offset_s"`
	Oracle    float64  `json:"oracle_rms_offset_s"`
	Ratio     float64  `json:"ratio_to_oracle"`
	Interval  float64  `json:"packet_interval_s"`
	Gap       float64  `json:"least_gap_s"`
	Packets   int      `json:"packets"`
	Steps     int      `json:"steps"`
	Backward  int      `json:"backward"`
	Covered   float64  `json:"covered"`
	Bound     float64  `json:"bound_s"`
	First10ms float64  `json:"first_10ms_s"`
	First1ms  float64  `json:"first_1ms_s"`
	Stay1ms   float64  `json:"stay_1ms_s"`
	Chrony    float64  `json:"chrony_rms_offset_s,omitempty"`
	ToChrony  float64  `json:"ratio_to_chrony,omitempty"`
	Broken    []string `json:"broken_limits,omitempty"`
	Missed    []string `json:"missed_goals,omitempty"`
}

func newRow(o *outcome, chrony time.Duration) row {
	r := &o.result
	w := row{
		Scenario: o.scenario.Name, Seed: o.seed,
		RMS: r.RMSOffset.Seconds(), Max: r.Max.Seconds(), P99: r.P99.Seconds(), Oracle: r.OracleOffset.Seconds(),
		Ratio:    float64(r.RMSOffset) / max(1, float64(r.OracleOffset)),
		Interval: r.Interval.Seconds(), Gap: r.Gap.Seconds(), Packets: r.Packets, Steps: r.Steps, Backward: r.Backward,
		Covered: r.Covered, Bound: r.Bound.Seconds(),
		First10ms: r.First10ms.Seconds(), First1ms: r.First1ms.Seconds(), Stay1ms: r.Stay1ms.Seconds(),
		Chrony: chrony.Seconds(), Broken: o.broken, Missed: o.missed,
	}
	if chrony > 0 {
		w.ToChrony = float64(r.RMSOffset) / float64(chrony)
	}
	return w
}

func writeJSON(out io.Writer, runs []outcome, chrony time.Duration) error {
	e := json.NewEncoder(out)
	for i := range runs {
		if err := e.Encode(newRow(&runs[i], chrony)); err != nil {
			return err
		}
	}
	return nil
}

func csvHeader(out io.Writer) error {
	w := csv.NewWriter(out)
	err := w.Write([]string{
		"scenario", "seed", "rms_offset_s", "max_offset_s", "p99_offset_s", "oracle_rms_offset_s", "ratio_to_oracle",
		"packet_interval_s", "least_gap_s", "packets", "steps", "backward", "covered", "bound_s",
		"first_10ms_s", "first_1ms_s", "stay_1ms_s", "broken_limits",
	})
	w.Flush()
	return err
}

func writeCSV(out io.Writer, runs []outcome) error {
	w := csv.NewWriter(out)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	for i := range runs {
		r := newRow(&runs[i], 0)
		line := []string{r.Scenario, strconv.FormatUint(r.Seed, 10)}
		for _, x := range []float64{r.RMS, r.Max, r.P99, r.Oracle, r.Ratio, r.Interval, r.Gap} {
			line = append(line, number(x))
		}
		line = append(line, strconv.Itoa(r.Packets), strconv.Itoa(r.Steps), strconv.Itoa(r.Backward))
		for _, x := range []float64{r.Covered, r.Bound, r.First10ms, r.First1ms, r.Stay1ms} {
			line = append(line, number(x))
		}
		if err := w.Write(append(line, strconv.Itoa(len(r.Broken)))); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// micro writes a duration in microseconds, in a column of its own.
func micro(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e3) }

const textHeader = "scenario                            rms us     p99 us     max us  /oracle  interval  covered  bound us  limits\n"

// tellBroken is how many broken limits of one scenario are printed.
const tellBroken = 10

// writeText writes one line per scenario, and one per broken limit.
func writeText(out io.Writer, runs []outcome, chrony time.Duration) {
	s := summarise(runs)
	verdict := "kept"
	if s.broken > 0 {
		verdict = fmt.Sprintf("BROKEN by %d of %d", s.broken, len(runs))
	}
	if s.missed > 0 {
		verdict += fmt.Sprintf("; a goal missed by %d of %d", s.missed, len(runs))
	}
	fmt.Fprintf(out, "%-30s %11s %10s %10s %8.2f %8.0fs %7.3f%% %9s  %s", runs[0].scenario.Name,
		micro(s.rms), micro(s.p99), micro(s.max), s.ratio, s.interval.Seconds(), s.covered*100, micro(s.bound), verdict)
	if chrony > 0 {
		fmt.Fprintf(out, "  chrony %s us: ratio %.2f", micro(chrony), float64(s.rms)/float64(chrony))
	}
	fmt.Fprintln(out)
	if b := together(runs[0].scenario, runs); b != "" {
		fmt.Fprintf(out, "    BROKEN: %s\n", b)
	}
	told := 0
	for i := range runs {
		for _, b := range runs[i].broken {
			if told++; told > tellBroken {
				fmt.Fprintln(out, "    ...")
				return
			}
			fmt.Fprintf(out, "    seed %d: %s\n", runs[i].seed, b)
		}
	}
}

// replay is the command that runs a failure again; a cell's own options have to
// be added to it.
func replay(s *scenario.Scenario, seed uint64) string {
	what := s.Name
	if kind, number, ok := strings.Cut(what, " "); ok {
		what = "-cell"
		if kind == "world" || kind == "attack" {
			what = "-" + kind + " " + number
		}
	}
	return fmt.Sprintf("go run ./cmd/ntssim -seed %d %s", seed, what)
}

// trace runs a scenario and prints every action.
func trace(out io.Writer, s *scenario.Scenario, seed uint64) error {
	w := s.World(seed)
	w.Trace = func(t sim.Instant, a event.Action, wrong clock.Offset) {
		text := ""
		switch a := a.(type) {
		case event.Send:
			text = "to " + a.To.String()
		case event.SetRate:
			text = fmt.Sprintf("%+.4f ppm", a.Rate.PPM())
		case event.Step:
			text = a.Offset.Duration().String()
		case event.Notice:
			text = fmt.Sprintf("%d %s %s %v %s", a.Kind, a.Name, a.Addr, a.Offset.Duration(), a.Text)
		case event.SetStatus:
			text = fmt.Sprintf("synchronised %t, leap %d, error at most %v", a.Synchronised, a.Leap, a.MaxError)
		}
		name := strings.TrimPrefix(fmt.Sprintf("%T", a), "event.")
		fmt.Fprintf(out, "%12.3f  %12v  %-14s %s\n", time.Duration(t).Seconds(), wrong.Duration(), name, text)
	}
	_, err := sim.Run(w)
	return err
}
