package rpcd

import (
	"cmp"
	"encoding/json"
	"slices"

	"ntsd/internal/order"
)

// maxListed is how many clients an answer has: a page that is drawn anew every
// few seconds shows no more, rpcd takes 256 KiB from a plugin, and ubus a
// megabyte from anybody.
const maxListed = 500

// Listed makes an object of a list, as JSON was decoded, under the name of its
// method: ubus and rpcd pass on objects only. Of a list that is too long those
// rows are left that count most requests, in their order, and "total" says how
// many there were.
func Listed(method string, list []any) map[string]any {
	if len(list) <= maxListed {
		return map[string]any{method: list}
	}
	rows := make([]int, len(list))
	for i := range rows {
		rows[i] = i
	}
	order.Stable(rows, func(i, j int) int { return cmp.Compare(requests(list[j]), requests(list[i])) })
	rows = rows[:maxListed]
	slices.Sort(rows)
	most := make([]any, 0, maxListed)
	for _, i := range rows {
		most = append(most, list[i])
	}
	return map[string]any{method: most, "total": float64(len(list))}
}

// requests is what a row counts.
func requests(row any) float64 {
	fields, _ := row.(map[string]any)
	switch n := fields["requests"].(type) {
	case float64:
		return n
	case json.Number:
		f, _ := n.Float64() // 0 where it is none
		return f
	}
	return 0
}
