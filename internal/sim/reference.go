package sim

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"ntsd/internal/clock"
)

// Reference is what another program reached in a cell of the matrix.
type Reference struct {
	Cell      Cell
	Program   string
	RMSOffset time.Duration // geometric mean over the seeds
	Interval  time.Duration // mean between packets
}

// Columns of the ideal matrix' file.
const (
	colJitter = iota
	colWander
	colServers
	colProgram
	_
	colRMS
	_
	_
	colInterval
	colCount
)

// ReadMatrix reads the file of the ideal matrix: a header line and then one
// line per cell and program; the program's name ends in " poll 6" where the
// interval was fixed.
func ReadMatrix(r io.Reader) ([]Reference, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("sim: accuracy matrix: %w", err)
	}
	var refs []Reference
	for i, l := range lines {
		if i == 0 || len(l) < colCount {
			continue
		}
		var v [colCount]float64
		for _, col := range []int{colJitter, colWander, colServers, colRMS, colInterval} {
			if v[col], err = strconv.ParseFloat(l[col], 64); err != nil {
				return nil, fmt.Errorf("sim: accuracy matrix line %d: %w", i+1, err)
			}
		}
		ref := Reference{
			Cell: Cell{
				Jitter: seconds(v[colJitter]), Wander: clock.Rate(v[colWander]), Servers: int(v[colServers]),
				MinPoll: 6, MaxPoll: 10,
			},
			Program: l[colProgram], RMSOffset: seconds(v[colRMS]), Interval: seconds(v[colInterval]),
		}
		if fixed := " poll 6"; len(ref.Program) > len(fixed) && ref.Program[len(ref.Program)-len(fixed):] == fixed {
			ref.Cell.MaxPoll = 6
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// ReadScenarios reads the file of the cases that are not ideal, all chrony's.
func ReadScenarios(r io.Reader) ([]Reference, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("sim: accuracy scenarios: %w", err)
	}
	const scenario, polls, rms, interval, count = 0, 5, 7, 9, 10
	var refs []Reference
	for i, l := range lines {
		if i == 0 || len(l) < count {
			continue
		}
		reached, err1 := strconv.ParseFloat(l[rms], 64)
		between, err2 := strconv.ParseFloat(l[interval], 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("sim: accuracy scenarios line %d: not a number", i+1)
		}
		ref := Reference{
			Cell: Cell{
				Scenario: l[scenario], Jitter: 100 * time.Microsecond, Wander: 1e-9, Servers: 1,
				MinPoll: 6, MaxPoll: 10,
			},
			Program: "chrony", RMSOffset: seconds(reached), Interval: seconds(between),
		}
		if l[polls] == "6..6" {
			ref.Cell.MaxPoll = 6
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func seconds(s float64) time.Duration { return clock.OffsetSeconds(s).Duration() }
