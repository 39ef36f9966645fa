package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const monitoring = "../../files/monitoring/"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMonitoringNamesMetrics: the dashboard and the alerts name only metrics
// that there are, with labels that these have.
func TestMonitoringNamesMetrics(t *testing.T) {
	in, _ := filled()
	labels := make(map[string]string)
	for _, s := range parse(t, Append(nil, in, Text), Text) {
		labels[s.name] += s.labels
	}
	used := regexp.MustCompile(`\bntsd_[a-z_]+`)
	selector := regexp.MustCompile(`(ntsd_[a-z_]+)\{([^}]*)\}`)
	for _, file := range []string{"dashboard.json", "alerts.yml", "alerts_test.yml"} {
		text := strings.ReplaceAll(read(t, monitoring+file), `\"`, `"`)
		found := used.FindAllString(text, -1)
		if len(found) < 10 {
			t.Errorf("%s names %d metrics", file, len(found))
		}
		for _, name := range found {
			if _, ok := labels[name]; !ok {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
		for _, m := range selector.FindAllStringSubmatch(text, -1) {
			for _, l := range regexp.MustCompile(`([a-z_]+)(?:=|!=|=~)"`).FindAllStringSubmatch(m[2], -1) {
				// Prometheus itself adds these two.
				if l[1] != "instance" && l[1] != "job" && !strings.Contains(labels[m[1]], l[1]+`="`) {
					t.Errorf("%s: %s has no label %s", file, m[1], l[1])
				}
			}
		}
	}
}

// TestDashboard: it is JSON that Grafana can take: panels with numbers of their
// own that do not lie over each other, each with something to ask.
func TestDashboard(t *testing.T) {
	type grid struct{ X, Y, W, H int }
	var d struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Type, Title string
			GridPos     grid
			Targets     []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, monitoring+"dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title != "ntsd" || d.UID == "" || d.SchemaVersion == 0 || len(d.Panels) < 15 {
		t.Errorf("got %q, %q, version %d, %d panels", d.Title, d.UID, d.SchemaVersion, len(d.Panels))
	}
	ids := make(map[int]bool)
	for i, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: number %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		if (len(p.Targets) == 0) != (p.Type == "row") || slices.ContainsFunc(p.Targets, func(x struct{ Expr, RefID string }) bool { return x.Expr == "" || x.RefID == "" }) {
			t.Errorf("%s: asks %v", p.Title, p.Targets)
		}
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: is wider than the page", p.Title)
		}
		for _, q := range d.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s lies over %s", p.Title, q.Title)
			}
		}
	}
}

// TestAlerts: Prometheus takes the rules, each of them fires in the tests of
// rules, and none when all is well.
func TestAlerts(t *testing.T) {
	tests := read(t, monitoring+"alerts_test.yml")
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, monitoring+"alerts.yml"), -1) {
		if !strings.Contains(tests, `alertname="`+m[1]+`"`) {
			t.Errorf("no test makes %s fire", m[1])
		}
	}
	tool := promtool(t)
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
