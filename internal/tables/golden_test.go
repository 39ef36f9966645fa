package tables

import (
	"strings"
	"testing"

	"ntsd/internal/status"
	"ntsd/internal/status/captured"
)

// render runs one command.
func render(t *testing.T, command string, r status.Report, o Options) string {
	t.Helper()
	var b strings.Builder
	var err error
	switch command {
	case "sources":
		err = Sources(&b, r, o)
	case "sourcestats":
		err = Sourcestats(&b, r, o)
	case "selectdata":
		err = Selectdata(&b, r, o)
	case "authdata":
		err = Authdata(&b, r, o)
	case "tracking":
		err = Tracking(&b, r, o)
	case "activity":
		err = Activity(&b, r, o)
	case "ntpdata":
		_, err = NTPdata(&b, r, o, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestChronycOutputs compares every table with what chronyc 4.x printed for
// the same numbers, byte for byte.
func TestChronycOutputs(t *testing.T) {
	report := status.FromSnapshot(captured.Snapshot(), status.Info{})
	for _, command := range []string{"sources", "sourcestats", "selectdata", "authdata", "ntpdata", "tracking", "activity"} {
		for _, v := range []struct {
			suffix string
			opts   Options
			disp   float64 // tracking's root dispersion grew between the captures
		}{
			{"", Options{}, 0.000003553},
			{"-n", Options{Numeric: true}, 0.000003568},
			{"-c", Options{CSV: true}, 0.000003584},
		} {
			t.Run(command+v.suffix, func(t *testing.T) {
				r := report
				r.Tracking.RootDispersionS = v.disp
				got, want := render(t, command, r, v.opts), captured.Printed(t, "chronyc-"+command+v.suffix)
				if got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}
