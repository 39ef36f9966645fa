package vmtest

import (
	"net"
	"testing"
	"time"
)

// networks are those where everybody is honest, but hard to reach.
func networks() []scenario {
	return []scenario{
		{"name service silent, addresses saved", false, func(t *testing.T) *world { return nameServiceDead(t, silentNameServer) }},
		{"name service refuses, addresses saved", false, func(t *testing.T) *world { return nameServiceDead(t, "192.0.2.55") }},
		{"network up after 60 s", false, networkLate},
		{"replies of one server late by 0.5 s", false, func(t *testing.T) *world { return late(t, 1, time.Second/2, tolerance) }},
		{"replies of all late by 0.5 s", false, func(t *testing.T) *world { return late(t, 3, time.Second/2, time.Second/4+tolerance) }},
		{"replies of all late by 5 s", false, tooLate},
	}
}

// silentNameServer takes questions and never answers.
const silentNameServer = "192.0.2.54"

func nameServiceDead(t *testing.T, server string) *world {
	w := lived(t, 3, 0, false)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(silentNameServer), Port: 53})
	if err == nil { // another scenario may have done so
		t.Cleanup(func() { conn.Close() })
	}
	r := w.boot()
	r.write("/etc/resolv.conf", "nameserver "+server+"\n")
	r.startDaemon()
	r.wantSync(0, 0)
	return w
}

// networkLate plugs the cable in when the daemon has long tried.
func networkLate(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	r := w.bootWith(machineSpec{unplugged: true})
	r.do("sysfixtime")
	r.startDaemon()
	<-time.After(time.Minute)
	r.plugIn()
	r.wantSync(0, 0)
	return w
}

// late has an attacker on the path: he can shift the clock by half of what he
// delays, and no more than that.
func late(t *testing.T, servers int, by, within time.Duration) *world {
	w := newWorld(t, 3, 0)
	w.configure()
	for _, h := range w.servers[:servers] {
		h.SetDelay(by)
	}
	r := w.boot()
	r.startDaemon()
	r.await()
	r.wantTime(within)
	return w
}

// tooLate: such replies say nothing.
func tooLate(t *testing.T) *world {
	w := newWorld(t, 3, 0)
	w.configure()
	for _, h := range w.servers {
		h.SetDelay(5 * time.Second)
	}
	r := w.boot()
	r.startDaemon()
	r.wantNoTime()
	return w
}
