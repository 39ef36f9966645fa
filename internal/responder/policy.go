package responder

import (
	"net/netip"
	"slices"

	"ntsd/internal/config"
	"ntsd/internal/server"
)

// Names of interfaces that mean more than themselves, as in chrony's package.
const (
	everyone   = "wan"  // everybody
	everyoneV6 = "wan6" // everybody with IPv6
)

// kiss says RATE to one in eight of the requests that are refused: a client
// that minds it learns of it within minutes, and one that is flooded with our
// replies to requests in its name sees few of them.
const kiss = 3

// link is a network interface that is up.
type link struct {
	name    string
	index   uint32
	subnets []netip.Prefix
}

// policy puts the configuration and the interfaces as they are now into the
// server's terms.
func (r *Responder) policy(cfg *config.Config) (p *server.Policy, interfaces []link) {
	err := r.opt.Interfaces(func(name string, index uint32, subnets []netip.Prefix) {
		interfaces = append(interfaces, link{name, index, subnets})
	})
	if err != nil {
		r.once("interfaces cannot be read, their subnets are not allowed", "", "reason", err.Error())
	}
	p = &server.Policy{Interleaved: cfg.Serve.Interleaved, Control: r.answersControl(cfg)}
	if l := cfg.Serve.RateLimit; l.Enabled {
		p.RateLimit = server.RateLimit{
			Enabled: true, Interval: l.Interval, Burst: uint8(l.Burst), Leak: uint8(l.Leak), Kiss: kiss,
		}
	}
	var rules []server.Rule
	for _, a := range cfg.Allow {
		rules = r.rules(rules, &a, true, interfaces)
		for _, name := range a.Interfaces {
			p.LinkLocal = append(p.LinkLocal, indices(name, interfaces)...)
		}
	}
	for _, a := range cfg.Deny {
		rules = r.rules(rules, &a, false, interfaces)
	}
	p.Access = server.NewAccess(rules)
	for _, name := range cfg.Serve.Interfaces {
		found := indices(name, interfaces)
		if len(found) == 0 {
			// No interface at all is not "all interfaces".
			found = []uint32{noInterface}
			r.once("serve: no such interface now", name, "interface", name)
		}
		p.Interfaces = append(p.Interfaces, found...)
	}
	return p, interfaces
}

// interfaceOf returns the index of the interface that an address with a zone
// belongs to, or noInterface.
func (s *state) interfaceOf(a netip.Addr) uint32 {
	for _, l := range s.interfaces {
		if l.name == a.Zone() {
			return l.index
		}
	}
	return noInterface
}

// noInterface is an index that none has.
const noInterface = ^uint32(0)

// rules appends the rules of one section.
func (r *Responder) rules(rules []server.Rule, a *config.Access, allow bool, interfaces []link) []server.Rule {
	add := func(p netip.Prefix) { rules = append(rules, server.Rule{Prefix: p, Allow: allow}) }
	for _, p := range a.Subnets {
		add(p)
	}
	for _, name := range a.Interfaces {
		if name == everyone || name == everyoneV6 {
			add(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			if name == everyone {
				add(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
			}
			if allow {
				r.once("interface "+name+" in section allow means everyone on the Internet", name)
			}
			continue
		}
		found := false
		for _, i := range interfaces {
			if !i.is(name) {
				continue
			}
			for _, p := range i.subnets {
				// Every interface has the same link-local subnet: see
				// server.Policy.LinkLocal.
				if !p.Addr().IsLinkLocalUnicast() {
					add(p)
					found = true
				}
			}
		}
		if !found {
			r.once("interface of section allow or deny has no address now", name, "interface", name)
		}
	}
	return rules
}

func (l *link) is(name string) bool { return config.IsInterface(l.name, name) }

func indices(name string, interfaces []link) []uint32 {
	var found []uint32
	for _, i := range interfaces {
		if i.is(name) && !slices.Contains(found, i.index) {
			found = append(found, i.index)
		}
	}
	return found
}

// once warns one time per configuration.
func (r *Responder) once(message, about string, args ...any) {
	if key := message + "\x00" + about; !r.said[key] {
		r.said[key] = true
		r.opt.Log.Warn(message, args...)
	}
}
