package probe

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"ntsd/internal/nts"
	"ntsd/internal/order"
)

// steps are the placeholders of the requests that are tried, as far as one may
// have so many: each is as long as a cookie.
func steps() []int { return []int{1, 3, 5, nts.MaxCookies - 1} }

// lengths finds out whether longer requests get lost: those that a client sends
// when it has lost cookies and wants them replaced. The server answers each
// with as many bytes.
func (t *test) lengths(ctx context.Context) {
	if !t.target.Source.NTS {
		return // a plain request has but one length
	}
	t.step("trying longer requests")
	var lost []int
	for _, n := range steps() {
		answered, ok := t.try(ctx, n)
		if !ok {
			break
		}
		if !answered {
			lost = append(lost, n)
		}
	}
	for _, n := range lost { // once more: any packet can get lost
		if _, ok := t.try(ctx, n); !ok {
			break
		}
	}
	t.concludeLengths()
}

// try sends one request; ok is false when no more can be sent.
func (t *test) try(ctx context.Context, placeholders int) (answered, ok bool) {
	if len(t.session.Cookies) == 0 || t.stopped != "" || !t.rest(ctx) {
		return false, false
	}
	placeholders = nts.Placeholders(0, t.session.Cookies[0], placeholders)
	r, err := t.secured(placeholders)
	if err != nil {
		return false, false
	}
	got, err := t.exchange(ctx, r)
	if ctx.Err() != nil || t.sent > maxRequests {
		return false, false
	}
	t.count(len(r.data), err == nil, true)
	if err != nil {
		return false, true
	}
	if got.kiss != 0 {
		t.stopped = got.kiss.String()
	}
	t.session.AddCookies(got.cookies)
	return true, true
}

// count notes a request of that length. Those of one length are one row.
func (t *test) count(bytes int, answered, secured bool) {
	i := slices.IndexFunc(t.result.Lengths, func(l Length) bool { return l.Bytes == bytes })
	if i < 0 {
		i = len(t.result.Lengths)
		t.result.Lengths = append(t.result.Lengths, Length{Bytes: bytes, NTS: secured})
	}
	l := &t.result.Lengths[i]
	l.Sent++
	if answered {
		l.Answered++
	}
	order.Stable(t.result.Lengths, func(a, b Length) int { return a.Bytes - b.Bytes })
}

// concludeLengths says what the lengths mean.
func (t *test) concludeLengths() { t.result.SizeLoss = conclude(t.result.Lengths, t.stopped) }

// leastLost is how many requests must be missing, and none answered, before a
// length counts as lost.
const leastLost = 2

// conclude judges the loss by length: it is by size when every length up to one
// was answered and none above it.
func conclude(all []Length, stopped string) *SizeLoss {
	if len(all) < 2 {
		return nil
	}
	lost, sent := 0, 0
	above, longest := 0, all[len(all)-1].Bytes
	firstLost := len(all)
	for i, l := range all {
		lost += l.Sent - l.Answered
		sent += l.Sent
		if l.Answered == 0 && i < firstLost {
			firstLost = i
		}
	}
	bySize, proof := firstLost > 0 && firstLost < len(all), 0
	for _, l := range all[min(firstLost, len(all)):] {
		bySize = bySize && l.Answered == 0
		proof += l.Sent
	}
	switch {
	case bySize && proof >= leastLost:
		above = all[firstLost-1].Bytes
		return &SizeLoss{Suspected: true, Above: above, Verdict: fmt.Sprintf(
			"requests longer than %d bytes get no reply: something between here and the server drops them", above)}
	case lost == 0:
		text := fmt.Sprintf("requests of %d to %d bytes got replies", all[0].Bytes, longest)
		if stopped != "" {
			text += "; longer ones were not tried, the server answered " + strconv.Quote(stopped)
		}
		return &SizeLoss{Verdict: text}
	}
	return &SizeLoss{Verdict: fmt.Sprintf("%d of %d requests got no reply, whatever their length: packets get lost on the way", lost, sent)}
}
