package filter

import (
	"testing"
	"time"
)

func TestQuickest(t *testing.T) {
	var h Quickest
	for i, c := range []struct {
		newest, least, gap time.Duration
	}{{50, 50, 0}, {70, 50, 20}, {40, 40, 10}, {40, 40, 0}, {60, 40, 0}, {30, 30, 10}} {
		least, gap, ok := h.Note(c.newest)
		if ok != (i > 0) || ok && (least != c.least || gap != c.gap) {
			t.Errorf("response %d: least %v, gap %v (%t); want %v, %v", i, least, gap, ok, c.least, c.gap)
		}
	}
	for range recentResponses {
		h.Note(90)
	}
	if least, gap, _ := h.Note(100); least != 90 || gap != 0 {
		t.Errorf("old responses still count: least %v, gap %v", least, gap)
	}
}
