package interop

import (
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
)

// statRows returns the columns of a file's lines, without banners; nothing where
// there is no file.
func statRows(path string) (rows [][]string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if line[0] >= '0' && line[0] <= '9' {
			rows = append(rows, strings.Fields(line))
		}
	}
	return rows
}

// statBanner returns the lines of a file before the first that has numbers.
func statBanner(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(text), "\n2")
	return string(text[:max(i, 0)])
}

// TestNtsdStatisticsLikeOthers: chronyd, NTPsec's ntpd and ntsd ask one server
// that is 50 ms ahead. What they write of it has the same columns, and the offset
// in the same units and with the same sign.
func TestNtsdStatisticsLikeOthers(t *testing.T) {
	l := newLab(t)
	up := l.Host("upstream")
	const ahead = 0.050
	err := up.Do(func() error {
		s, err := demo.Start(t.Context(), demo.ServerConfig{NTPAddr: netip.AddrPortFrom(up.IPv4, ntpPort), Offset: clock.OffsetSeconds(ahead)})
		if err == nil {
			t.Cleanup(s.Close)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	folder := func(h *Host) string {
		dir := filepath.Join(h.Dir, "statistics")
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	chrony, ntpsec, router := l.Host("chrony"), l.Host("ntpsec"), l.Host("router")
	theirs, old, ours := folder(chrony), folder(ntpsec), folder(router)
	chrony.StartChronyd(l.peers, "server "+up.IPv4.String()+" minpoll 0 maxpoll 0", "logdir "+theirs, "log measurements statistics tracking")
	ntpsec.StartNTPsec(l.peers, "server "+up.IPv4.String()+" iburst minpoll 3 maxpoll 3", "statsdir "+old+"/",
		"statistics loopstats peerstats rawstats", "filegen loopstats file loopstats type day enable",
		"filegen peerstats file peerstats type day enable", "filegen rawstats file rawstats type day enable")
	log := Section("statistics", "dir", ours)
	for _, name := range []string{"loopstats", "peerstats", "rawstats", "measurements", "statistics", "tracking"} {
		log += "\tlist log '" + name + "'\n"
	}
	l.ntsd("router", plainSource(up.IPv4.String(), 0), Section("makestep", "threshold", "10", "limit", "0"), log)

	for _, c := range []struct {
		dir, file string
		offset    int // the column; 0: none that says it
		sign      float64
	}{
		{theirs, "measurements.log", 11, 1},
		{theirs, "statistics.log", 4, -1},
		{theirs, "tracking.log", 0, 0},
		{old, "loopstats", 2, 1},
		{old, "peerstats", 4, 1},
		{old, "rawstats", 0, 0},
	} {
		var their, our [][]string
		router.waitFor("lines of "+c.file, func() bool {
			their, our = statRows(filepath.Join(c.dir, c.file)), statRows(filepath.Join(ours, c.file))
			return len(their) > 1 && len(our) > 1
		})
		a, b := their[len(their)-1], our[0]
		if len(a) != len(b) {
			t.Errorf("%s: %d columns, ours has %d:\n%q\n%q", c.file, len(a), len(b), a, b)
			continue
		}
		for i := range a {
			if shapeOf(a[i]) != shapeOf(b[i]) && i != 0 {
				t.Errorf("%s: column %d: %q, ours %q", c.file, i, a[i], b[i])
			}
		}
		for _, row := range [][]string{their[0], our[0]} {
			if c.offset == 0 {
				continue
			}
			if x, err := strconv.ParseFloat(row[c.offset], 64); err != nil || math.Abs(x*c.sign-ahead) > ahead/2 {
				t.Errorf("%s: got an offset of %s, want about %v: %q", c.file, row[c.offset], ahead*c.sign, row)
			}
		}
		if c.dir == theirs && statBanner(t, filepath.Join(theirs, c.file)) != statBanner(t, filepath.Join(ours, c.file)) {
			t.Errorf("%s: another banner:\n%s", c.file, statBanner(t, filepath.Join(ours, c.file)))
		}
	}
	for _, dir := range []string{old, ours} {
		if days, err := filepath.Glob(filepath.Join(dir, "peerstats.20??????")); err != nil || len(days) == 0 {
			t.Errorf("%s has no file with a day in its name", dir)
		}
	}
}

// shapeOf is what kind of word a column has: how many decimals, an exponent.
func shapeOf(word string) string {
	var b strings.Builder
	word = strings.TrimPrefix(word, "-")
	point := strings.IndexByte(word, '.')
	switch {
	case strings.Count(word, ".") == 1 && strings.Trim(word, "0123456789.e-+") == "":
		b.WriteString("number")
		for _, r := range word[point:] {
			if r < '0' || r > '9' {
				b.WriteRune(r)
				continue
			}
			b.WriteByte('0')
		}
		return strings.NewReplacer("+", "-").Replace(b.String())
	case strings.Trim(word, "0123456789") == "":
		return "count"
	}
	return "word"
}
