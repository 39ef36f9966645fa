package statlog

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
)

// Folder is where the files lie. Names are without a folder.
type Folder interface {
	// Each calls do for each regular file with its size in bytes.
	Each(do func(name string, size int64)) error
	// Append adds text to a file, which it makes if need be.
	Append(name string, text []byte) error
	// Link makes name another name of the file to, and takes it away from the
	// file that had it before.
	Link(name, to string) error
	Remove(name string) error
}

// maxBuffer is how much waits for one write.
const maxBuffer = 16 << 10

// book keeps the files of a folder within their bounds.
type book struct {
	folder Folder
	log    *slog.Logger
	keep   int   // days; 0: for ever
	most   int64 // bytes; 0: any number

	current [kinds]page
	sizes   map[string]int64 // of the files with a day in their name
	total   int64
	full    bool // and told
	failing bool // likewise
}

// page is the file of a kind and a day.
type page struct {
	name   string // empty: none yet
	linked bool
	lines  int // since the last banner
	buffer []byte
}

func newBook(f Folder, c config.Statistics, log *slog.Logger) *book {
	b := &book{folder: f, log: log, keep: c.Keep, most: c.MaxSize, sizes: make(map[string]int64)}
	b.look()
	return b
}

// day is a date as it stands in names of files, ntpd's type day.
func day(at clock.Wall) string { return at.Time().Format("20060102") }

// dated returns the day of a file of ours.
func dated(name string) (date string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", false
	}
	base, date := name[:i], name[i+1:]
	if _, err := time.Parse("20060102", date); err != nil || len(date) != len("20060102") {
		return "", false
	}
	for k := range kinds {
		if _, file, _ := k.file(); file == base {
			return date, true
		}
	}
	return "", false
}

// look finds out which files there are.
func (b *book) look() {
	sizes, total := make(map[string]int64), int64(0)
	err := b.folder.Each(func(name string, size int64) {
		if _, ok := dated(name); ok {
			sizes[name] = size
			total += size
		}
	})
	if err != nil {
		b.failed(err)
		return
	}
	b.sizes, b.total = sizes, total
	for k := range b.current {
		b.total += int64(len(b.current[k].buffer))
	}
}

// write takes a line; flush writes it.
func (b *book) write(l line) {
	p := &b.current[l.kind]
	_, file, _ := l.kind.file()
	if name := file + "." + day(l.at); name != p.name {
		b.flush()
		*p = page{name: name, buffer: p.buffer[:0]}
		b.expire(l.at)
	}
	text := l.text
	if p.lines%bannerEvery == 0 {
		text = append(l.kind.appendBanner(nil), text...)
	}
	if !b.fits(int64(len(text)), day(l.at)) {
		return
	}
	p.lines++
	p.buffer = append(p.buffer, text...)
	b.total += int64(len(text))
	if len(p.buffer) >= maxBuffer {
		b.flush()
	}
}

// fits makes room for n bytes, by removing the oldest days, but not today's.
func (b *book) fits(n int64, today string) bool {
	most := b.most
	if b.full {
		most -= most / 8 // or a short line would fit where a long one does not, again and again
	}
	if b.most == 0 || b.total+n <= most {
		b.full = false
		return true
	}
	b.flush()
	b.look() // somebody may have made room
	for b.total+n > most {
		oldest := b.oldest(today)
		if oldest == "" {
			if !b.full {
				b.log.Warn("statistics have reached max_size, nothing is written until a day can go", "bytes", b.total)
			}
			b.full = true
			return false
		}
		if !b.remove(oldest) {
			return false
		}
	}
	b.full = false
	return true
}

// oldest names the file to go first, "" if there are none but today's: of a day
// to come, which a clock was wrong about, and then of the earliest.
func (b *book) oldest(today string) (name string) {
	first := ""
	for n := range b.sizes {
		date, _ := dated(n)
		order := "past " + date + n
		switch {
		case date == today:
			continue
		case date > today:
			order = "future " + n
		}
		if name == "" || order < first {
			name, first = n, order
		}
	}
	return name
}

func (b *book) remove(name string) bool {
	if err := b.folder.Remove(name); err != nil {
		b.failed(err)
		return false
	}
	b.total -= b.sizes[name]
	delete(b.sizes, name)
	return true
}

// expire removes the files of days that are older than is wanted. Where none but
// those are there it waits for the next day: the clock may be decades ahead, as
// an empty battery leaves it, and right again in a minute.
func (b *book) expire(now clock.Wall) {
	if b.keep == 0 {
		return
	}
	today, limit := day(now), now.Time().AddDate(0, 0, -b.keep).Format("20060102")
	var old []string
	familiar := false // these days have been seen before
	for name := range b.sizes {
		date, _ := dated(name)
		if date < limit {
			old = append(old, name)
		}
		familiar = familiar || limit <= date && date < today
	}
	if !familiar {
		return
	}
	slices.Sort(old)
	for _, name := range old {
		b.remove(name)
	}
}

// flush writes what waits.
func (b *book) flush() {
	for k := range b.current {
		p := &b.current[k]
		if len(p.buffer) == 0 {
			continue
		}
		n := int64(len(p.buffer))
		err := b.folder.Append(p.name, p.buffer)
		p.buffer = p.buffer[:0]
		if err != nil {
			b.total -= n
			b.failed(err)
			continue
		}
		b.sizes[p.name] += n
		b.failing = false
		if !p.linked {
			_, file, _ := kind(k).file()
			p.linked = true // it is not tried with each line
			if err := b.folder.Link(file, p.name); err != nil {
				b.log.Info("statistics have no name without a day", "file", file, "reason", err)
			}
		}
	}
}

// failed says once that something cannot be done.
func (b *book) failed(err error) {
	if !b.failing {
		b.log.Warn("statistics cannot be written", "reason", err)
	}
	b.failing = true
}
