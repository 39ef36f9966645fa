package terminal

import (
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		line string
		cols int
		want string
	}{
		{"abc", 0, "abc"},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"▁▃█x", 3, "▁▃█"},
		{"\x1b[1;32mabcd\x1b[0m", 3, "\x1b[1;32mabc\x1b[0m"},
	} {
		if got := fit(c.line, c.cols); got != c.want {
			t.Errorf("fit(%q, %d) = %q, want %q", c.line, c.cols, got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		cols int
		want string
	}{
		{"", 10, "\n"},
		{"aa bb cc", 0, "aa bb cc\n"},
		{"aa bb cc", 8, "aa bb cc\n"},
		{"aa bb cc", 7, "aa bb\n  cc\n"},
		{"ää bb cc dd", 6, "ää bb\n  cc\n  dd\n"},
		{"much-too-long a", 4, "much-too-long\n  a\n"},
	} {
		if got := Wrap(c.text, c.cols); got != c.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.text, c.cols, got, c.want)
		}
	}
}

// What is no terminal gets one frame after the other, and colours only by request.
func TestNoTerminal(t *testing.T) {
	var out strings.Builder
	s := Open(&out, nil)
	for range 2 {
		if err := s.Draw("a\nb\n", []string{"c"}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if got, want := out.String(), "a\nb\n\nc\n\na\nb\n\nc\n"; got != want || s.Live || Is(&out) || Colorful(&out) {
		t.Errorf("got %q, want %q, and no terminal", got, want)
	}
	if cols, rows := s.Size(); cols != 0 || rows != 0 {
		t.Errorf("size %d by %d of what is no terminal", cols, rows)
	}
}
