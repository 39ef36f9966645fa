package openwrt

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Numbers of ubus's protocol: see package ubus.
const (
	hello, status, data, lookup, invoke, addObject, subscribe = 0, 1, 2, 4, 5, 6, 8

	attrStatus, attrPath, attrID, attrMethod, attrData = 1, 2, 3, 4, 7

	timedOut = 7
)

// object ids of the bus in these tests.
const ear, netifd, hotplug = 9, 100, 101

func attr(id byte, contents ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(id)<<24|uint32(4+len(contents)))
	b = append(b, contents...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func number(id byte, n uint32) []byte { return attr(id, binary.BigEndian.AppendUint32(nil, n)...) }

// named is a value of a table.
func named(typ byte, name string, contents ...byte) []byte {
	head := append(binary.BigEndian.AppendUint16(nil, uint16(len(name))), name+"\x00"...)
	for len(head)%4 != 0 {
		head = append(head, 0)
	}
	return attr(0x80|typ, append(head, contents...)...)
}

// bus is one connection to an ubusd that does what a test wants.
type bus struct {
	net.Conn
	routes func() []string
}

func (b bus) send(typ byte, seq uint16, attrs []byte) {
	m := []byte{0, typ, byte(seq >> 8), byte(seq), 0, 0, 0, 0}
	_, _ = b.Write(append(m, attr(0, attrs...)...))
}

// request is what the router asked.
type request struct {
	typ    byte
	seq    uint16
	object uint32 // attribute or what stands for the path
	method string
	body   []byte
}

func (b bus) receive() (r request, err error) {
	var head [12]byte
	if _, err = io.ReadFull(b, head[:]); err != nil {
		return r, err
	}
	n := binary.BigEndian.Uint32(head[8:])&0xffffff - 4
	r = request{typ: head[1], seq: binary.BigEndian.Uint16(head[2:]), body: make([]byte, (n+3)&^3)}
	if _, err = io.ReadFull(b, r.body); err != nil {
		return r, err
	}
	for rest := r.body; len(rest) >= 4; {
		head := binary.BigEndian.Uint32(rest)
		size := int(head & 0xffffff)
		switch contents := rest[4:size]; byte(head >> 24) {
		case attrID:
			r.object = binary.BigEndian.Uint32(contents)
		case attrMethod, attrPath:
			r.method = strings.TrimRight(string(contents), "\x00")
		}
		rest = rest[min(len(rest), (size+3)&^3):]
	}
	return r, nil
}

// wan is netifd's word about one interface, with its default routes.
func wan(targets ...string) []byte {
	var routes []byte
	for _, target := range targets {
		routes = append(routes, named(2, "", slices.Concat(
			named(3, "target", []byte(target+"\x00")...), named(5, "mask", 0, 0, 0, 0))...)...)
	}
	entry := named(2, "", slices.Concat(named(3, "interface", []byte("wan\x00")...), named(7, "up", 1), named(1, "route", routes...))...)
	return attr(attrData, named(1, "interface", entry...)...)
}

// serve answers like an ubusd with netifd and hotplug; dump and call are asked
// before a dump and an event, and return the status of the answer, or hang up.
func (b bus) serve(dump, call func() (status uint32, hangUp bool)) {
	defer b.Close()
	b.send(hello, 0, nil)
	for {
		r, err := b.receive()
		if err != nil {
			return
		}
		result, hangUp := uint32(0), false
		switch {
		case r.typ == addObject:
			b.send(data, r.seq, number(attrID, ear))
		case r.typ == lookup && r.method == hotplugNTP:
			b.send(data, r.seq, number(attrID, hotplug))
		case r.typ == lookup:
			b.send(data, r.seq, number(attrID, netifd))
		case r.typ == invoke && r.object == netifd:
			if result, hangUp = dump(); result == 0 {
				b.send(data, r.seq, wan(b.routes()...))
			}
		case r.typ == status:
			continue // to a notification
		case r.typ == invoke:
			result, hangUp = call()
		}
		if hangUp {
			return
		}
		b.send(status, r.seq, number(attrStatus, result))
	}
}

// run runs a router on a bus; connected has each connection to it.
func run(t *testing.T, connected func(bus)) (r *Router, changes <-chan []Interface, stop func()) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connected(bus{conn, func() []string { return nil }})
		}
	}()
	r = New(socket, slog.New(slog.DiscardHandler))
	r.settle, r.retry = time.Millisecond, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	all, ended := make(chan []Interface, 16), make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx, nil, func(i []Interface) { all <- i })
	}()
	return r, all, func() {
		cancel()
		<-ended
		l.Close()
		<-accepted
	}
}

func good() (uint32, bool) { return 0, false }

// TestDumpFails: where netifd does not answer once, as while the router boots,
// it is asked again: it may have no more news for months.
func TestDumpFails(t *testing.T) {
	dumps := 0
	_, changes, stop := run(t, func(b bus) {
		b.serve(func() (uint32, bool) {
			if dumps++; dumps < 3 {
				return timedOut, false
			}
			return 0, false
		}, good)
	})
	defer stop()
	if got := <-changes; len(got) != 1 || got[0].Name != "wan" || !got[0].Up {
		t.Errorf("got %v, want wan", got)
	}
}

// TestLateRoute: a default route that comes, or goes, later than the interface is
// news, since whom we can ask depends on it; that it is told again is none.
func TestLateRoute(t *testing.T) {
	next, connected := make(chan []string), make(chan bus, 1)
	_, changes, stop := run(t, func(b bus) {
		b.routes = func() []string { return <-next }
		connected <- b
		b.serve(good, good)
	})
	defer stop()
	b := <-connected
	var got []string
	for i, routes := range [][]string{nil, {"0.0.0.0"}, {"0.0.0.0", "::"}, {"::", "0.0.0.0"}, {"::"}} {
		if i > 0 {
			b.send(invoke, 99, slices.Concat(number(attrID, ear), attr(attrMethod, []byte("interface.update\x00")...), attr(attrData)))
		}
		next <- routes
		if i != 3 { // the same in another order
			got = append(got, (<-changes)[0].Defaults)
		}
	}
	if want := []string{"", "4", "46", "6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEventOutlivesTheBus: an event that the bus did not take because it ended is
// told to the next one.
func TestEventOutlivesTheBus(t *testing.T) {
	told := make(chan int, 1)
	calls := 0
	r, _, stop := run(t, func(b bus) {
		b.serve(good, func() (uint32, bool) {
			if calls++; calls < 3 {
				return 0, true
			}
			told <- calls
			return 0, false
		})
	})
	defer stop()
	r.Announce([]string{"ACTION=step"})
	if got := <-told; got != 3 {
		t.Errorf("got %d calls, want 3", got)
	}
}

// TestBusRestarts: a bus that goes and comes back costs nothing that stays.
func TestBusRestarts(t *testing.T) {
	const restarts = 200
	before := runtime.NumGoroutine()
	enough := make(chan struct{})
	n := 0
	_, changes, stop := run(t, func(b bus) {
		b.serve(func() (uint32, bool) {
			if n++; n == restarts {
				close(enough)
			}
			return 0, n < restarts
		}, good)
	})
	<-enough
	if got := <-changes; len(got) != 1 {
		t.Errorf("got %v, want wan", got)
	}
	stop()
	// Those that package net starts for a connection may end a little later.
	if got := runtime.NumGoroutine(); got > before+restarts/10 {
		t.Errorf("got %d goroutines, want about %d as before", got, before)
	}
	if len(changes) != 0 {
		t.Errorf("told %d times more that nothing has changed", len(changes))
	}
}
