package acceptance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMetrics: the numbers by the client, and as a file that is there from the
// start, follows a reload and goes with the daemon.
func TestMetrics(t *testing.T) {
	w := newWorld(t)
	s := w.nts(nil)
	folder := filepath.Join(w.dir, "collector")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(folder, "a.prom"), filepath.Join(folder, "b.prom")
	monitor := func(path string) string { return "config monitor\n\toption metrics '" + path + "'\n" }
	d := w.start(w.config(source(s), monitor(first)))
	d.synchronised()
	text := d.ask("metrics")
	for _, want := range []string{
		`(?m)^ntsd_synchronised 1$`, `(?m)^ntsd_authenticated 1$`, `(?m)^ntsd_source_reach_ratio\{source="` + host(s) + `",address="` + host(s) + `"\} [01]`,
		`(?m)^ntsd_clock_updates_total [1-9]`, `(?m)^ntsd_server_ports 0$`, `(?m)^ntsd_source_nts_cookies\{.*\} [1-8]$`, `# EOF\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if old := d.ask("metrics", "textfile"); strings.Contains(old, "EOF") || !strings.Contains(old, "# TYPE ntsd_clock_updates_total counter\n") {
		t.Errorf("textfile: got\n%s", old)
	}
	if r := d.ctl("--json", "metrics"); r.exit != 2 {
		t.Errorf("--json: exit status %d", r.exit)
	}
	eventually(t, "file of metrics", func() bool { _, err := os.Stat(first); return err == nil })
	info, err := os.Stat(first)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("got %v, %v", info, err)
	}
	if got, err := os.ReadFile(first); err != nil || !strings.Contains(string(got), "# TYPE ntsd_build_info gauge\n") {
		t.Errorf("got %v\n%s", err, got)
	}
	d.change(w.config(source(s), monitor(second)))
	if r := d.ctl("reload"); r.exit != 0 {
		t.Fatalf("reload: %s", r.stderr)
	}
	eventually(t, "file in its new place", func() bool {
		_, err := os.Stat(second)
		_, old := os.Stat(first)
		return err == nil && os.IsNotExist(old)
	})
	d.stop()
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
