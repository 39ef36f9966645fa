// Command ntssim runs ntsd's engine in simulated worlds and says how far the
// clock is from true time. It is a developer's tool: the same seed gives the
// same run. Worlds are files (internal/sim/README.md has their language), cells
// of the accuracy matrix, or drawn at random:
//
//	ntssim testdata/scenarios/*.scn
//	ntssim -seeds 10 -cell -jitter 1ms -servers 4
//	ntssim -plot out.svg testdata/scenarios/temperature.scn
//	ntssim -world 17 -print
//	ntssim -accuracy
//
// The exit status is 1 when a limit of a file or a goal of the accuracy table
// was missed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/sim/scenario"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ntssim:", err)
		}
		os.Exit(1)
	}
}

// errMissed says that limits or goals were missed; what and where was printed.
var errMissed = errors.New("limits were missed")

// options are the command line's.
type options struct {
	files    []string
	cell     cell
	seed     uint64
	seeds    int
	workers  int
	json     bool
	csv      bool
	plot     string
	print    bool
	trace    bool
	world    uint64
	worlds   int
	attack   uint64
	attacks  int
	accuracy bool
	figures  string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var wander float64
	fl := flag.NewFlagSet("ntssim", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Uint64Var(&o.seed, "seed", 1, "first seed")
	fl.IntVar(&o.seeds, "seeds", 0, "number of seeds (default 1, with -accuracy 10)")
	fl.IntVar(&o.workers, "workers", runtime.GOMAXPROCS(0), "runs at the same time")
	fl.BoolVar(&o.json, "json", false, "print one JSON object per run")
	fl.BoolVar(&o.csv, "csv", false, "print one line of CSV per run")
	fl.StringVar(&o.plot, "plot", "", "write a picture of the first seed to this SVG `file`")
	fl.BoolVar(&o.print, "print", false, "print the world as a scenario file instead of running it")
	fl.BoolVar(&o.trace, "trace", false, "print every action of the first seed with the clock's true error before it")
	fl.Bool("cell", true, "without files: run a cell of the accuracy matrix, given by:")
	fl.DurationVar(&o.cell.jitter, "jitter", 100*time.Microsecond, "cell: mean queue of each direction")
	fl.Float64Var(&wander, "wander", 1e-9, "cell: standard deviation of the frequency's change in a second")
	fl.IntVar(&o.cell.servers, "servers", 1, "cell: number of servers")
	fl.IntVar(&o.cell.minPoll, "minpoll", 6, "cell: shortest poll interval, log2 s")
	fl.IntVar(&o.cell.maxPoll, "maxpoll", 10, "cell: longest poll interval, log2 s")
	fl.IntVar(&o.cell.seconds, "seconds", cellSeconds, "cell: length of the run")
	fl.BoolVar(&o.cell.nts, "nts", false, "cell: authenticate with NTS")
	fl.StringVar(&o.cell.scenario, "scenario", "", "cell: one of "+strings.Join(nonIdeal(), ", "))
	fl.Uint64Var(&o.world, "world", 0, "run the random world of this `number`")
	fl.BoolVar(&o.accuracy, "accuracy", false, "print the accuracy table and check its goals")
	fl.Uint64Var(&o.attack, "attack", 0, "run the attacked world of this `number`")
	fl.IntVar(&o.attacks, "attacks", 100, "with -accuracy: number of attacked worlds")
	fl.IntVar(&o.worlds, "worlds", 100, "with -accuracy: number of random worlds")
	fl.StringVar(&o.figures, "figures", "testdata/accuracy", "folder of the other programs' figures")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	o.files = fl.Args()
	o.cell.wander = clock.Rate(wander)
	if o.seeds == 0 {
		o.seeds = 1
		if o.accuracy {
			o.seeds = 10
		}
	}
	switch {
	case o.seeds < 1 || o.workers < 1 || o.worlds < 0 || o.attacks < 0 || o.cell.seconds < 1 || o.cell.jitter < 0:
		return o, errors.New("seeds, workers, seconds and jitter must be positive")
	case o.json && o.csv:
		return o, errors.New("-json and -csv exclude each other")
	case o.cell.scenario != "" && !slices.Contains(nonIdeal(), o.cell.scenario):
		return o, fmt.Errorf("unknown scenario %q", o.cell.scenario)
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
	if o.accuracy {
		return accuracy(stdout, o, refs)
	}
	texts, err := o.texts()
	if err != nil {
		return err
	}
	if o.print {
		for _, t := range texts {
			fmt.Fprint(stdout, t.text)
		}
		return nil
	}
	var chrony time.Duration
	if len(o.files) == 0 && o.world == 0 && o.attack == 0 {
		c := o.cell
		c.seconds, c.nts = 0, false
		if r, ok := find(refs, c, "chrony"); ok {
			chrony = r.rms
		}
	}
	return runTexts(stdout, o, texts, chrony)
}

// described is a scenario's file.
type described struct{ name, text string }

// texts are the scenarios that the command line asks for.
func (o *options) texts() (all []described, err error) {
	switch {
	case len(o.files) > 0:
		for _, f := range o.files {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			all = append(all, described{f, string(text)})
		}
	case o.world > 0:
		all = []described{{fmt.Sprintf("world %d", o.world), randomWorld(o.world)}}
	case o.attack > 0:
		all = []described{{fmt.Sprintf("attack %d", o.attack), randomAttack(o.attack)}}
	default:
		all = []described{{o.cell.name(), o.cell.text()}}
	}
	return all, nil
}

// runTexts runs scenarios and prints what came of them.
func runTexts(out io.Writer, o options, texts []described, chrony time.Duration) error {
	switch {
	case o.csv:
		if err := csvHeader(out); err != nil {
			return err
		}
	case !o.json:
		fmt.Fprint(out, textHeader)
	}
	var failed []string
	for _, d := range texts {
		s, err := scenario.Parse(d.name, []byte(d.text))
		if err != nil {
			return err
		}
		if o.plot != "" {
			if err := plotFile(o.plot, &s, o.seed); err != nil {
				return err
			}
			o.plot = "" // the first one
		}
		if o.trace {
			if err := trace(out, &s, o.seed); err != nil {
				return err
			}
		}
		runs, err := runAll(seedsOf(&s, o.seed, o.seeds), o.workers)
		if err != nil {
			return err
		}
		if again := failure(&s, runs); again != "" {
			failed = append(failed, again)
		}
		switch {
		case o.json:
			err = writeJSON(out, runs, chrony)
		case o.csv:
			err = writeCSV(out, runs)
		default:
			writeText(out, runs, chrony)
		}
		if err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		if !o.json && !o.csv {
			fmt.Fprintf(out, "again:\n    %s\n", strings.Join(failed, "\n    "))
		}
		return fmt.Errorf("%w in %d of %d scenarios", errMissed, len(failed), len(texts))
	}
	return nil
}

// failure is the command that shows what is wrong with the runs, if anything
// is.
func failure(s *scenario.Scenario, runs []outcome) string {
	for i := range runs {
		if len(runs[i].broken) > 0 {
			return replay(s, runs[i].seed)
		}
	}
	if together(s, runs) != "" {
		return strings.Replace(replay(s, runs[0].seed), "-seed ", fmt.Sprintf("-seeds %d -seed ", len(runs)), 1)
	}
	return ""
}

// together judges the runs as one.
func together(s *scenario.Scenario, runs []outcome) string {
	var covered []float64
	for i := range runs {
		covered = append(covered, runs[i].result.Covered)
	}
	return s.CheckAll(covered)
}
