package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/sim/scenario"
)

func TestCell(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-cell", "-maxpoll", "6", "-figures", "../../testdata/accuracy", "-json"}
	if err := run(args, &out, &out); err != nil {
		t.Fatal(err)
	}
	var r row
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	if r.Chrony != 21.33e-6 || r.ToChrony <= 0 || r.ToChrony > 1 || r.Interval < 60 || r.Interval > 66 {
		t.Errorf("row: got %+v", r)
	}
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-seconds", "3000", "-nts", "-servers", "2", "-figures", "none", "-csv", "-seeds", "2"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 3 {
		t.Errorf("got %d lines, error %v; want a header and two runs", len(lines), err)
	}
}

// TestBrokenLimit: it is named, with the command that runs it again.
func TestBrokenLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.scn")
	if err := os.WriteFile(file, []byte("run 3000s\nservers 1\nboth 1ms + exp 1ms\nlimit rms <= 1ns\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run([]string{"-seed", "3", file}, &out, &out)
	if !errors.Is(err, errMissed) || !strings.Contains(out.String(), "-seed 3 "+file) {
		t.Errorf("got error %v and %q", err, &out)
	}
}

func TestPlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.svg")
	var out bytes.Buffer
	if err := run([]string{"-seconds", "3000", "-servers", "3", "-plot", file}, &out, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "NaN") {
		t.Error("the picture holds NaN")
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
}

// TestRandomWorlds: every number describes a world that runs.
func TestRandomWorlds(t *testing.T) {
	for n := uint64(1); n <= 200; n++ {
		if _, err := scenario.Parse("world", []byte(randomWorld(n))); err != nil {
			t.Errorf("world %d: %v\n%s", n, err, randomWorld(n))
		}
	}
	for n := uint64(1); n <= 200; n++ {
		if _, err := scenario.Parse("attack", []byte(randomAttack(n))); err != nil {
			t.Errorf("attack %d: %v\n%s", n, err, randomAttack(n))
		}
	}
	var out bytes.Buffer
	if err := run([]string{"-world", "1", "-print"}, &out, &out); err != nil || out.String() != randomWorld(1) {
		t.Errorf("print: error %v, got %q", err, &out)
	}
}

// TestAccuracyTable: the table of all cells with one seed; what it measures is
// make accuracy's affair.
func TestAccuracyTable(t *testing.T) {
	if testing.Short() {
		t.Skip("long: simulated days")
	}
	var out bytes.Buffer
	err := run([]string{"-accuracy", "-seeds", "1", "-worlds", "3", "-attacks", "3", "-figures", "../../testdata/accuracy"}, &out, &out)
	if err != nil && !errors.Is(err, errMissed) {
		t.Fatal(err)
	}
	for _, want := range []string{"S 10ms W 1e-08 x1", "bufferbloat", "four servers", "start,", "random worlds 1 to 3", "attacked worlds 1 to 3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-seeds", "-1"},
		{"-minpoll", "8", "-maxpoll", "6"},
		{"-scenario", "none"},
		{"no-such-file"},
		{"-jitter", "-1s"},
		{"-json", "-csv"},
		{"-servers", "0"},
	} {
		var out bytes.Buffer
		if err := run(args, &out, &out); err == nil {
			t.Errorf("%v: got no error", args)
		}
	}
}
