package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/plot"
)

// The plot's edges: powers of ten of a microsecond, and of the part of all
// offsets.
const (
	leastError, mostError = -2, 5
	leastPart             = -4
	plotHeight            = 420
	lineHeight            = 16
)

// drawOffsets draws the files of offsets that are named as NAME=FILE: which part
// of all errors is larger than that.
func drawOffsets(o *options, _ io.Writer) error {
	if o.plot == "" || len(o.series) == 0 {
		return errors.New("-mode plot needs -plot FILE, and NAME=FILE for each curve")
	}
	out := plot.New(o.title, plot.Top+plotHeight+plot.Gap)
	panel := &plot.Panel{Top: plot.Top, Height: plotHeight, X0: leastError, X1: mostError, Y0: leastPart, Y1: 0}
	var x, y []plot.Tick
	for e := leastError; e <= mostError; e++ {
		x = append(x, plot.Tick{At: float64(e), Label: time.Duration(math.Pow10(e+3) * float64(time.Nanosecond)).String()})
	}
	for e := leastPart; e <= 0; e++ {
		y = append(y, plot.Tick{At: float64(e), Label: fmt.Sprintf("%g %%", math.Pow10(e+2))})
	}
	out.Frame(panel, "part of the exchanges whose offset is wrong by more than that", x, y)
	colours := []string{"#06c", "#e80", "#090", "#c0c"}
	for i, s := range o.series {
		name, file, ok := strings.Cut(s, "=")
		if !ok || i >= len(colours) {
			return fmt.Errorf("%q is not NAME=FILE, or one too many", s)
		}
		sizes, err := readOffsets(file)
		if err != nil {
			return err
		}
		out.Text(leastError+0.1, panel, float64(lineHeight*(i+1)), colours[i], fmt.Sprintf("%s: %d exchanges", name, len(sizes)))
		out.Curve(panel, colours[i], len(sizes), func(k int) (float64, float64) {
			return math.Log10(max(microseconds(sizes[k]), math.Pow10(leastError))),
				math.Log10(float64(len(sizes)-k) / float64(len(sizes)))
		})
	}
	return os.WriteFile(o.plot, out.Bytes(), 0o644)
}

// readOffsets returns the magnitudes in a file that probe wrote, in order.
func readOffsets(name string) ([]time.Duration, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var sizes []time.Duration
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		ns, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sizes = append(sizes, time.Duration(ns).Abs())
	}
	slices.Sort(sizes)
	return sizes, nil
}
