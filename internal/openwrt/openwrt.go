// Package openwrt is what a daemon hears from the rest of an OpenWrt router,
// and tells it, over ubus: the logical interfaces with what DHCP said about
// time servers, and the hotplug event "ntp". It belongs to layer 4.
//
// Where there is no ubus it does nothing, quietly: hotplug scripts call ntsctl
// there.
//
// Not its business: which servers are used, when an event is due.
package openwrt

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ntsd/internal/ubus"
)

// Interface is a logical interface: "lan", "wan".
type Interface struct {
	Name   string
	Device string // that carries its addresses; empty: none
	Up     bool
	// Defaults are the families that it has a default route of: "4", "6", "46".
	Defaults string
	// TimeServers are the hosts that DHCP or DHCPv6 named there, as they came.
	TimeServers []string
}

// Implementation constants.
const (
	// maxInterfaces and maxTimeServers bound what netifd can make us keep; a
	// DHCP server fills the second.
	maxInterfaces  = 64
	maxTimeServers = 8
	maxHostName    = 253

	// maxEvents bounds the events that wait for the bus.
	maxEvents = 16
	// settle is waited after a notification: netifd sends several in a row.
	settle = time.Second
	// retry is the wait for ubusd or netifd where they are not there.
	retry = 10 * time.Second
)

// netifd's object, and the one that runs the scripts in /etc/hotplug.d/ntp.
const (
	network    = "network.interface"
	hotplugNTP = "hotplug.ntp"
)

// Router is the connection to the router that we run on.
type Router struct {
	socket string
	log    *slog.Logger
	events chan []string

	settle, retry time.Duration

	unheard []string // the event that was under way when the bus ended
}

// New returns a router whose bus is at socket. Nothing happens before Run.
func New(socket string, log *slog.Logger) *Router {
	return &Router{socket: socket, log: log, events: make(chan []string, maxEvents), settle: settle, retry: retry}
}

// Announce has the scripts in /etc/hotplug.d/ntp run with these variables
// ("ACTION=stratum"). It never waits: where the bus is away for long, the
// oldest events are forgotten.
func (r *Router) Announce(env []string) {
	for {
		select {
		case r.events <- env:
			return
		default:
		}
		select {
		case <-r.events:
		default:
		}
	}
}

// Run keeps the connection, until ctx ends, and calls changed with the
// interfaces at first and whenever they are not what they were. object is what
// we publish ourselves; it may be nil.
func (r *Router) Run(ctx context.Context, object *ubus.Object, changed func([]Interface)) {
	said := false
	var last []Interface
	for ctx.Err() == nil {
		conn, err := ubus.Dial(ctx, r.socket)
		if err == nil {
			r.log.Debug("connected to ubus")
			said = false
			err = r.serve(ctx, conn, object, &last, changed)
			_ = conn.Close()
		}
		if ctx.Err() == nil && !said {
			r.log.Debug("no connection to ubus", "reason", err)
			said = true
		}
		sleep(ctx, r.retry)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// serve works on one connection until it ends.
func (r *Router) serve(ctx context.Context, conn *ubus.Conn, object *ubus.Object, last *[]Interface, changed func([]Interface)) error {
	hint := make(chan struct{}, 1)
	tell := func() {
		select {
		case hint <- struct{}{}:
		default:
		}
	}
	deaf := make(chan struct{}, 1) // netifd has gone, and our subscription with it
	ear := &ubus.Object{
		Handle: func(string, ubus.Table) (ubus.Table, error) { tell(); return nil, nil },
		Lost: func() {
			select {
			case deaf <- struct{}{}:
			default:
			}
		},
	}
	if err := conn.Add(ctx, ear); err != nil {
		return err
	}
	r.publish(ctx, conn, object)
	again := time.NewTimer(0) // for a netifd that is not there yet
	defer again.Stop()
	look := time.NewTimer(r.retry) // for one that did not answer
	look.Stop()
	defer look.Stop()
	if env := r.unheard; env != nil {
		r.unheard = nil
		r.announce(ctx, conn, env)
	}
	for {
		select {
		case <-again.C:
			if err := conn.Subscribe(ctx, ear, network); err != nil {
				r.log.Debug("netifd does not answer", "reason", err)
				again.Reset(r.retry)
				continue
			}
			tell()
		case <-look.C:
			tell()
		case <-deaf:
			again.Reset(r.retry)
		case <-hint:
			sleep(ctx, r.settle)
			drain(hint)
			found, err := interfaces(ctx, conn)
			if err != nil {
				r.log.Debug("interfaces not read", "reason", err)
				look.Reset(r.retry) // there may be no other hint for months
				continue
			}
			if !slices.EqualFunc(found, *last, equal) {
				*last = found
				changed(found)
			}
		case env := <-r.events:
			r.announce(ctx, conn, env)
		case <-conn.Closed():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publish puts our object on the bus. Where we may not, an rpcd plugin does it.
func (r *Router) publish(ctx context.Context, conn *ubus.Conn, object *ubus.Object) {
	if object == nil {
		return
	}
	if err := conn.Add(ctx, object); err != nil {
		r.log.Debug("no object on ubus", "reason", err)
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// announce has the scripts run. Where nothing waits for the time there is no
// such object. If the bus has ended meanwhile, the next one hears of it.
func (r *Router) announce(ctx context.Context, conn *ubus.Conn, env []string) {
	list := make([]any, 0, len(env))
	for _, e := range env {
		list = append(list, e)
	}
	if _, err := conn.Call(ctx, hotplugNTP, "call", ubus.Table{"env": list}); err != nil {
		r.log.Debug("event not delivered", "event", strings.Join(env, " "), "reason", err)
		select {
		case <-conn.Closed():
			r.unheard = env
		default:
		}
	}
}

// interfaces asks netifd.
func interfaces(ctx context.Context, conn *ubus.Conn) ([]Interface, error) {
	dump, err := conn.Call(ctx, network, "dump", nil)
	if err != nil {
		return nil, err
	}
	var all []Interface
	for _, e := range dump.List("interface") {
		t, ok := e.(ubus.Table)
		if !ok || t.String("interface") == "" || len(all) == maxInterfaces {
			continue
		}
		all = append(all, Interface{
			Name: t.String("interface"), Device: t.String("l3_device"), Up: t.Bool("up"), Defaults: defaults(t), TimeServers: timeServers(t),
		})
	}
	return all, nil
}

// defaults returns the families of default routes. They may come seconds later
// than the interface, and go without it.
func defaults(t ubus.Table) string {
	four, six := "", ""
	for _, e := range t.List("route") {
		r, _ := e.(ubus.Table)
		switch target := r.String("target"); {
		case r.Int("mask") != 0:
		case target == "0.0.0.0":
			four = "4"
		case target == "::":
			six = "6"
		}
	}
	return four + six
}

// timeServers returns what DHCP said. Its scripts join the hosts by blanks.
func timeServers(t ubus.Table) []string {
	data := t.Sub("data")
	words := strings.Fields(data.String("ntpserver"))
	for _, e := range data.List("ntpserver") {
		if s, ok := e.(string); ok {
			words = append(words, s)
		}
	}
	var hosts []string
	for _, w := range words {
		if len(hosts) < maxTimeServers && len(w) <= maxHostName && !slices.Contains(hosts, w) {
			hosts = append(hosts, w)
		}
	}
	return hosts
}

func equal(a, b Interface) bool {
	return a.Name == b.Name && a.Device == b.Device && a.Up == b.Up && a.Defaults == b.Defaults && slices.Equal(a.TimeServers, b.TimeServers)
}
