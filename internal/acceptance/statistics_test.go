package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
)

// today is the date in names of statistics; a test that runs over midnight sees
// either.
const today = "20[0-9][0-9][0-9][0-9][0-9][0-9]"

// statistics returns the section for files in a folder.
func statistics(dir string, more ...string) string {
	text := section("statistics", append([]string{"dir", dir}, more...)...)
	for _, log := range []string{"loopstats", "peerstats", "clockstats", "rawstats", "measurements", "statistics", "tracking"} {
		text += "\tlist log '" + log + "'\n"
	}
	return text
}

// statLines returns the lines of a file, found by a pattern, without banners.
func statLines(t *testing.T, dir, pattern string) (lines []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has just gone
		}
		for line := range strings.Lines(string(text)) {
			if line[0] >= '0' && line[0] <= '9' {
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return lines
}

// TestCheck54StatisticsFilesPerDay: with section statistics there is a file for
// each kind and day, and one by the name alone, a line for each reply or update, in
// the formats of ntpd and chrony, with the offset that is true; without, nothing.
func TestCheck54StatisticsFilesPerDay(t *testing.T) {
	w := newWorld(t)
	const ahead = 0.75
	s := w.nts(func(c *demo.ServerConfig) { c.Offset = clock.OffsetSeconds(ahead) })
	dir, other := filepath.Join(w.dir, "stats"), filepath.Join(w.dir, "other")
	d := w.start(w.config(source(s), section("makestep", "threshold", "10", "limit", "0"), statistics(dir)))
	d.synchronised()
	const f, i = ` -?\d+\.\d{9}`, ` -?\d+`
	const e = ` +-?\d\.\d{3}e[-+]\d\d`
	addr := ` ` + regexp.QuoteMeta(host(s))
	mjd, date := `^\d{5} \d{1,5}\.\d{3}`, `^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d`
	for name, c := range map[string]struct {
		line   string
		column int     // of the offset
		sign   float64 // of one by which our clock is slow
		least  float64 // of how much of it is there
	}{
		"loopstats":        {mjd + f + ` -?\d+\.\d{6}` + f + ` \d+\.\d{6}` + i + `$`, 2, 1, 0.1},
		"peerstats":        {mjd + addr + ` f[0-7]1[a4]` + f + f + f + f + `$`, 4, 1, 0.1},
		"rawstats":         {mjd + addr + ` 127\.\S+( \d{10}\.\d{9}){4} 0 4 4 1 0` + i + ` 0\.\d{6} 0\.\d{6} \.DEMO\. \d+ \d+ 0$`, 0, 0, 0},
		"measurements.log": {date + addr + ` +N  1 111 111 1111  -2  0 0\.00` + e + e + e + e + e + ` 44454D4F 4B [DK] [DK]$`, 11, 1, 0.1},
		"statistics.log":   {date + addr + ` +` + strings.TrimPrefix(e, ` +`) + e + e + e + e + ` +\d\.\de[-+]\d\d +\d+ +0 +\d+ +-?\d\.\d\d$`, 4, -1, 0.1},
		"tracking.log":     {date + addr + ` +2 +-?\d+\.\d{3} +\d+\.\d{3}` + e + ` N  1` + e + e + e + e + e + `$`, 0, 0, 0},
	} {
		var lines []string
		eventually(t, "lines of "+name, func() bool {
			lines = statLines(t, dir, name+"."+today)
			return len(lines) >= 3
		})
		re := regexp.MustCompile(c.line)
		for _, line := range lines {
			if !re.MatchString(line) {
				t.Errorf("%s: got %q, want it to match %s", name, line, re)
			}
		}
		if alone := statLines(t, dir, name); len(alone) < 3 || alone[0] != lines[0] {
			t.Errorf("%s by its name alone: got %q", name, alone)
		}
		if c.column == 0 {
			continue
		}
		// The clock is slewed: what is left is less, and never the other sign.
		first := strings.Fields(lines[0])
		if x, err := strconv.ParseFloat(first[c.column], 64); err != nil || x*c.sign > ahead+0.05 || x*c.sign < c.least {
			t.Errorf("%s: got an offset of %s, want about %v times %v", name, first[c.column], ahead, c.sign)
		}
	}
	// As many lines as replies.
	d.ask("offline")
	rep, err := d.report()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprintf("%d lines in rawstats", rep.Sources[0].Counters.Valid), func() bool {
		return uint64(len(statLines(t, dir, "rawstats."+today))) == rep.Sources[0].Counters.Valid
	})
	eventually(t, fmt.Sprintf("%d lines in tracking", rep.Tracking.Updates), func() bool {
		return uint64(len(statLines(t, dir, "tracking.log."+today))) == rep.Tracking.Updates
	})
	// A reload moves them, or ends them.
	d.change(w.config(source(s), section("statistics", "dir", other)+"\tlist log 'peerstats'\n"))
	d.ask("reload")
	d.ask("online")
	eventually(t, "lines in another folder", func() bool { return len(statLines(t, other, "peerstats")) > 0 })
	if n := len(statLines(t, other, "*stats."+today)); n != len(statLines(t, other, "peerstats."+today)) {
		t.Errorf("%d lines in all files, want peerstats alone", n)
	}
	d.change(w.config(source(s)))
	d.ask("reload")
	eventually(t, "end of the lines", func() bool {
		n := len(statLines(t, other, "peerstats"))
		time.Sleep(4 * silence) // of four replies
		return len(statLines(t, other, "peerstats")) == n
	})
}

// TestStatisticsAreBounded: files of past days go when room is needed, and when
// there is none left nothing more is written, which the log has once.
func TestStatisticsAreBounded(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "stats")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const most = 3000
	for day, size := range map[string]int{"peerstats.20200101": 10, "loopstats.20200102": most - 10, "notes.20200101": 10} {
		if err := os.WriteFile(filepath.Join(dir, day), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := w.start(w.config(source(w.nts(nil)), statistics(dir, "max_size", fmt.Sprint(most), "keep", "0")))
	d.untilLog("statistics have reached max_size")
	for range 5 {
		time.Sleep(silence)
		total := int64(0)
		paths, err := filepath.Glob(filepath.Join(dir, "*."+today))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && filepath.Base(path) != "notes.20200101" {
				total += info.Size()
			}
		}
		if total > most || total < most/2 {
			t.Errorf("%d bytes, want at most %d, and not much less", total, most)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.2020*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "notes.20200101" {
		t.Errorf("of 2020: got %v, %v; want what is not ours", left, err)
	}
	if n := d.count("max_size"); n != 1 {
		t.Errorf("told %d times", n)
	}
}
