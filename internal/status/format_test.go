package status

import "testing"

// The expected strings follow from chronyc's documented units: four digits
// before the next unit is taken, six columns (seven with a sign) for offsets,
// four for intervals.
func TestOffsets(t *testing.T) {
	for _, c := range []struct {
		seconds           float64
		unsigned, withOne string
	}{
		{0, "   0ns", "   +0ns"},
		{133e-9, " 133ns", " +133ns"},
		{-4675e-9, "4675ns", "-4675ns"},
		{9999.4e-9, "9999ns", "+9999ns"},
		{9999.6e-9, "  10us", "  +10us"},
		{-12.3e-3, "  12ms", "  -12ms"},
		{9.9994, "9999ms", "+9999ms"},
		{10.04, " 10.0s", " +10.0s"},
		{-999.4, "999.4s", "-999.4s"},
		{1000, " 1000s", " +1000s"},
		{86400, "86400s", "+86400s"},
		{100000, " 1667m", " +1667m"},
		{-6e6, "1667h", ""},
		{4e8, " 4630d", " +4630d"},
		{1e10, "  317y", "  +317y"},
	} {
		if c.seconds == -6e6 { // 100000 minutes: hours
			c.unsigned, c.withOne = " 1667h", " -1667h"
		}
		if got := magnitude(c.seconds); got != c.unsigned {
			t.Errorf("magnitude(%g) = %q, want %q", c.seconds, got, c.unsigned)
		}
		if got := Signed(c.seconds); got != c.withOne {
			t.Errorf("Signed(%g) = %q, want %q", c.seconds, got, c.withOne)
		}
	}
}

func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		ago  Ago
		want string
		csv  string
	}{
		{Never, "   -", "4294967295"},
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

// The reference ID of an IPv6 address is the start of its MD5 (RFC 5905
// section 7.3); the value is what md5sum says of its 16 bytes.
func TestAddressID(t *testing.T) {
	for in, want := range map[string]string{
		"10.66.0.1": "0A420001", "2001:db8::1": "39AB9B37", "": "00000000", "nonsense": "00000000",
	} {
		if got := AddressID(in); got != want {
			t.Errorf("AddressID(%q) = %s, want %s", in, got, want)
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
