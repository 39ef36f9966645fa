package foreign

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/config"
)

// devices turn ntpd's rules for its sockets into a list of network devices. Without
// "interface ignore all" it listens on all of them, whatever else is said.
type devices struct {
	*translator
	closed bool
	names  []string
}

// add handles interface (listen | ignore | drop) (all | ipv4 | ipv6 | wildcard |
// NAME | ADDRESS).
func (d *devices) add(name string, args []string) {
	if len(args) != 2 {
		d.note(config.Error, name, "takes 2 arguments, not "+strconv.Itoa(len(args)))
		return
	}
	_, err := netip.ParseAddr(strings.Split(args[1], "/")[0])
	class := slices.Contains([]string{"all", "ipv4", "ipv6", "wildcard"}, args[1])
	switch action := args[0]; {
	case args[1] == "wildcard": // there is no other socket here
	case args[1] == "all":
		d.closed = action != "listen"
	case action == "listen" && !class && err != nil:
		d.names = append(d.names, args[1])
	default:
		d.note(config.Warning, name, "can name a network device to listen on, or all; this rule has no equivalent and is ignored")
	}
}

// finish writes the list.
func (d *devices) finish() {
	switch {
	case d.closed && len(d.names) == 0:
		d.translator.add(d.once("serve"), "enabled", "0")
	case d.closed:
		d.translator.add(d.once("serve"), "interface", d.names...)
	}
}

// extraPort handles "extra port N": one more to serve on.
func (t *translator) extraPort(name string, args []string) {
	if len(args) != 2 || args[0] != "port" {
		t.note(config.Error, name, "takes port and its number")
		return
	}
	t.add(t.once("serve"), "port", "123", args[1])
}
