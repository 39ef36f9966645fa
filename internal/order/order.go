// Package order sorts. It belongs to layer 0.
//
// The library's slices.SortFunc and SortStableFunc are made anew for each type
// of element: 3 to 6 kB of a router's flash every time, for speed that lists of
// servers, of lines and of clients do not need. Stable is a tenth of that.
//
// Not here: numbers and strings of which slices.Sort is in the binary anyway, and
// what is sorted for every packet.
package order

// Stable sorts list in the order of compare, which is negative where a stands
// before b and positive where it stands behind. What is equal stays in its order.
// It needs memory for half of the list, and at most n log2 n comparisons.
func Stable[T any](list []T, compare func(a, b T) int) {
	if len(list) > 1 {
		sort(list, make([]T, len(list)/2), compare)
	}
}

// sort merges the two halves of list; spare holds the first of them meanwhile.
func sort[T any](list, spare []T, compare func(a, b T) int) {
	half := len(list) / 2
	if half == 0 {
		return
	}
	sort(list[:half], spare, compare)
	sort(list[half:], spare, compare)
	first, second := spare[:half], list[half:]
	copy(first, list)
	// What is written never reaches what of the second half is still to be read.
	for i := 0; len(first) > 0; i++ {
		if len(second) > 0 && compare(second[0], first[0]) < 0 {
			list[i], second = second[0], second[1:]
		} else {
			list[i], first = first[0], first[1:]
		}
	}
}
