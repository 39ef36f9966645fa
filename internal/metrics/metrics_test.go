package metrics

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

var update = flag.Bool("update", false, "write the list of names anew")

// filled returns an input in which every number is another one, with the paths
// of all of them.
func filled() (in Input, numbers map[string]string) {
	f := filler{numbers: make(map[string]string)}
	f.fill("report", reflect.ValueOf(&in.Report).Elem())
	in.Server, in.Keys = new(status.ServerStats), new(status.NTSKeys)
	f.fill("server", reflect.ValueOf(in.Server).Elem())
	f.fill("keys", reflect.ValueOf(in.Keys).Elem())
	s := &in.Report.Sources[0]
	s.Mark, s.Auth.Mode, in.Report.Bootstrap.Phase = "*", "nts", "done"
	s.PollLog2, s.NTP.PrecisionLog2 = 6, -20
	return in, f.numbers
}

type filler struct {
	n       int64
	numbers map[string]string
}

func (f *filler) fill(path string, v reflect.Value) {
	f.n++
	number := 1000 + f.n
	switch p := v.Addr().Interface().(type) {
	case *status.Time:
		*p = status.Time(clock.WallUnix(number, 0))
		f.numbers[path] = fmt.Sprint(number)
		return
	case *status.Leap:
		*p = status.LeapInsert
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(path, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(path, v.Index(0))
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(path+".key", key)
		f.fill(path, elem)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.String:
		v.SetString(fmt.Sprint("text", number))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(number) + 0.5)
		f.numbers[path] = strconv.FormatFloat(float64(number)+0.5, 'g', -1, 64)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(number))
		f.numbers[path] = fmt.Sprint(number)
	default:
		v.SetInt(number)
		f.numbers[path] = fmt.Sprint(number)
	}
}

// untold are the numbers that are no metrics, and why.
func untold() map[string]string {
	const (
		identity = "says which one is meant"
		copied   = "is told of the source"
		logged   = "is text for people"
		changed  = "is told in another unit"
	)
	return map[string]string{
		"report.Daemon.PID": identity, "report.Daemon.Log.Time": logged, "report.Daemon.Config.Read": logged,
		"report.Sources.Ident.Port": identity, "report.Sources.Ident.ID": identity, "report.Sources.Sample.PollLog2": changed, "report.Sources.Sample.Reach": changed,
		"report.Sources.Auth.KeyID": identity, "report.Sources.Auth.AEAD": identity, "report.Sources.Auth.KEPort": identity,
		"report.Sources.NTP.Version": identity, "report.Sources.NTP.Mode": identity, "report.Sources.NTP.Stratum": copied,
		"report.Sources.NTP.PollLog2": copied, "report.Sources.NTP.PrecisionLog2": changed,
		"report.Sources.NTP.Transmitted": logged, "report.Sources.NTP.Arrived": logged, "report.Sources.Auth.KeyBits": changed,
		"report.Bootstrap.Started": logged, "report.Bootstrap.Floor": logged, "report.Bootstrap.Rungs.AfterS": logged,
		"server.Ports": identity, "keys.Keys.ID": identity, "keys.Keys.Made": identity, "keys.Keys.AgeS": identity,
		"keys.FlashDay": "is told of the daemon", "keys.Flash": "is told of the daemon",
	}
}

// TestEveryNumberIsTold: each number of the report is the value of a metric, or
// there is a reason why not.
func TestEveryNumberIsTold(t *testing.T) {
	in, numbers := filled()
	out := string(Append(nil, in, OpenMetrics))
	reasons := untold()
	for path, number := range numbers {
		told := strings.Contains(out, " "+number+"\n")
		switch reason := reasons[path]; {
		case !told && reason == "":
			t.Errorf("%s (%s) is no metric, and no reason is given", path, number)
		case told && reason != "":
			t.Errorf("%s is a metric, but %q is said to be why not", path, reason)
		}
		delete(reasons, path)
	}
	for path := range reasons {
		t.Errorf("there is no number %s", path)
	}
}

// sample is one line of the output.
type sample struct{ family, name, labels, value string }

var (
	sampleLine = regexp.MustCompile(`^([a-z][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (-?[0-9.]+(?:e[-+][0-9]+)?)$`)
	metaLine   = regexp.MustCompile(`^# (TYPE|UNIT|HELP) ([a-z0-9_]+) (.+)$`)
)

// parse reads an exposition as strictly as the specification of OpenMetrics 1.0
// has it, and returns the samples.
func parse(t *testing.T, out []byte, f Format) (all []sample) {
	t.Helper()
	text, complete := strings.CutSuffix(string(out), "# EOF\n")
	if complete != (f == OpenMetrics) {
		t.Errorf("# EOF at the end: got %v", complete)
	}
	family, typ, unit, help := "", "", "", ""
	families, series := make(map[string]bool), make(map[string]bool)
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if m := metaLine.FindStringSubmatch(line); m != nil {
			switch m[1] {
			case "TYPE":
				if families[m[2]] {
					t.Errorf("family %s is there twice", m[2])
				}
				family, typ, unit, help = m[2], m[3], "", ""
				families[family] = true
			case "UNIT":
				unit = m[3]
				if !strings.HasSuffix(family, "_"+unit) || m[2] != family || f == Text {
					t.Errorf("unit: %q in family %s", line, family)
				}
			case "HELP":
				if help = m[3]; m[2] != family || !strings.HasSuffix(help, ".") {
					t.Errorf("help: %q in family %s", line, family)
				}
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a line of metrics: %q", line)
			continue
		}
		want := family
		if f == OpenMetrics {
			want += map[string]string{"counter": "_total", "info": "_info"}[typ]
		}
		if m[1] != want || help == "" {
			t.Errorf("%q in family %s (%s)", line, family, typ)
		}
		if series[m[1]+m[2]] {
			t.Errorf("series %s%s is there twice", m[1], m[2])
		}
		series[m[1]+m[2]] = true
		switch {
		case typ == "counter" && m[3][0] == '-':
			t.Errorf("a negative counter: %q", line)
		case typ == "stateset" && !strings.Contains(m[2], family+`="`):
			t.Errorf("a set of states without the label %s: %q", family, line)
		case typ != "counter" && strings.HasSuffix(m[1], "_total"):
			t.Errorf("not a counter: %q", line)
		}
		for _, u := range []string{"seconds", "bytes", "ppm", "ratio"} {
			if strings.HasSuffix(family, "_"+u) && unit != u && f == OpenMetrics {
				t.Errorf("%s: the unit is not told", family)
			}
		}
		all = append(all, sample{family, m[1], m[2], m[3]})
	}
	return all
}

// TestFormats: both formats are sound, hold the same samples, and the names are
// those that dashboards were built on.
func TestFormats(t *testing.T) {
	in, _ := filled()
	in.Report.Sources = append(in.Report.Sources, status.Source{Ident: status.Ident{Name: "new.example"}, Sample: status.Sample{LastRx: status.Never}, Auth: status.Auth{Mode: "none", LastKE: status.Never, NextKE: status.Never}, Selection: status.Selection{Last: status.Never}})
	open, text := parse(t, Append(nil, in, OpenMetrics), OpenMetrics), parse(t, Append(nil, in, Text), Text)
	strip := func(all []sample) (lines []string) {
		for _, s := range all {
			lines = append(lines, s.name+s.labels+" "+s.value)
		}
		return lines
	}
	if !slices.Equal(strip(open), strip(text)) {
		t.Error("the formats do not hold the same samples")
	}
	var names []string
	for _, s := range open {
		names = append(names, s.name)
	}
	slices.Sort(names)
	got := strings.Join(slices.Compact(names), "\n") + "\n"
	const golden = "testdata/names"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the names are not those in %s: people have built on them; -update writes it anew\ngot:\n%s", golden, got)
	}
	for _, line := range strip(open) {
		if strings.Contains(line, "new.example") && (strings.Contains(line, "_nts_") || strings.Contains(line, "_age_seconds") || strings.Contains(line, "offset")) {
			t.Errorf("told of a source that is not known yet: %s", line)
		}
	}
}

// TestZeroReport: a daemon that knows nothing yet gives sound metrics, too.
func TestZeroReport(t *testing.T) {
	for _, s := range parse(t, Append(nil, Input{}, OpenMetrics), OpenMetrics) {
		if s.name == "ntsd_synchronised" && s.value != "0" {
			t.Errorf("got %+v", s)
		}
	}
}

// TestBounds: so many sources, each once; a label has a length; what others
// wrote cannot break a line.
func TestBounds(t *testing.T) {
	in, _ := filled()
	for i := range 1000 {
		s := in.Report.Sources[0]
		s.Name, s.Address = "pool.example", fmt.Sprintf("192.0.2.%d", i%300)
		in.Report.Sources = append(in.Report.Sources, s)
	}
	hostile := "a\"} 1\nntsd_synchronised 1 \\" + strings.Repeat("x", 1000) + "\xff"
	in.Report.Sources[1].Name = hostile
	in.Report.Tracking.ReferenceName = hostile
	out := Append(nil, in, OpenMetrics)
	count := 0
	for _, s := range parse(t, out, OpenMetrics) {
		if len(s.labels) > 4*maxLabel {
			t.Errorf("labels of %d bytes", len(s.labels))
		}
		if s.name == "ntsd_source_info" {
			count++
		}
		if s.name == "ntsd_sources_omitted" && s.value != "937" {
			t.Errorf("omitted: got %s", s.value)
		}
	}
	if count != MaxSources {
		t.Errorf("%d sources, want %d", count, MaxSources)
	}
	if n := len(out); n > 2<<20 {
		t.Errorf("%d bytes", n)
	}
}

// TestAppendIsCheap: a router writes all of it every 15 seconds.
func TestAppendIsCheap(t *testing.T) {
	in, _ := filled()
	buf := Append(nil, in, Text)
	if n := testing.AllocsPerRun(10, func() { buf = Append(buf[:0], in, Text) }); n > 1000 {
		t.Errorf("%v allocations for %d bytes", n, len(buf))
	}
}

// TestEscape: what a quoted label and a help text cannot hold.
func TestEscape(t *testing.T) {
	const raw = "a\\b\"c\nd"
	for _, c := range []struct{ got, want string }{
		{escapeLabel(raw), `a\\b\"c\nd`},
		{escapeLabel("é\xff"), "é\ufffd"},
		{escapeHelp(raw, OpenMetrics), `a\\b\"c\nd`},
		{escapeHelp(raw, Text), `a\\b"c\nd`},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// promtool is Prometheus's own checker, where there is one.
func promtool(t *testing.T) string {
	t.Helper()
	paths := []string{"promtool", "../../build/peers/prometheus/usr/bin/promtool"}
	for _, p := range paths {
		if path, err := exec.LookPath(p); err == nil {
			abs, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	if os.Getenv("NTSD_CI") != "" {
		t.Fatal("promtool is missing: scripts/peers.sh fetches it")
	}
	t.Skip("promtool is missing: scripts/peers.sh fetches it")
	return ""
}

// TestPromtool: Prometheus itself can read the text format, and its linter has
// nothing to say.
func TestPromtool(t *testing.T) {
	in, _ := filled()
	cmd := exec.Command(promtool(t), "check", "metrics", "--extended")
	cmd.Stdin = bytes.NewReader(Append(nil, in, Text))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
