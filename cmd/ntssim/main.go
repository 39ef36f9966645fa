// Command ntssim runs ntsd's engine in simulated worlds and prints how far the
// clock is from true time. It is a developer's tool: the same seed gives the
// same run, and where chrony's figure for the same cell is known the ratio is
// printed, too. Run it from the root of the repository, or name the figures
// with -figures.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/ntptime"
	"ntsd/internal/sim"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ntssim:", err)
		}
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	cell    sim.Cell
	seed    uint64
	seeds   int
	json    bool
	matrix  bool
	figures string
}

// report is what is printed of one cell. Times are in seconds.
type report struct {
	Scenario  string  `json:"scenario,omitempty"`
	Jitter    float64 `json:"jitter_s"`
	Wander    float64 `json:"wander"`
	Servers   int     `json:"servers"`
	MinPoll   int     `json:"minpoll"`
	MaxPoll   int     `json:"maxpoll"`
	Seeds     int     `json:"seeds"`
	RMS       float64 `json:"rms_offset_s"` // geometric mean over the seeds
	Oracle    float64 `json:"oracle_offset_s"`
	Max       float64 `json:"max_offset_s"` // likewise
	Interval  float64 `json:"packet_interval_s"`
	First10ms float64 `json:"first_10ms_s"` // largest
	Stay1ms   float64 `json:"stay_1ms_s"`   // geometric mean
	Chrony    float64 `json:"chrony_rms_offset_s,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`
	ChronyInt float64 `json:"chrony_packet_interval_s,omitempty"`
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var wander float64
	var minPoll, maxPoll int
	fl := flag.NewFlagSet("ntssim", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Uint64Var(&o.seed, "seed", 1, "first seed")
	fl.IntVar(&o.seeds, "seeds", 1, "number of seeds")
	fl.DurationVar(&o.cell.Jitter, "jitter", 100*time.Microsecond, "mean queue of each direction")
	fl.Float64Var(&wander, "wander", 1e-9, "standard deviation of the frequency's change in a second")
	fl.IntVar(&o.cell.Servers, "servers", 1, "number of servers")
	fl.IntVar(&minPoll, "minpoll", 6, "shortest poll interval, log2 s")
	fl.IntVar(&maxPoll, "maxpoll", 10, "longest poll interval, log2 s")
	fl.IntVar(&o.cell.Seconds, "seconds", 40000, "length of the run")
	fl.BoolVar(&o.cell.NTS, "nts", false, "authenticate with NTS")
	fl.StringVar(&o.cell.Scenario, "scenario", "", "one of: "+strings.Join(sim.Scenarios(), ", "))
	fl.BoolVar(&o.json, "json", false, "print one JSON object per cell")
	fl.BoolVar(&o.matrix, "matrix", false, "run every cell that chrony's figures are known for")
	fl.StringVar(&o.figures, "figures", "testdata/accuracy", "folder of chrony's figures")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	o.cell.Wander = clock.Rate(wander)
	o.cell.MinPoll, o.cell.MaxPoll = ntptime.Exponent(minPoll), ntptime.Exponent(maxPoll)
	switch {
	case fl.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fl.Arg(0))
	case o.seeds < 1 || o.cell.Servers < 1 || o.cell.Servers > 250 || o.cell.Seconds < 1 || o.cell.Jitter < 0:
		return o, errors.New("seeds, servers (at most 250), seconds and jitter must be positive")
	case minPoll < 0 || maxPoll < minPoll || maxPoll > 17:
		return o, errors.New("minpoll and maxpoll must be in order, from 0 to 17")
	case o.cell.Scenario != "" && !slices.Contains(sim.Scenarios(), o.cell.Scenario):
		return o, fmt.Errorf("unknown scenario %q", o.cell.Scenario)
	}
	return o, nil
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	refs, err := figures(o.figures)
	if err != nil {
		return err
	}
	cells := []sim.Cell{o.cell}
	if o.matrix {
		cells = nil
		for _, r := range refs {
			cells = append(cells, r.Cell)
		}
	}
	var logs float64
	var known int
	for _, c := range cells {
		rep, err := measure(c, o)
		if err != nil {
			return err
		}
		rep.compare(c, refs)
		if rep.Ratio > 0 {
			logs += math.Log(rep.Ratio)
			known++
		}
		if err := rep.print(stdout, o.json); err != nil {
			return err
		}
	}
	if o.matrix && !o.json && known > 0 {
		fmt.Fprintf(stdout, "geometric mean of the ratios: %.3f\n", math.Exp(logs/float64(known)))
	}
	return nil
}

// figures reads chrony's figures; a folder that is not there means none.
func figures(folder string) ([]sim.Reference, error) {
	var all []sim.Reference
	for name, read := range map[string]func(io.Reader) ([]sim.Reference, error){
		"clock-matrix.csv": sim.ReadMatrix, "clock-nonideal.csv": sim.ReadScenarios,
	} {
		f, err := os.Open(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		refs, err := read(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			if strings.HasPrefix(r.Program, "chrony") {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sim.Reference) int {
		if a.Cell.Scenario != b.Cell.Scenario {
			return strings.Compare(a.Cell.Scenario, b.Cell.Scenario)
		}
		return int(a.Cell.MaxPoll) - int(b.Cell.MaxPoll)
	})
	return all, nil
}

// measure runs a cell with all its seeds.
func measure(c sim.Cell, o options) (report, error) {
	n := float64(o.seeds)
	rep := report{
		Scenario: c.Scenario, Jitter: c.Jitter.Seconds(), Wander: float64(c.Wander), Servers: c.Servers,
		MinPoll: int(c.MinPoll), MaxPoll: int(c.MaxPoll), Seeds: o.seeds,
	}
	var rms, oracle, largest, stay float64
	for i := range o.seeds {
		seed := o.seed + uint64(i)
		r, err := sim.Run(c.World(seed))
		if err != nil {
			return rep, fmt.Errorf("seed %d: %w", seed, err)
		}
		rms += math.Log(max(r.RMSOffset, 1).Seconds())
		oracle += math.Log(max(r.OracleOffset, 1).Seconds())
		largest += math.Log(max(r.Max, 1).Seconds())
		stay += math.Log(max(r.Stay1ms, 1).Seconds())
		rep.Interval += r.Interval.Seconds() / n
		rep.First10ms = max(rep.First10ms, r.First10ms.Seconds())
	}
	rep.RMS, rep.Max, rep.Stay1ms = math.Exp(rms/n), math.Exp(largest/n), math.Exp(stay/n)
	rep.Oracle = math.Exp(oracle / n)
	return rep, nil
}

// compare adds chrony's figures for the cell, if they are known.
func (rep *report) compare(c sim.Cell, refs []sim.Reference) {
	c.Seconds, c.NTS = 0, false
	for _, r := range refs {
		if r.Cell == c {
			rep.Chrony, rep.ChronyInt = r.RMSOffset.Seconds(), r.Interval.Seconds()
			rep.Ratio = rep.RMS / rep.Chrony
		}
	}
}

func (rep *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(rep)
	}
	name := rep.Scenario
	if name == "" {
		name = "ideal"
	}
	_, err := fmt.Fprintf(w, "%-11s jitter %6.0f us  wander %5.0e  servers %d  poll %d..%-2d  rms %8.2f us (%.2f of the oracle's)  max %8.2f us  interval %4.0f s  below 1 ms after %.1f s",
		name, rep.Jitter*1e6, rep.Wander, rep.Servers, rep.MinPoll, rep.MaxPoll, rep.RMS*1e6, rep.RMS/max(rep.Oracle, 1e-9), rep.Max*1e6, rep.Interval, rep.Stay1ms)
	if err == nil && rep.Ratio > 0 {
		_, err = fmt.Fprintf(w, "  chrony %8.2f us, %4.0f s: ratio %.2f", rep.Chrony*1e6, rep.ChronyInt, rep.Ratio)
	}
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}
