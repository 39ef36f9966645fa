package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
)

// reference is what another program reached in a cell of the matrix.
type reference struct {
	cell     cell
	program  string
	rms      time.Duration // geometric mean over the seeds
	interval time.Duration // mean between packets
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

// readMatrix reads the file of the ideal matrix: a header line and then one
// line per cell and program; the program's name ends in " poll 6" where the
// interval was fixed.
func readMatrix(r io.Reader) ([]reference, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("accuracy matrix: %w", err)
	}
	var refs []reference
	for i, l := range lines {
		if i == 0 || len(l) < colCount {
			continue
		}
		var v [colCount]float64
		for _, col := range []int{colJitter, colWander, colServers, colRMS, colInterval} {
			if v[col], err = strconv.ParseFloat(l[col], 64); err != nil {
				return nil, fmt.Errorf("accuracy matrix line %d: %w", i+1, err)
			}
		}
		ref := reference{
			cell: cell{
				jitter: seconds(v[colJitter]), wander: clock.Rate(v[colWander]), servers: int(v[colServers]),
				minPoll: 6, maxPoll: 10,
			},
			program: l[colProgram], rms: seconds(v[colRMS]), interval: seconds(v[colInterval]),
		}
		if fixed := " poll 6"; len(ref.program) > len(fixed) && ref.program[len(ref.program)-len(fixed):] == fixed {
			ref.cell.maxPoll = 6
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// readNonIdeal reads the file of the cases that are not ideal, all chrony's.
func readNonIdeal(r io.Reader) ([]reference, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("accuracy scenarios: %w", err)
	}
	const scenario, polls, rms, interval, count = 0, 5, 7, 9, 10
	var refs []reference
	for i, l := range lines {
		if i == 0 || len(l) < count {
			continue
		}
		reached, err1 := strconv.ParseFloat(l[rms], 64)
		between, err2 := strconv.ParseFloat(l[interval], 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("accuracy scenarios line %d: not a number", i+1)
		}
		ref := reference{
			cell: cell{
				scenario: l[scenario], jitter: 100 * time.Microsecond, wander: 1e-9, servers: 1,
				minPoll: 6, maxPoll: 10,
			},
			program: "chrony", rms: seconds(reached), interval: seconds(between),
		}
		if l[polls] == "6..6" {
			ref.cell.maxPoll = 6
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func seconds(s float64) time.Duration { return clock.OffsetSeconds(s).Duration() }

// figures reads what is known of the other programs, cells of a fixed interval
// first; a folder that is not there means nothing.
func figures(folder string) (all []reference, err error) {
	for _, file := range []struct {
		name string
		read func(io.Reader) ([]reference, error)
	}{{"clock-matrix.csv", readMatrix}, {"clock-nonideal.csv", readNonIdeal}} {
		f, err := os.Open(filepath.Join(folder, file.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		refs, err := file.read(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, refs...)
	}
	slices.SortStableFunc(all, func(a, b reference) int { return int(a.cell.maxPoll) - int(b.cell.maxPoll) })
	return all, nil
}

// chrony reports whether the figure is chrony's.
func (r *reference) chrony() bool { return strings.HasPrefix(r.program, "chrony") }

// find returns a program's figure for a cell.
func find(refs []reference, c cell, program string) (reference, bool) {
	for _, r := range refs {
		if r.cell == c && strings.HasPrefix(r.program, program) {
			return r, true
		}
	}
	return reference{}, false
}
