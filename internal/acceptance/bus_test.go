package acceptance

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Messages of OpenWrt's bus, their attributes and the types of named values, as
// libubox and ubus of January 2026 define them.
const (
	busHello, busStatus, busData, busLookup, busInvoke, busAdd, busSubscribe = 0, 1, 2, 4, 5, 6, 8

	busAttrStatus, busAttrPath, busAttrID, busAttrMethod, busAttrData, busAttrNoReply = 1, 2, 3, 4, 7, 10

	busArray, busTable, busString, busBool = 1, 2, 3, 7

	busNotFound = 4
)

// netifd's object. Those of a client come after it.
const (
	netifdID   = 77
	netifdPath = "network.interface"
)

// bus stands for ubusd and netifd: it tells of one interface.
type bus struct {
	t *testing.T

	mu      sync.Mutex
	servers []string // what DHCP said; nil: the interface is down
	conn    net.Conn
	objects uint32 // that the client has
	ear     []byte // the id of the one that listens to netifd; nil: none
}

// newBus starts a bus and returns it with the beginning of a command line whose
// program finds it where OpenWrt has it.
func (w *world) newBus() (*bus, []string) {
	w.t.Helper()
	dir := filepath.Join(w.dir, "ubus")
	if err := os.Mkdir(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "ubus.sock"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { ln.Close() })
	b := &bus{t: w.t}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.serve(conn)
		}
	}()
	return b, w.namespace("mount -t tmpfs none /run && mkdir /run/ubus && mount --bind " + dir + " /run/ubus && ")
}

// set says what DHCP gives from now on.
func (b *bus) set(servers ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.servers = servers
	if b.ear != nil {
		b.send(busInvoke, 1, netifdID, attr(busAttrID, b.ear), attr(busAttrMethod, text("interface.update")),
			attr(busAttrData, nil), attr(busAttrNoReply, []byte{1}))
	}
}

func (b *bus) serve(conn net.Conn) {
	defer conn.Close()
	b.mu.Lock()
	b.conn, b.objects, b.ear = conn, 0, nil
	b.send(busHello, 0, 5)
	b.mu.Unlock()
	for {
		var head [12]byte // and that of the message's only attribute
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[8:])&0xffffff-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		b.answer(head[1], binary.BigEndian.Uint16(head[2:]), attrs(body))
	}
}

// answer gives what the bus has, and a status.
func (b *bus) answer(typ byte, seq uint16, a map[byte][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	status := uint32(0)
	switch typ {
	case busStatus, busData:
		return // of a call that we made
	case busLookup:
		if strings.TrimRight(string(a[busAttrPath]), "\x00") != netifdPath {
			status = busNotFound
			break
		}
		b.send(busData, seq, 0, attr(busAttrPath, text(netifdPath)), attr(busAttrID, number(netifdID)))
	case busAdd:
		b.objects++
		b.send(busData, seq, 0, attr(busAttrID, number(netifdID+b.objects)))
	case busSubscribe:
		b.ear = a[busAttrID]
	case busInvoke:
		b.send(busData, seq, netifdID, attr(busAttrID, number(netifdID)), attr(busAttrData, b.dump()))
	}
	b.send(busStatus, seq, 0, attr(busAttrStatus, number(status)))
}

// dump is netifd's account of its interfaces.
func (b *bus) dump() []byte {
	up := []byte{0}
	if b.servers != nil {
		up[0] = 1
	}
	var servers []byte
	for _, s := range b.servers {
		servers = append(servers, named(busString, "", text(s))...)
	}
	wan := named(busString, "interface", text("wan"))
	wan = append(wan, named(busString, "l3_device", text("eth1"))...)
	wan = append(wan, named(busBool, "up", up)...)
	wan = append(wan, named(busTable, "data", named(busArray, "ntpserver", servers))...)
	return named(busArray, "interface", named(busTable, "", wan))
}

// send writes a message; b.mu is held.
func (b *bus) send(typ byte, seq uint16, peer uint32, parts ...[]byte) {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	msg := binary.BigEndian.AppendUint16([]byte{0, typ}, seq)
	msg = binary.BigEndian.AppendUint32(msg, peer)
	msg = binary.BigEndian.AppendUint32(msg, uint32(4+len(body)))
	_, _ = b.conn.Write(append(msg, body...)) // who has gone comes again
}

func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func text(s string) []byte   { return append([]byte(s), 0) }

// attr is an attribute, padded to four bytes.
func attr(id byte, contents []byte) []byte { return block(uint32(id)<<24, contents) }

// named is a value in a table; in an array its name is empty.
func named(typ byte, name string, value []byte) []byte {
	head := append(binary.BigEndian.AppendUint16(nil, uint16(len(name))), text(name)...)
	return block(1<<31|uint32(typ)<<24, append(padded(head), value...))
}

func block(id uint32, contents []byte) []byte {
	return padded(append(number(id|uint32(4+len(contents))), contents...))
}

func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// attrs returns the contents of attributes by id.
func attrs(b []byte) map[byte][]byte {
	all := make(map[byte][]byte)
	for len(b) >= 4 {
		head := binary.BigEndian.Uint32(b)
		n := int(head & 0xffffff)
		if n < 4 || n > len(b) {
			break
		}
		all[byte(head>>24&0x7f)] = b[4:n]
		b = b[min(len(b), (n+3)&^3):]
	}
	return all
}
