package metrics

import (
	"maps"
	"slices"

	"ntsd/internal/status"
)

// server is chronyc's serverstats, and more.
func (w *writer) server(s *status.ServerStats) {
	w.one(gauge, "server_ports", "", "UDP ports that are served.", float64(len(s.Ports)))
	w.one(counter, "server_requests", "", "Requests that clients sent.", float64(s.Received))
	w.one(counter, "server_dropped_requests", "", "Of those, the ones without a reply, for whatever reason.", float64(s.Dropped))
	w.one(counter, "server_authenticated_replies", "", "Replies with NTS.", float64(s.Authenticated))
	w.one(counter, "server_interleaved_replies", "", "Replies in interleaved mode.", float64(s.Interleaved))
	w.one(counter, "server_unsent_replies", "", "Replies that the network did not take.", float64(s.Unsent))
	w.one(counter, "server_dropped_client_records", "", "Records of clients that made room for others.", float64(s.ClientsDropped))
	w.family(counter, "server_verdicts", "", "Requests by what became of them.")
	names := slices.Sorted(maps.Keys(s.Verdicts))
	for _, name := range names[:min(len(names), MaxVerdicts)] {
		w.add(float64(s.Verdicts[name]), "verdict", name)
	}
	w.one(gauge, "server_timestamps_held", "", "Timestamps kept for interleaved mode.", float64(s.Held))
	w.one(gauge, "server_timestamps_span_seconds", "seconds", "Time from the oldest of them to the newest.", s.HeldSpanS)
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
	w.add(float64(s.KE.Good), "result", "served")
	w.add(float64(s.KE.Bad), "result", "bad_request")
	w.add(float64(s.KE.Handshake), "result", "no_handshake")
	w.add(float64(s.KE.Slow), "result", "too_slow")
	w.add(float64(s.KE.Displaced), "result", "displaced")
	w.add(float64(s.KE.Refused), "result", "refused")
	w.add(float64(s.KE.Crowded), "result", "crowded")
	w.one(counter, "server_cookies_made", "", "Cookies given to clients.", float64(s.Cookies.Made))
	w.family(counter, "server_cookies", "", "Cookies that clients sent, by the key that opened them.")
	w.add(float64(s.Cookies.Opened), "key", "current")
	w.add(float64(s.Cookies.OpenedOld), "key", "previous")
	w.add(float64(s.Cookies.OpenedOld2), "key", "second")
	w.add(float64(s.Cookies.OpenedOlder), "key", "older")
	w.add(float64(s.Cookies.Expired), "key", "expired")
	w.add(float64(s.Cookies.Bad), "key", "none")
}

// keys is the state of the keys of cookies.
func (w *writer) keys(k *status.NTSKeys) {
	w.one(gauge, "server_cookie_keys", "", "Keys of cookies that are kept.", float64(len(k.Keys)))
	w.one(gauge, "server_cookie_key_rotation_seconds", "seconds", "Time between two keys.", k.RotateS)
	w.family(gauge, "server_cookie_key_waiting", "", "1: no new key before the clock is synchronised.")
	w.flag(k.Waiting)
	if k.Next != 0 {
		w.one(gauge, "server_cookie_key_next_timestamp_seconds", "seconds", "When the next key is due, in seconds since 1970.", unix(k.Next))
	}
}
