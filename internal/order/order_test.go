package order

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

type entry struct{ key, place int }

func byKey(a, b entry) int { return a.key - b.key }

// TestStable: the same as the library, for every length and many orders.
func TestStable(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for length := range 130 {
		for _, keys := range []int{1, 3, 1000} {
			list := make([]entry, length)
			for i := range list {
				list[i] = entry{rng.IntN(keys), i}
			}
			want := slices.Clone(list)
			slices.SortStableFunc(want, byKey)
			Stable(list, byKey)
			if !slices.Equal(list, want) {
				t.Fatalf("seed %d: %d entries of %d keys: got %v, want %v", seed, length, keys, list, want)
			}
		}
	}
}

// TestComparisons: no order of the list makes it slow.
func TestComparisons(t *testing.T) {
	const length, most = 4096, 4096 * 12
	for name, at := range map[string]func(int) int{
		"sorted": func(i int) int { return i }, "reversed": func(i int) int { return -i },
		"saw": func(i int) int { return i % 64 }, "equal": func(int) int { return 0 },
	} {
		list := make([]entry, length)
		for i := range list {
			list[i] = entry{at(i), i}
		}
		n := 0
		Stable(list, func(a, b entry) int { n++; return byKey(a, b) })
		if n > most {
			t.Errorf("%s: %d comparisons of %d entries, want at most %d", name, n, length, most)
		}
	}
}
