package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	args := []string{"-seconds", "40000", "-maxpoll", "6", "-figures", "../../testdata/accuracy", "-json"}
	if err := run(args, &out, &out); err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	if rep.Chrony != 21.33e-6 || rep.Ratio <= 0 || rep.Ratio > 1 || rep.Interval < 60 || rep.Interval > 66 {
		t.Errorf("report: got %+v", rep)
	}
	out.Reset()
	if err := run([]string{"-seconds", "3000", "-nts", "-servers", "2", "-figures", "none"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "servers 2") || strings.Contains(got, "chrony") {
		t.Errorf("output: got %q", got)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-seeds", "0"}, {"-minpoll", "8", "-maxpoll", "6"}, {"-scenario", "none"}, {"x"}, {"-jitter", "-1s"},
	} {
		var out bytes.Buffer
		if err := run(args, &out, &out); err == nil {
			t.Errorf("%v: got no error", args)
		}
	}
}
