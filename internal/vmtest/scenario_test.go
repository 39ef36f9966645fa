package vmtest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// scenario is one story of starts and power cuts. It returns its world for the
// table of figures.
type scenario struct {
	name  string
	quick bool // one of those that CI runs
	run   func(t *testing.T) *world
}

func scenarios() []scenario {
	return slices.Concat(starts(), networks(), liars(), flashes())
}

// TestScenarios plays the scenarios and prints their figures.
func TestScenarios(t *testing.T) {
	need(t)
	t.Parallel()
	if err := names.serve(); err != nil {
		t.Fatal(err)
	}
	var chosen []scenario
	for _, s := range scenarios() {
		if s.quick || os.Getenv(wanted) != "ci" {
			chosen = append(chosen, s)
		}
	}
	worlds := make([]*world, len(chosen))
	t.Run("each", func(t *testing.T) {
		for i, s := range chosen {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				worlds[i] = s.run(t)
				worlds[i].last.off()
			})
		}
	})
	var table strings.Builder
	fmt.Fprintf(&table, "%-44s %5s %10s %7s %7s %7s %3s %6s %6s\n", "scenario, figures of the last boot", "boots", "offset", "+-", "to ask", "to sync", "KE", "failed", "writes")
	for i, s := range chosen {
		if w := worlds[i]; w != nil {
			fmt.Fprintf(&table, "%-44s %s\n", s.name, w.figures)
		}
	}
	fmt.Println(table.String())
}

// String is a row of the table, but for the name.
func (f figures) String() string {
	ask, sync := "-", "never"
	if f.synced {
		ask = fmt.Sprintf("%.2f s", f.toAsk.Seconds())
		sync = fmt.Sprintf("%.1f s", f.toSync.Seconds())
	}
	const tenth = 100 * time.Microsecond
	offset := f.offset.Duration().Round(tenth).String()
	if f.offset.Abs() > day {
		offset = fmt.Sprintf("%.0f days", f.offset.Seconds()/day.Seconds())
	}
	return fmt.Sprintf("%5d %10s %7s %7s %7s %3d %6d %6d", f.boots, offset, f.bound.Round(tenth), ask, sync, f.ke, f.bad, f.writes)
}
