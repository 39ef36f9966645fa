package tables

import (
	"testing"

	"ntsd/internal/status"
)

// The expected strings follow from chronyc's documented units: four columns.
func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		ago  status.Ago
		want string
		csv  string
	}{
		{status.Never, "   -", "4294967295"},
		{0, "   0", "0"},
		{1199, "1199", "1199"},
		{1200, " 20m", "1200"},
		{35999, "599m", "35999"},
		{36000, " 10h", "36000"},
		{345599, " 95h", "345599"},
		{345600, "  4d", "345600"},
		{86400 * 999, "999d", "86313600"},
		{86400 * 1000, "  2y", "86400000"},
		{1 << 40, "   -", "4294967295"},
	} {
		if got := since(c.ago); got != c.want {
			t.Errorf("since(%d) = %q, want %q", c.ago, got, c.want)
		}
		if got := csvAgo(c.ago); got != c.csv {
			t.Errorf("csvAgo(%d) = %q, want %q", c.ago, got, c.csv)
		}
	}
}

func TestFrequencies(t *testing.T) {
	for _, c := range []struct {
		x            float64
		signed, bare string
	}{
		{0, "    +0.000", "     0.000"},
		{-0.007, "    -0.007", "    -0.007"},
		{99999.4, "+99999.400", " 99999.400"},
		{123456.7, "   +123457", "    123457"},
	} {
		if got := ppm(c.x, "+"); got != c.signed {
			t.Errorf("ppm(%g, +) = %q, want %q", c.x, got, c.signed)
		}
		if got := ppm(c.x, ""); got != c.bare {
			t.Errorf("ppm(%g) = %q, want %q", c.x, got, c.bare)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[float64]string{
		-1: "-", 0: "0s", 59.9: "59s", 60: "1m", 61: "1m 1s", 3600: "1h", 3661: "1h 1m", 93784: "1d 2h", 8640000: "100d",
	} {
		if got := Duration(in); got != want {
			t.Errorf("Duration(%g) = %q, want %q", in, got, want)
		}
	}
}

func TestIDText(t *testing.T) {
	for in, want := range map[string]string{
		"47505300": "GPS", "7F7F0101": "", "494E4954": "INIT", "": "", "zz": "",
	} {
		if got := idText(in); got != want {
			t.Errorf("idText(%q) = %q, want %q", in, got, want)
		}
	}
}
