package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/sim"
)

// words is a line of a scenario that is read from left to right. The first
// error stays; after it everything reads as zero.
type words struct {
	left []string
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// next returns the next word, "" at the end of the line.
func (w *words) next(what string) string {
	if len(w.left) == 0 {
		w.fail("%s is missing", what)
		return ""
	}
	word := w.left[0]
	w.left = w.left[1:]
	return word
}

// skip reads word if it comes next.
func (w *words) skip(word string) bool {
	if w.err != nil || len(w.left) == 0 || w.left[0] != word {
		return false
	}
	w.left = w.left[1:]
	return true
}

// more reports whether another word could be read.
func (w *words) more() bool { return w.err == nil && len(w.left) > 0 }

// end complains about words that are left.
func (w *words) end() error {
	if w.err == nil && len(w.left) > 0 {
		w.fail("unexpected %q", w.left[0])
	}
	return w.err
}

func (w *words) integer(what string, least, most int) int {
	word := w.next(what)
	n, err := strconv.Atoi(word)
	if w.err == nil && (err != nil || n < least || n > most) {
		w.fail("%s: got %q, want a number from %d to %d", what, word, least, most)
		return least
	}
	return n
}

func (w *words) number(what string, least, most float64) float64 {
	word := w.next(what)
	x, err := strconv.ParseFloat(word, 64)
	if w.err == nil && (err != nil || math.IsNaN(x) || x < least || x > most) {
		w.fail("%s: got %q, want a number from %g to %g", what, word, least, most)
		return least
	}
	return x
}

// share is a number from 0 to 1.
func (w *words) share(what string) float64 { return w.number(what, 0, 1) }

// longest bounds every duration of a scenario.
const longest = 4000 * time.Hour

func (w *words) duration(what string) time.Duration {
	word := w.next(what)
	d, err := time.ParseDuration(word)
	if w.err == nil && (err != nil || d < -longest || d > longest) {
		w.fail("%s: got %q, want a duration like 1.5ms or 7200s", what, word)
		return 0
	}
	return d
}

// positive is a duration above 0.
func (w *words) positive(what string) time.Duration {
	d := w.duration(what)
	if w.err == nil && d <= 0 {
		w.fail("%s: got %v, want more than 0", what, d)
	}
	return d
}

// instant is a time since the beginning.
func (w *words) instant(what string) sim.Instant {
	d := w.duration(what)
	if w.err == nil && d < 0 {
		w.fail("%s: got %v, want no time before the beginning", what, d)
	}
	return sim.Instant(d)
}

// rate reads a relative frequency.
func (w *words) rate(what string) clock.Rate {
	word := w.next(what)
	number, unit := word, 1.0
	for suffix, u := range map[string]float64{"ppm": 1e-6, "ppb": 1e-9} {
		if n, ok := strings.CutSuffix(word, suffix); ok {
			number, unit = n, u
		}
	}
	x, err := strconv.ParseFloat(number, 64)
	if x *= unit; err != nil || math.IsNaN(x) || math.Abs(x) > 0.1 {
		w.fail("%s: got %q, want a rate like 100ppm, 5ppb or 1e-9", what, word)
		return 0
	}
	return clock.Rate(x)
}

// when reads the words that say when something is in force, as far as there
// are any.
func (w *words) when() (at sim.When) {
	for {
		switch {
		case w.skip("from"):
			at.From = w.instant("from")
		case w.skip("until"):
			at.Until = w.instant("until")
			if at.Until <= at.From {
				w.fail("until must be later than from")
			}
		case w.skip("window"):
			at.Period = sim.Instant(w.positive("period"))
			at.Centre = w.instant("centre")
			at.Width = w.instant("width")
		default:
			return at
		}
	}
}

// span is a when that has to be there.
func (w *words) span() sim.When {
	at := w.when()
	if at == (sim.When{}) {
		w.fail("from, until or window is missing")
	}
	return at
}

// maxTerms bounds a sum.
const maxTerms = 32

// sum reads terms with plus signs between them.
func (w *words) sum(term func()) {
	for n := 1; ; n++ {
		term()
		if !w.skip("+") {
			return
		}
		if n == maxTerms {
			w.fail("a sum of more than %d terms", maxTerms)
			return
		}
	}
}

// shape reads the name of a wave, if one comes next.
func (w *words) shape() (sim.Shape, bool) {
	for name, s := range map[string]sim.Shape{
		"sine": sim.ShapeSine, "triangle": sim.ShapeTriangle, "square": sim.ShapeSquare, "ramp": sim.ShapeRamp,
	} {
		if w.skip(name) {
			return s, true
		}
	}
	return sim.ShapeConstant, false
}

// frequency reads the sum of a clock's frequency.
func (w *words) frequency() (o sim.Oscillator) {
	w.sum(func() {
		if w.skip("walk") {
			o.Wander = clock.Rate(math.Hypot(float64(o.Wander), float64(w.rate("walk"))))
			return
		}
		var t sim.Term
		wave := false
		t.Shape, wave = w.shape()
		t.Size = float64(w.rate("frequency"))
		if wave {
			t.Period = w.positive("period")
		}
		t.When = w.when()
		if t.Shape == sim.ShapeConstant && t.When == (sim.When{}) {
			o.Base += clock.Rate(t.Size)
			return
		}
		o.Extra = append(o.Extra, t)
	})
	return o
}

// wrong reads the sum of a server's error.
func (w *words) wrong() (terms []sim.Term) {
	w.sum(func() {
		if w.skip("drift") {
			t := sim.Term{Shape: sim.ShapeRamp, Size: float64(w.rate("drift")), Period: time.Second}
			t.When = w.when()
			terms = append(terms, t)
			return
		}
		var t sim.Term
		wave := false
		t.Shape, wave = w.shape()
		t.Size = w.duration("error").Seconds()
		if wave {
			t.Period = w.positive("period")
		}
		t.When = w.when()
		terms = append(terms, t)
	})
	return terms
}

// delay reads the sum of one direction's delay.
func (w *words) delay() (d sim.Delay) {
	w.sum(func() {
		p := w.part()
		for w.more() {
			if w.skip("chance") {
				p.Chance = w.share("chance")
				continue
			}
			at := w.when()
			if at == (sim.When{}) {
				break
			}
			p.When = at
		}
		d = append(d, p)
	})
	return d
}

func (w *words) part() (p sim.Part) {
	switch {
	case w.skip("exp"):
		return sim.Part{Law: sim.LawExponential, Size: w.duration("mean")}
	case w.skip("normal"):
		return sim.Part{Law: sim.LawNormal, Size: w.duration("deviation")}
	case w.skip("uniform"):
		return sim.Part{Law: sim.LawUniform, Size: w.duration("width")}
	case w.skip("gamma"):
		p = sim.Part{Law: sim.LawGamma, K: w.number("shape", 0.01, 1000)}
		p.Size = w.duration("scale")
	case w.skip("queue"):
		p = sim.Part{Law: sim.LawQueue, Size: w.duration("mean")}
		p.K = w.positive("correlation").Seconds()
	case w.skip("paths"):
		p = sim.Part{Law: sim.LawPaths, K: float64(w.integer("paths", 1, 64))}
		p.Size = w.duration("step")
	default:
		return sim.Part{Law: sim.LawConstant, Size: w.duration("delay")}
	}
	return p
}
