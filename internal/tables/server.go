package tables

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

	"ntsd/internal/order"
	"ntsd/internal/status"
)

// ServerStats writes chronyc's serverstats, and with Verbose what became
// of the requests in the daemon's own words.
func ServerStats(w io.Writer, s status.ServerStats, o Options) error {
	b := bufio.NewWriter(w)
	var row []string
	for _, line := range []struct {
		label string
		n     uint64
	}{
		{"NTP packets received", s.Received},
		{"NTP packets dropped", s.Dropped},
		{"Command packets received", 0}, // commands come by a socket
		{"Command packets dropped", 0},
		{"Client log records dropped", s.ClientsDropped},
		{"NTS-KE connections accepted", s.KEAccepted},
		{"NTS-KE connections dropped", s.KEDropped},
		{"Authenticated NTP packets", s.Authenticated},
		{"Interleaved NTP packets", s.Interleaved},
		{"NTP timestamps held", uint64(s.Held)},
		{"NTP timestamp span", uint64(s.HeldSpanS)},
		{"NTP daemon RX timestamps", s.DaemonRX},
		{"NTP daemon TX timestamps", s.DaemonTX},
		{"NTP kernel RX timestamps", s.KernelRX},
		{"NTP kernel TX timestamps", s.KernelTX},
		{"NTP hardware RX timestamps", 0},
		{"NTP hardware TX timestamps", 0},
	} {
		row = append(row, fmt.Sprint(line.n))
		if !o.CSV {
			fmt.Fprintf(b, "%-27s: %d\n", line.label, line.n)
		}
	}
	switch {
	case o.CSV:
		writeCSV(b, row)
	case o.Verbose:
		serverWords(b, &s)
	}
	return flush(b)
}

// serverWords names the ports and each verdict that was ever given, the most
// frequent first.
func serverWords(b *bufio.Writer, s *status.ServerStats) {
	if len(s.Ports) == 0 {
		fmt.Fprintln(b, "\nNo port is served: that needs a section 'allow', and 'enabled' in section 'serve'.")
		return
	}
	fmt.Fprintf(b, "\nServing UDP port %s.\n", joined(s.Ports))
	var given []string
	for name, n := range s.Verdicts {
		if n > 0 {
			given = append(given, name)
		}
	}
	order.Stable(given, func(x, y string) int {
		return cmp.Or(cmp.Compare(s.Verdicts[y], s.Verdicts[x]), cmp.Compare(x, y))
	})
	for _, name := range given {
		fmt.Fprintf(b, "%-27s: %d\n", name, s.Verdicts[name])
	}
	if s.Unsent > 0 {
		fmt.Fprintf(b, "%-27s: %d\n", "replies that could not leave", s.Unsent)
	}
	keWords(b, &s.KE)
}

// keWords names each fate that a connection has met.
func keWords(b *bufio.Writer, k *status.KECounts) {
	for _, fate := range []struct {
		label string
		n     uint64
	}{
		{"key establishments", k.Good},
		{"KE: bad request", k.Bad},
		{"KE: TLS failed", k.Handshake},
		{"KE: too slow", k.Slow},
		{"KE: made room for another", k.Displaced},
		{"KE: no access or too often", k.Refused},
		{"KE: too many at a time", k.Crowded},
	} {
		if fate.n > 0 {
			fmt.Fprintf(b, "%-27s: %d\n", fate.label, fate.n)
		}
	}
}

func joined(ports []uint16) string {
	text := ""
	for i, p := range ports {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(p)
	}
	return text
}

// noInterval is chronyc's number for an interval that is not known, and that of
// Client.Intervals.
const noInterval = 127

// Clients writes chronyc's clients. What concerns commands is empty: they
// come by a socket, not by the network.
func Clients(w io.Writer, clients []status.Client, o Options) error {
	return renderClients(w, clients, o, "   Cmd", func(*status.Client) (asked, dropped uint32, interval int, last status.Ago) {
		return 0, 0, noInterval, status.Never
	})
}

// ClientsKE writes the same with the clients' key establishments in the
// last columns: clients -k.
func ClientsKE(w io.Writer, clients []status.Client, o Options) error {
	return renderClients(w, clients, o, "NTS-KE", func(c *status.Client) (asked, dropped uint32, interval int, last status.Ago) {
		_, _, interval = c.Intervals()
		return c.KE, c.KEDropped, interval, status.AgoSeconds(c.KELastS)
	})
}

func renderClients(w io.Writer, clients []status.Client, o Options, title string,
	others func(*status.Client) (asked, dropped uint32, interval int, last status.Ago),
) error {
	b := bufio.NewWriter(w)
	if o.Verbose && !o.CSV {
		b.WriteString(clientsLegend)
	}
	if !o.CSV {
		b.WriteString("Hostname                      NTP   Drop Int IntL Last  " + title + "   Drop Int  Last\n" +
			"===============================================================================\n")
	}
	for i := range clients {
		c := &clients[i]
		asked, dropped, every, latest := others(c)
		interval, limited, _ := c.Intervals()
		last := status.AgoSeconds(c.LastS)
		if o.CSV {
			writeCSV(b, []string{
				c.Address, fmt.Sprint(c.Requests), fmt.Sprint(c.Dropped), fmt.Sprint(interval), fmt.Sprint(limited),
				fmt.Sprint(uint32(last)), fmt.Sprint(asked), fmt.Sprint(dropped), fmt.Sprint(every), fmt.Sprint(uint32(latest)),
			})
			continue
		}
		fmt.Fprintf(b, "%-25s  %6d  %5d  %2s  %2s  %s  %6d  %5d  %2s  %s\n", clip(c.Address), c.Requests, c.Dropped,
			log2Text(interval), log2Text(limited), since(last), asked, dropped, log2Text(every), since(latest))
		if o.Verbose {
			clientWords(b, c)
		}
	}
	return flush(b)
}

// nameColumn is the width of the first column.
const nameColumn = 25

func clip(name string) string {
	if len(name) <= nameColumn {
		return name
	}
	return name[:nameColumn-1] + ">"
}

func log2Text(n int) string {
	if n == noInterval {
		return "-"
	}
	return fmt.Sprint(n)
}

func clientWords(b *bufio.Writer, c *status.Client) {
	if c.NTS {
		b.WriteString("  its requests are authenticated (NTS)\n")
	}
	if c.Interleaved {
		b.WriteString("  it uses interleaved mode\n")
	}
	if c.Dropped > 0 {
		fmt.Fprintf(b, "  it asks more often than the rate limit allows: %d of %d requests refused\n", c.Dropped, c.Requests)
	}
}

// Access writes chronyc's answer to accheck, and with Verbose the reason.
func Access(w io.Writer, a status.Access, o Options) error {
	b := bufio.NewWriter(w)
	if a.Allowed {
		b.WriteString("208 Access allowed\n")
	} else {
		b.WriteString("209 Access denied\n")
	}
	if o.Verbose {
		switch {
		case a.Rule != "":
			fmt.Fprintf(b, "decided by the subnet %s\n", a.Rule)
		case !a.Allowed:
			b.WriteString("no section 'allow' names its subnet\n")
		}
		if !a.Serving {
			b.WriteString("but no port is served\n")
		}
	}
	return flush(b)
}
