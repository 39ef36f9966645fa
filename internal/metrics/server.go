package metrics

import (
	"maps"
	"slices"

	"ntsd/internal/status"
)

// server is chronyc's serverstats, and more.
func (w *writer) server(s *status.ServerStats) {
	w.family(gauge, "server_ports", "", "UDP ports that are served.")
	w.add(float64(len(s.Ports)))
	for _, c := range []struct {
		name, help string
		n          uint64
	}{
		{"server_requests", "Requests that clients sent.", s.Received},
		{"server_dropped_requests", "Of those, the ones without a reply, for whatever reason.", s.Dropped},
		{"server_authenticated_replies", "Replies with NTS.", s.Authenticated},
		{"server_interleaved_replies", "Replies in interleaved mode.", s.Interleaved},
		{"server_unsent_replies", "Replies that the network did not take.", s.Unsent},
		{"server_dropped_client_records", "Records of clients that made room for others.", s.ClientsDropped},
	} {
		w.family(counter, c.name, "", c.help)
		w.add(float64(c.n))
	}
	w.family(counter, "server_verdicts", "", "Requests by what became of them.")
	names := slices.Sorted(maps.Keys(s.Verdicts))
	for _, name := range names[:min(len(names), MaxVerdicts)] {
		w.add(float64(s.Verdicts[name]), "verdict", name)
	}
	w.family(gauge, "server_timestamps_held", "", "Timestamps kept for interleaved mode.")
	w.add(float64(s.Held))
	w.family(gauge, "server_timestamps_span_seconds", "seconds", "Time from the oldest of them to the newest.")
	w.add(s.HeldSpanS)
	w.family(counter, "server_timestamps", "", "Timestamps of packets by who took them.")
	w.add(float64(s.DaemonRX), "direction", "rx", "by", "daemon")
	w.add(float64(s.DaemonTX), "direction", "tx", "by", "daemon")
	w.add(float64(s.KernelRX), "direction", "rx", "by", "kernel")
	w.add(float64(s.KernelTX), "direction", "tx", "by", "kernel")
	w.established(s)
}

// established is NTS at the server: its key establishments and cookies.
func (w *writer) established(s *status.ServerStats) {
	w.family(counter, "server_key_establishment_connections", "", "Connections of key establishment.")
	w.add(float64(s.KEAccepted), "result", "accepted")
	w.add(float64(s.KEDropped), "result", "dropped")
	w.family(counter, "server_key_establishments", "", "Key establishments by what became of them.")
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"served", s.KE.Good},
		{"bad_request", s.KE.Bad},
		{"no_handshake", s.KE.Handshake},
		{"too_slow", s.KE.Slow},
		{"displaced", s.KE.Displaced},
		{"refused", s.KE.Refused},
		{"crowded", s.KE.Crowded},
	} {
		w.add(float64(c.n), "result", c.name)
	}
	w.family(counter, "server_cookies_made", "", "Cookies given to clients.")
	w.add(float64(s.Cookies.Made))
	w.family(counter, "server_cookies", "", "Cookies that clients sent, by the key that opened them.")
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"current", s.Cookies.Opened},
		{"previous", s.Cookies.OpenedOld},
		{"second", s.Cookies.OpenedOld2},
		{"older", s.Cookies.OpenedOlder},
		{"expired", s.Cookies.Expired},
		{"none", s.Cookies.Bad},
	} {
		w.add(float64(c.n), "key", c.name)
	}
}

// keys is the state of the keys of cookies.
func (w *writer) keys(k *status.NTSKeys) {
	w.family(gauge, "server_cookie_keys", "", "Keys of cookies that are kept.")
	w.add(float64(len(k.Keys)))
	w.family(gauge, "server_cookie_key_rotation_seconds", "seconds", "Time between two keys.")
	w.add(k.RotateS)
	w.family(gauge, "server_cookie_key_waiting", "", "1: no new key before the clock is synchronised.")
	w.flag(k.Waiting)
	if k.Next != 0 {
		w.family(gauge, "server_cookie_key_next_timestamp_seconds", "seconds", "When the next key is due, in seconds since 1970.")
		w.add(unix(k.Next))
	}
}
