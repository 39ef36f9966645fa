package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ntsd/internal/sim"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 1, "first seed of the scenarios")
	seedsFlag = flag.Int("sim.seeds", 3, "seeds per scenario")
)

// shortStride: with -short every so manyth scenario is run.
const shortStride = 11

const scenarioFolder = "../../../testdata/scenarios"

// scenarios reads every scenario file.
func scenarios(t testing.TB) (all []Scenario) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(scenarioFolder, "*.scn"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse("testdata/scenarios/"+filepath.Base(f), text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// TestScenarios runs every file of testdata/scenarios with several seeds.
func TestScenarios(t *testing.T) {
	seeds := *seedsFlag
	all := scenarios(t)
	if len(all) < 60 {
		t.Errorf("got %d scenarios, want at least 60", len(all))
	}
	if testing.Short() {
		// An emulated router takes a second for each.
		seeds = 1
		var few []Scenario
		for i := 0; i < len(all); i += shortStride {
			few = append(few, all[i])
		}
		all = few
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	missed := make(map[string]int)
	covered := make([][]float64, len(all))
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				s, seed := &all[i/seeds], *seedFlag+uint64(i%seeds)
				r, err := sim.Run(s.World(seed))
				lines, goals := Check(s.Limits, &r)
				mu.Lock()
				covered[i/seeds] = append(covered[i/seeds], r.Covered)
				if err != nil {
					t.Errorf("%v\n\tgo run ./cmd/ntssim -seed %d %s", err, seed, s.Name)
				}
				if len(lines) > 0 {
					t.Errorf("%s\n\tgo run ./cmd/ntssim -seed %d %s", strings.Join(lines, "; "), seed, s.Name)
				}
				if len(goals) > 0 {
					missed[s.Name]++
				}
				mu.Unlock()
			}
		})
	}
	for i := range len(all) * seeds {
		next <- i
	}
	close(next)
	wg.Wait()
	for i := range all {
		if broken := all[i].CheckAll(covered[i]); broken != "" {
			t.Errorf("%s\n\tgo run ./cmd/ntssim -seed %d -seeds %d %s", broken, *seedFlag, seeds, all[i].Name)
		}
	}
	for name, n := range missed {
		t.Logf("%s: a goal missed by %d of %d seeds", name, n, seeds)
	}
}

// TestScenariosSaySomething: each tells what it is about and limits more than
// what is implied.
func TestScenariosSaySomething(t *testing.T) {
	for _, s := range scenarios(t) {
		if s.About == "" {
			t.Errorf("%s has no comment at its top", s.Name)
		}
		own := func(l Limit) bool { return !l.Goal && !strings.Contains("backward unlogged covered", l.Metric) }
		if !slices.ContainsFunc(s.Limits, own) {
			t.Errorf("%s has no limits of its own", s.Name)
		}
	}
}

func TestScenarioErrors(t *testing.T) {
	const ok = "servers 1\nboth 1ms\n"
	for _, c := range []struct{ text, want string }{
		{"run", "line 1: length is missing"},
		{"run 10s\nnonsense", `line 2: unknown directive "nonsense", or no server yet`},
		{"server 1", "there are no servers yet"},
		{"servers 0", "want a number from 1"},
		{"servers 1", "server 1 has no delay"},
		{ok + "both 1ms +", "delay is missing"},
		{ok + "both 1ms exp", `unexpected "exp"`},
		{ok + "both 1", "want a duration"},
		{ok + "both 1ms chance 2", "want a number from 0 to 1"},
		{ok + "both 1ms from 5s until 4s", "until must be later"},
		{ok + "both gamma NaN 1ms", "want a number"},
		{ok + "loss 1.5", "want a number from 0 to 1"},
		{ok + "dead", "from, until or window is missing"},
		{ok + "poll 8 6", "want a number from 8"},
		{ok + "error walk 1", "want a duration"},
		{ok + "limit speed <= 3", `unknown metric "speed"`},
		{ok + "limit rms < 3us", "want <= or >="},
		{ok + "limit rms <= 3", "want a duration"},
		{ok + "limit covered >= many", "want a number"},
		{"client frequency 1e9", "want a rate"},
		{"client frequency sine 1ppm 0s", "want more than 0"},
		{"client sleeps from 1.5s until 3s", "whole seconds"},
		{"client wish", `unknown directive "wish"`},
		{"run 10s settle 20s\n" + ok, "settling time must lie within"},
		{"run 10s from yesterday\n" + ok, "want a date"},
		{"leap maybe 5s", "want insert or delete"},
		{ok + strings.Repeat("servers 20\n", 3), "more than 50 servers"},
		{strings.Repeat("#", maxScenario+1), "more than 65536 bytes"},
	} {
		_, err := Parse("x", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text[:min(len(c.text), 60)], err, c.want)
		}
	}
}

func FuzzParseScenario(f *testing.F) {
	for _, s := range []string{
		"run 100s settle 10s from 2036-02-07T00:00:00Z\nclient frequency 1ppm + walk 1e-9 + sine 1ppm 60s from 5s\n",
		"servers 3\nboth 1ms + exp 1us + 5ms window 10s 5s 1s chance 0.5\npool 2\nmoves 5s\nlimit rms <= 1ms\ngoal covered >= 99%\n",
		"client sleeps from 5s until 6s frozen\nclient drift 1ppm skew 1ppb\nservers 1\nto gamma 2 1us + queue 1ms 5s\nback paths 4 1ms\nerror drift 1ppm\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("fuzz", text)
		if err != nil {
			return
		}
		// What was read can be run; a fuzzer has no time for long runs.
		w := s.World(1)
		w.Duration, w.Settle = min(w.Duration, 100*time.Second), 0
		if len(w.Servers) > 4 {
			return
		}
		if _, err := sim.Run(w); err != nil {
			t.Error(err)
		}
	})
}
