package cmdmon

import (
	"encoding/binary"
	"math"

	"ntsd/internal/status"
)

// clientAccesses answers a page of the table of clients. The table is taken when
// its first page is asked for, so that the pages belong together.
func (h *Handler) clientAccesses(q *question, r *reply) format {
	first, most := binary.BigEndian.Uint32(q.data), binary.BigEndian.Uint32(q.data[4:])
	least, reset := uint32(0), false
	if q.command == cmdClientsByIndex3 {
		least, reset = binary.BigEndian.Uint32(q.data[8:]), binary.BigEndian.Uint32(q.data[12:]) != 0
	}
	if first == 0 {
		h.clients = h.Daemon.Clients(least, reset)
	}
	total := len(h.clients)
	begin := int(min(uint64(first), uint64(total)))
	page := h.clients[begin:min(total, begin+int(min(most, clientsPerReply)))]
	r.count(uint64(total))
	r.count(uint64(begin + len(page)))
	r.count(uint64(len(page)))
	f, add, size := fmtClientsByIndex3, (*reply).client3, (clients3Length-12)/clientsPerReply
	switch q.command {
	case cmdClientsByIndex1:
		f, add, size = fmtClientsByIndex1, (*reply).client1, (clients2Length-12)/clientsPerReply
	case cmdClientsByIndex2:
		f, add, size = fmtClientsByIndex2, (*reply).client2, (clients2Length-12)/clientsPerReply
	}
	for i := range page {
		add(r, &page[i])
	}
	r.zeros((clientsPerReply - len(page)) * size)
	if begin+len(page) == total {
		h.clients = nil
	}
	return f
}

// client1 adds what releases before 2.3 know.
func (r *reply) client1(c *status.Client) {
	r.address(ip(c.Address))
	r.u32(c.Requests)
	r.zeros(4 * 4) // as a peer, and commands
	r.ago(status.AgoSeconds(c.LastS))
	r.u32(math.MaxUint32)
}

// client2 adds what releases before 4.0 know.
func (r *reply) client2(c *status.Client) {
	all, answered, _ := c.Intervals()
	r.address(ip(c.Address))
	r.u32(c.Requests)
	r.u32(0)
	r.u32(c.Dropped)
	r.u32(0)
	r.interval(all)
	r.interval(noInterval)
	r.interval(answered)
	r.u8(0)
	r.ago(status.AgoSeconds(c.LastS))
	r.u32(math.MaxUint32)
}

func (r *reply) client3(c *status.Client) {
	all, answered, ke := c.Intervals()
	r.address(ip(c.Address))
	r.u32(c.Requests)
	r.u32(c.KE)
	r.u32(0) // commands do not come by the network
	r.u32(c.Dropped)
	r.u32(c.KEDropped)
	r.u32(0)
	r.interval(all)
	r.interval(ke)
	r.interval(noInterval)
	r.interval(answered)
	r.ago(status.AgoSeconds(c.LastS))
	r.ago(status.AgoSeconds(c.KELastS))
	r.u32(math.MaxUint32)
}

// interval adds a power of two.
func (r *reply) interval(log2 int) { r.u8(uint8(int8(min(max(log2, -128), noInterval)))) }
