package status

import "math"

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
