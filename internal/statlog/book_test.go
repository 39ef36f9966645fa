package statlog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
)

// memory is a folder in memory.
type memory struct {
	files map[string]string
	links map[string]string
	fails error
	size  int64 // the most that all files with a day had together
}

func newMemory() *memory { return &memory{files: map[string]string{}, links: map[string]string{}} }

func (m *memory) Each(do func(string, int64)) error {
	for name, text := range m.files {
		do(name, int64(len(text)))
	}
	return m.fails
}

func (m *memory) Append(name string, text []byte) error {
	if m.fails != nil {
		return m.fails
	}
	m.files[name] += string(text)
	sum := int64(0)
	for name, text := range m.files {
		if _, ours := dated(name); ours {
			sum += int64(len(text))
		}
	}
	m.size = max(m.size, sum)
	return nil
}

func (m *memory) Link(name, to string) error { m.links[name] = to; return m.fails }

func (m *memory) Remove(name string) error { delete(m.files, name); return m.fails }

func (m *memory) names() string { return strings.Join(slices.Sorted(maps.Keys(m.files)), " ") }

func testBook(m *memory, keep int, most int64) (*book, *bytes.Buffer) {
	var log bytes.Buffer
	return newBook(m, config.Statistics{Keep: keep, MaxSize: most}, slog.New(slog.NewTextHandler(&log, nil))), &log
}

func on(day int) clock.Wall {
	return clock.WallTime(time.Date(2026, 11, day, 23, 59, 59, 999e6, time.UTC))
}

// TestDayChanges: a new day is a new file, the name without a day follows, and
// older days than are to be kept go; what is not ours stays.
func TestDayChanges(t *testing.T) {
	m := newMemory()
	for _, name := range []string{"peerstats.20261101", "loopstats.20261119", "tracking.log.20261118", "peerstats.old", "peerstats.20261399", "other.20261101", "peerstats"} {
		m.files[name] = "x\n"
	}
	b, _ := testBook(m, 3, 0)
	b.write(line{peerstats, on(22), []byte("a\n")})
	b.write(line{peerstats, on(22), []byte("b\n")})
	b.write(line{peerstats, on(22).Add(time.Millisecond), []byte("c\n")})
	b.write(line{tracking, on(23), []byte("d\n")})
	b.flush()
	if got, want := m.names(), "other.20261101 peerstats peerstats.20261122 peerstats.20261123 peerstats.20261399 peerstats.old tracking.log.20261123"; got != want {
		t.Errorf("files:\n got %s\nwant %s", got, want)
	}
	if m.files["peerstats.20261122"] != "a\nb\n" || m.files["peerstats.20261123"] != "c\n" {
		t.Errorf("got %q", m.files)
	}
	if m.links["peerstats"] != "peerstats.20261123" || m.links["tracking.log"] != "tracking.log.20261123" || len(m.links) != 2 {
		t.Errorf("links: got %v", m.links)
	}
}

// TestWrongCentury: a clock that is decades ahead, as an empty battery leaves it,
// does not make everything old; a machine that was off for long loses what is
// old, if a day later.
func TestWrongCentury(t *testing.T) {
	m := newMemory()
	b, _ := testBook(m, 7, 0)
	day := func(n int) {
		b.write(line{loopstats, on(1).Add(time.Duration(n) * 24 * time.Hour), []byte("x\n")})
		b.flush()
	}
	for n := range 5 {
		day(n)
	}
	day(25000)
	day(5)
	if got := len(b.sizes); got != 7 {
		t.Errorf("after a moment in another century: %d files, want 7", got)
	}
	day(100)
	day(101)
	if got := len(b.sizes); got > 3 { // those two, and that of the other century
		t.Errorf("after a season: %d files, want the old ones gone: %v", got, b.sizes)
	}
}

// TestBannerEvery32Lines: at the top of each file, and as often as chrony has it.
func TestBannerEvery32Lines(t *testing.T) {
	m := newMemory()
	b, _ := testBook(m, 0, 0)
	for i := range 40 {
		b.write(line{tracking, on(22), fmt.Appendln(nil, "line", i)})
	}
	b.write(line{tracking, on(23), []byte("next\n")})
	b.flush()
	banner := string(tracking.appendBanner(nil))
	first := m.files["tracking.log.20261122"]
	if !strings.HasPrefix(first, banner+"line 0\n") || !strings.Contains(first, "line 31\n"+banner+"line 32\n") || strings.Count(first, banner) != 2 {
		t.Errorf("got\n%s", first)
	}
	if got := m.files["tracking.log.20261123"]; got != banner+"next\n" {
		t.Errorf("next day: got\n%s", got)
	}
}

// TestSizeIsBounded: whatever comes, all files together never exceed the bound;
// the oldest day goes first, and days to come before it.
func TestSizeIsBounded(t *testing.T) {
	const seed, most = 7, 5000
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	m := newMemory()
	m.files["peerstats.20991231"] = strings.Repeat("x", 500)
	b, log := testBook(m, 0, most)
	at := clock.WallUnix(1790000000, 0)
	for range 20000 {
		at = at.Add(time.Duration(r.IntN(3600)) * time.Second)
		b.write(line{kind(r.IntN(int(kinds))), at, []byte(strings.Repeat("y", 1+r.IntN(80)) + "\n")})
		if r.IntN(4) == 0 {
			b.flush()
		}
	}
	b.flush()
	if m.size > most || m.size < most/2 {
		t.Errorf("%d bytes at most, want no more than %d, and not much less", m.size, most)
	}
	if strings.Contains(m.names(), "2099") {
		t.Errorf("a day to come is kept: %s", m.names())
	}
	if log.Len() != 0 {
		t.Errorf("log: %s", log.String())
	}
}

// TestFull: where only today is left nothing more is written, which is told once;
// the next day it goes on.
func TestFull(t *testing.T) {
	m := newMemory()
	b, log := testBook(m, 0, 100)
	b.write(line{peerstats, on(21), []byte(strings.Repeat("a", 59) + "\n")})
	for range 20 {
		b.write(line{loopstats, on(22), []byte("123456789\n")})
	}
	b.flush()
	if got := m.names(); got != "loopstats.20261122" || len(m.files["loopstats.20261122"]) != 100 {
		t.Errorf("got %s: %q", got, m.files)
	}
	if n := strings.Count(log.String(), "max_size"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
	b.write(line{loopstats, on(23), []byte("next\n")})
	b.flush()
	if got := m.names(); got != "loopstats.20261123" {
		t.Errorf("the day after: got %s", got)
	}
	// Somebody makes room.
	b.write(line{loopstats, on(23), []byte(strings.Repeat("b", 90) + "\n")})
	b.write(line{loopstats, on(23), []byte("no room\n")})
	b.flush()
	clear(m.files)
	b.write(line{loopstats, on(23), []byte("room\n")})
	b.flush()
	if got := m.files["loopstats.20261123"]; got != "room\n" {
		t.Errorf("after files were removed: got %q", got)
	}
}

// TestFolderFails: told once, tried again, and told again after it worked.
func TestFolderFails(t *testing.T) {
	m := newMemory()
	m.fails = errors.New("no space left")
	b, log := testBook(m, 1, 100)
	for range 50 {
		b.write(line{loopstats, on(22), []byte("123456789\n")})
		b.flush()
	}
	m.fails = nil
	b.write(line{loopstats, on(22), []byte("works\n")})
	b.flush()
	m.fails = errors.New("no space again")
	b.write(line{loopstats, on(22), []byte("fails\n")})
	b.flush()
	if got := m.files["loopstats.20261122"]; got != "works\n" {
		t.Errorf("got %q", got)
	}
	if strings.Count(log.String(), "cannot be written") != 2 || strings.Contains(log.String(), "max_size") {
		t.Errorf("log:\n%s", log.String())
	}
}
