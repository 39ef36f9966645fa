package po

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// LMO compiles a catalog to the form that LuCI reads ("Lua machine object"):
// the translated texts, each padded to four bytes, then for each an index entry,
// sorted by key, then where the index begins; all numbers big-endian.
//
//	text | text | ... | key form+1 offset length | ... | offset of the index
//
// The key is a hash of context, text and form; key 0 is the rule for plurals. A
// text that is translated by itself, or not at all, is left out. Nothing comes
// out where nothing is translated.
func LMO(c *Catalog) []byte {
	var out []byte
	var index []entry
	add := func(key uint32, form int, text string) {
		index = append(index, entry{key, uint32(form), uint32(len(out)), uint32(len(text))})
		out = append(out, text...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	if rule := c.field("Plural-Forms"); rule != "" {
		add(0, 0, rule)
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		for form, text := range m.Strings {
			key := hash(m.lookup(form))
			if text != "" && key != hash(text) {
				add(key, len(m.Strings), text)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	start := uint32(len(out))
	slices.SortStableFunc(index, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	for _, e := range index {
		for _, n := range []uint32{e.key, e.form, e.offset, e.length} {
			out = binary.BigEndian.AppendUint32(out, n)
		}
	}
	return binary.BigEndian.AppendUint32(out, start)
}

// entry is a row of the index.
type entry struct{ key, form, offset, length uint32 }

// lookup is what LuCI hashes when it looks for that form of a message.
func (m *Message) lookup(form int) string {
	var b strings.Builder
	if m.Context != "" {
		b.WriteString(m.Context + "\x01")
	}
	b.WriteString(m.ID)
	if m.Plural != "" {
		fmt.Fprintf(&b, "\x02%d", form)
	}
	return b.String()
}

// hash is Paul Hsieh's "SuperFastHash" (azillionmonkeys.com/qed/hash.html) with
// the length as the start, by which LuCI finds texts.
func hash(s string) uint32 {
	h := uint32(len(s))
	word := func(i int) uint32 { return uint32(s[i]) | uint32(s[i+1])<<8 }
	i := 0
	for ; len(s)-i >= 4; i += 4 {
		h += word(i)
		h = h<<16 ^ word(i+2)<<11 ^ h
		h += h >> 11
	}
	// Bytes that are left over count as signed.
	signed := func(i int) uint32 { return uint32(int32(int8(s[i]))) }
	switch len(s) - i {
	case 3:
		h += word(i)
		h ^= h << 16
		h ^= signed(i+2) << 18
		h += h >> 11
	case 2:
		h += word(i)
		h ^= h << 11
		h += h >> 17
	case 1:
		h += signed(i)
		h ^= h << 10
		h += h >> 1
	}
	h ^= h << 3
	h += h >> 5
	h ^= h << 4
	h += h >> 17
	h ^= h << 25
	h += h >> 6
	return h
}
