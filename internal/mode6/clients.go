package mode6

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/order"
	"ntsd/internal/status"
)

// nonce is what ntpq has to repeat when it asks for the clients. Against forged
// senders it is no use here, for there are none: see the package comment.
const nonce = "nonce=0"

// usualRequest is mode 3, version 4: what a client sent last is not remembered.
const usualRequest = 4<<3 | 3

// readNonce answers what ntpq asks before it asks for the clients.
func (v *View) readNonce(r *Request, leap uint8) [][]byte {
	return r.reply(leap, systemStatus(&v.Report.Tracking), []byte(nonce+"\r\n"))
}

// readClients lists the clients of the server, for ntpq -c mrulist: those seen
// last, as many as an answer has room for, the latest of them last. That they are
// all is said by "now", after which ntpq does not ask for more.
func (v *View) readClients(r *Request, leap uint8) [][]byte {
	least, most, room := uint32(0), maxAnswer, maxAnswer
	for _, pair := range pairs(r.Data) {
		name, _, _ := strings.Cut(pair[0], ".") // addr.0, last.0: where ntpq wants to go on
		n, err := strconv.ParseUint(pair[1], 0, 32)
		switch name {
		case "nonce", "addr", "last":
			continue
		case "frags":
			room = int(min(n, maxFragments)) * maxData
		case "limit":
			most = int(min(n, maxAnswer))
		case "mincount":
			least = uint32(n)
		default: // a filter that we do not have must not seem to have been applied
			return r.refuse(leap, errPermission)
		}
		if err != nil {
			return r.refuse(leap, errFormat)
		}
	}
	var clients []status.Client
	if v.Clients != nil {
		clients = v.Clients()
	}
	clients = slices.DeleteFunc(clients, func(c status.Client) bool { return c.Requests == 0 || c.Requests < least || c.LastS < 0 })
	order.Stable(clients, func(x, y status.Client) int { return cmp.Compare(x.LastS, y.LastS) })
	now := clock.Wall(v.Report.Time)
	end := fmt.Sprintf("now=%s", stamp(v.Report.Time))
	if len(clients) > 0 {
		end += ", last.newest=" + stamp(before(now, clients[0].LastS))
	}
	room -= len(nonce) + len(end) + 2*len(",\r\n")
	var entries []string
	for i := range clients {
		entry := clientEntry(&clients[i], now)
		if room -= len(entry) + entrySpare; room < 0 || len(entries) == most {
			break
		}
		entries = append(entries, entry)
	}
	var text strings.Builder
	text.WriteString(nonce)
	for i, entry := range slices.Backward(entries) {
		text.WriteString(",\r\n" + strings.ReplaceAll(entry, "#", strconv.Itoa(len(entries)-1-i)))
	}
	return r.reply(leap, systemStatus(&v.Report.Tracking), []byte(text.String()+",\r\n"+end+"\r\n"))
}

// entrySpare is what the numbers of an entry's variables take beyond the marks in
// their places, with the line's end.
const entrySpare = 7*2 + len(",\r\n")

// clientEntry is one client, with marks for its number.
func clientEntry(c *status.Client, now clock.Wall) string {
	address := c.Address
	if a, err := netip.ParseAddr(c.Address); err == nil {
		address = netip.AddrPortFrom(a, 0).String() // clients change ports: none is remembered
	}
	span := c.IntervalS * float64(c.Requests-1)
	return fmt.Sprintf("addr.#=%s, last.#=%s, first.#=%s, ct.#=%d, mv.#=%d, rs.#=0x0, dr.#=%d",
		address, stamp(before(now, c.LastS)), stamp(before(now, c.LastS+span)), c.Requests, usualRequest, c.Dropped)
}

func before(now clock.Wall, seconds float64) status.Time {
	return status.Time(now.Add(-time.Duration(seconds * float64(time.Second))))
}
