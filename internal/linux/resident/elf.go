//go:build linux

package resident

import "encoding/binary"

// What of the ELF format matters here.
const (
	class64    = 2 // at classByte
	big        = 2 // at orderByte
	classByte  = 4
	orderByte  = 5
	headerSize = 64 // of the longer kind

	typeLoad  = 1
	flagWrite = 2
)

// segments returns the whole pages of a binary that are loaded and never to be
// written, by its first bytes, and the first address of all. They are the
// binary's own: the system may have loaded it elsewhere. What is no ELF has none.
func segments(head []byte, page uintptr) (constant []mapping, first uintptr) {
	if len(head) < headerSize || string(head[:4]) != "\x7fELF" {
		return nil, 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[orderByte] == big {
		order = binary.BigEndian
	}
	wide := head[classByte] == class64
	offset, size, count := uint64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	least := 32
	if wide {
		offset, size, count, least = order.Uint64(head[32:]), int(order.Uint16(head[54:])), int(order.Uint16(head[56:])), 56
	}
	if size < least || offset > uint64(len(head)) {
		return nil, 0
	}
	first = ^uintptr(0)
	for h := head[offset:]; count > 0 && len(h) >= size; count, h = count-1, h[size:] {
		if order.Uint32(h) != typeLoad {
			continue
		}
		flags, from, length := order.Uint32(h[24:]), uintptr(order.Uint32(h[8:])), uintptr(order.Uint32(h[20:]))
		if wide {
			flags, from, length = order.Uint32(h[4:]), uintptr(order.Uint64(h[16:])), uintptr(order.Uint64(h[40:]))
		}
		start := from &^ (page - 1)
		first = min(first, start)
		if flags&flagWrite == 0 {
			constant = append(constant, mapping{start, (from+length+page-1)&^(page-1) - start})
		}
	}
	return constant, first
}
