package status

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// ServerStats is what the NTP server has counted since the start of the daemon.
type ServerStats struct {
	Ports          []uint16 `json:"ports"` // served now
	Received       uint64   `json:"received"`
	Dropped        uint64   `json:"dropped"`         // without a reply, for whatever reason
	ClientsDropped uint64   `json:"clients_dropped"` // records of clients that made room for others
	KEAccepted     uint64   `json:"ke_accepted"`     // NTS-KE connections
	KEDropped      uint64   `json:"ke_dropped"`
	Authenticated  uint64   `json:"authenticated"`   // replies with NTS
	Interleaved    uint64   `json:"interleaved"`     // replies in interleaved mode
	Held           int      `json:"timestamps_held"` // for interleaved mode
	HeldSpanS      float64  `json:"timestamp_span_s"`
	DaemonRX       uint64   `json:"daemon_rx_timestamps"`
	DaemonTX       uint64   `json:"daemon_tx_timestamps"`
	KernelRX       uint64   `json:"kernel_rx_timestamps"`
	KernelTX       uint64   `json:"kernel_tx_timestamps"`
	Unsent         uint64   `json:"unsent"` // replies that the network did not take
	// Verdicts says of each what became of how many requests.
	Verdicts map[string]uint64 `json:"verdicts"`
	KE       KECounts          `json:"ke"`
	Cookies  CookieCounts      `json:"cookies"`
}

// CookieCounts says what became of NTS cookies: how many were made, and of those
// that clients sent how many keys before the current one they were made under.
type CookieCounts struct {
	Made        uint64 `json:"made"`
	Opened      uint64 `json:"opened"`
	OpenedOld   uint64 `json:"opened_old"`
	OpenedOld2  uint64 `json:"opened_old2"`
	OpenedOlder uint64 `json:"opened_older"`
	Expired     uint64 `json:"expired"` // their key is kept no more
	Bad         uint64 `json:"bad"`
}

// KECounts says what became of the connections of key establishment: of those
// accepted when they have ended, of those dropped at once.
type KECounts struct {
	Good      uint64 `json:"served"`
	Bad       uint64 `json:"bad_request"`
	Handshake uint64 `json:"no_handshake"`
	Slow      uint64 `json:"too_slow"`
	Displaced uint64 `json:"displaced"`
	Refused   uint64 `json:"refused"` // no access, or too often
	Crowded   uint64 `json:"crowded"`
}

// Add adds what another server counted.
func (k *KECounts) Add(o KECounts) {
	k.Good += o.Good
	k.Bad += o.Bad
	k.Handshake += o.Handshake
	k.Slow += o.Slow
	k.Displaced += o.Displaced
	k.Refused += o.Refused
	k.Crowded += o.Crowded
}

// words names each fate that a connection has met.
func (k *KECounts) words(b *bufio.Writer) {
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

// Client is one line of the table of clients.
type Client struct {
	Address           string  `json:"address"`
	Requests          uint32  `json:"requests"`
	Dropped           uint32  `json:"dropped"`    // of these, by the rate limit
	IntervalS         float64 `json:"interval_s"` // mean; 0 before the second request
	AnsweredIntervalS float64 `json:"answered_interval_s"`
	LastS             float64 `json:"last_s"` // since the latest request; negative: there was none
	NTS               bool    `json:"nts"`
	Interleaved       bool    `json:"interleaved"`
	KE                uint32  `json:"ke"` // key establishments; the same of them:
	KEDropped         uint32  `json:"ke_dropped"`
	KEIntervalS       float64 `json:"ke_interval_s"`
	KELastS           float64 `json:"ke_last_s"`
}

// Access says whether a client is answered.
type Access struct {
	Address string `json:"address"`
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule,omitempty"` // the prefix that decides; empty: none does
	Serving bool   `json:"serving"`        // there is a port to ask
}

// RenderServerStats writes chronyc's serverstats, and with Verbose what became
// of the requests in the daemon's own words.
func RenderServerStats(w io.Writer, s ServerStats, o Options) error {
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
func serverWords(b *bufio.Writer, s *ServerStats) {
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
	slices.SortFunc(given, func(x, y string) int {
		return cmp.Or(cmp.Compare(s.Verdicts[y], s.Verdicts[x]), cmp.Compare(x, y))
	})
	for _, name := range given {
		fmt.Fprintf(b, "%-27s: %d\n", name, s.Verdicts[name])
	}
	if s.Unsent > 0 {
		fmt.Fprintf(b, "%-27s: %d\n", "replies that could not leave", s.Unsent)
	}
	s.KE.words(b)
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

// shortest is what an interval is shown as that is too short to be measured.
const shortest = 0.001

// noInterval is chronyc's number for an interval that is not known.
const noInterval = 127

// intervalLog2 is an interval as chronyc shows it: a power of two.
func intervalLog2(seconds float64) int {
	if !(seconds > 0) {
		return noInterval
	}
	return int(math.Round(math.Log2(seconds)))
}

// RenderClients writes chronyc's clients. What concerns commands is empty: they
// come by a socket, not by the network.
func RenderClients(w io.Writer, clients []Client, o Options) error {
	return renderClients(w, clients, o, "   Cmd", func(*Client) (asked, dropped uint32, interval int, last Ago) {
		return 0, 0, noInterval, Never
	})
}

// RenderClientsKE writes the same with the clients' key establishments in the
// last columns: clients -k.
func RenderClientsKE(w io.Writer, clients []Client, o Options) error {
	return renderClients(w, clients, o, "NTS-KE", func(c *Client) (asked, dropped uint32, interval int, last Ago) {
		_, _, interval = c.Intervals()
		return c.KE, c.KEDropped, interval, AgoSeconds(c.KELastS)
	})
}

// Intervals are those of its requests, of those that were answered and of its
// key establishments, as powers of two; 127 stands for one that is not known,
// or, of the answered ones, for that no request was refused.
func (c *Client) Intervals() (all, answered, ke int) {
	all, answered, ke = intervalLog2(c.IntervalS), noInterval, noInterval
	if c.Requests > 1 {
		all = intervalLog2(max(c.IntervalS, shortest))
	}
	if c.Dropped > 0 {
		answered = intervalLog2(max(c.AnsweredIntervalS, shortest))
	}
	if c.KE > 1 {
		ke = intervalLog2(max(c.KEIntervalS, shortest))
	}
	return all, answered, ke
}

// AgoSeconds is Never for negative seconds.
func AgoSeconds(s float64) Ago {
	if s < 0 {
		return Never
	}
	return Ago(s)
}

func renderClients(w io.Writer, clients []Client, o Options, title string,
	others func(*Client) (asked, dropped uint32, interval int, last Ago),
) error {
	b := bufio.NewWriter(w)
	if !o.CSV {
		b.WriteString("Hostname                      NTP   Drop Int IntL Last  " + title + "   Drop Int  Last\n" +
			"===============================================================================\n")
	}
	for i := range clients {
		c := &clients[i]
		asked, dropped, every, latest := others(c)
		interval, limited, _ := c.Intervals()
		last := AgoSeconds(c.LastS)
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

func clientWords(b *bufio.Writer, c *Client) {
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

// RenderAccess writes chronyc's answer to accheck, and with Verbose the reason.
func RenderAccess(w io.Writer, a Access, o Options) error {
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

func flush(b *bufio.Writer) error {
	if err := b.Flush(); err != nil {
		return fmt.Errorf("status: write: %w", err)
	}
	return nil
}

// WriteJSON writes any of these as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("status: write JSON: %w", err)
	}
	return nil
}
