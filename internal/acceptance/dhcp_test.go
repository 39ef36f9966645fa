package acceptance

import (
	"fmt"
	"path/filepath"
	"testing"

	"ntsd/internal/status"
)

// dhcp returns the section for servers that DHCP names, here on a port of the
// test's.
func dhcp(port uint16, disabled string) string {
	return section("dhcp_ntp_server", quick("port", fmt.Sprint(port), "iburst", "yes", "disabled", disabled)...)
}

// onBus starts the daemon on a router whose uplink has these time servers.
func (w *world) onBus(config string, servers ...string) (*bus, *daemon) {
	w.t.Helper()
	b, line := w.newBus()
	b.set(servers...)
	path := w.write("ntsd.uci", config)
	return b, w.launch(append(line, tool("ntsd"), "-x", "-t", lifetime, "-f", path), path, filepath.Join(w.run, "ntsd.sock"))
}

// reconfigure gives the daemon another file and has it read.
func (d *daemon) reconfigure(config string) {
	d.t.Helper()
	d.change(config)
	d.ask("reload")
}

// TestCheck12DHCPServersMixIn: the time servers that DHCP names are polled
// beside those of the file, go with the uplink, come back with it, and the
// section's option disables them.
func TestCheck12DHCPServersMixIn(t *testing.T) {
	w := newWorld(t)
	named, learnt := w.nts(nil), w.plain(nil)
	port := learnt.NTPAddr().Port()
	bus, d := w.onBus(w.config(source(named), dhcp(port, "no")), host(learnt))
	both := func(r *status.Report) bool {
		if len(r.Sources) != 2 {
			return false
		}
		for _, s := range r.Sources {
			if s.Reach == 0 {
				return false
			}
		}
		return true
	}
	one := func(r *status.Report) bool { return len(r.Sources) == 1 && r.Sources[0].Ident.Is(host(named)) }
	d.until("both servers", both)
	bus.set()
	d.until("the uplink gone, and its server", one)
	bus.set(host(learnt))
	d.until("both again", both)
	d.reconfigure(w.config(source(named), dhcp(port, "yes")))
	d.until("DHCP's disabled", one)
}

// TestCheck17OneSettingDropsDHCP: without the section, or with its option
// disabled, what DHCP names is never asked.
func TestCheck17OneSettingDropsDHCP(t *testing.T) {
	for name, off := range map[string]func(port uint16) string{
		"disabled":   func(port uint16) string { return dhcp(port, "yes") },
		"no section": func(uint16) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			named, learnt := w.nts(nil), w.plain(nil)
			port := learnt.NTPAddr().Port()
			bus, d := w.onBus(w.config(source(named), off(port)), host(learnt))
			d.synchronised()
			bus.set(host(learnt), "192.0.2.1")
			d.until("more samples", func(r *status.Report) bool { return r.Sources[0].Reach == 0o377 })
			if r, err := d.report(); err != nil || len(r.Sources) != 1 {
				t.Errorf("sources: got %+v, %v; want only %s", r.Sources, err, host(named))
			}
			if n := learnt.Stats().Requests; n != 0 {
				t.Errorf("DHCP's server was asked %d times", n)
			}
			// It is the section that keeps them out, not the bus.
			d.reconfigure(w.config(source(named), dhcp(port, "no")))
			d.until("DHCP's servers once they are wanted", func(r *status.Report) bool { return len(r.Sources) == 3 })
		})
	}
}
