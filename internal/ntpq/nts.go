package ntpq

import (
	"bufio"
	"fmt"
	"io"

	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// NTS is what NTS came to since the start, as client and as server, in the
// variables of NTPsec.
type NTS struct {
	ClientSend     uint64 `json:"nts_client_send"`
	ClientRecvGood uint64 `json:"nts_client_recv_good"`
	ClientRecvBad  uint64 `json:"nts_client_recv_bad"`
	ServerRecvGood uint64 `json:"nts_server_recv_good"`
	ServerRecvBad  uint64 `json:"nts_server_recv_bad"`
	ServerSend     uint64 `json:"nts_server_send"` // NAKs are not counted
	CookieMake     uint64 `json:"nts_cookie_make"`
	// Cookies that clients sent: made under the current key, under the one
	// before, the one before that, older ones, keys that are kept no more, and
	// those that are none of ours.
	CookieDecode       uint64 `json:"nts_cookie_decode"`
	CookieDecodeOld    uint64 `json:"nts_cookie_decode_old"`
	CookieDecodeOld2   uint64 `json:"nts_cookie_decode_old2"`
	CookieDecodeOlder  uint64 `json:"nts_cookie_decode_older"`
	CookieDecodeTooOld uint64 `json:"nts_cookie_decode_too_old"`
	CookieDecodeError  uint64 `json:"nts_cookie_decode_error"`
	KEProbesGood       uint64 `json:"nts_ke_probes_good"` // our key establishments
	KEProbesBad        uint64 `json:"nts_ke_probes_bad"`
	KEServesGood       uint64 `json:"nts_ke_serves_good"` // those of our clients
	// KEServesBad are connections that were accepted and got no cookies,
	// whatever went wrong.
	KEServesBad uint64 `json:"nts_ke_serves_bad"`
}

// NTSOf puts the counters together.
func NTSOf(c status.NTSClient, s *status.ServerStats) NTS {
	good := s.Authenticated + s.Verdicts["drop_random"]
	return NTS{
		ClientSend: c.Sent, ClientRecvGood: c.Good, ClientRecvBad: c.Bad,
		ServerRecvGood: good, ServerRecvBad: s.Verdicts["nak"] + s.Verdicts["drop_nts"] + s.Verdicts["drop_format"],
		ServerSend: s.Authenticated, CookieMake: s.Cookies.Made,
		CookieDecode: s.Cookies.Opened, CookieDecodeOld: s.Cookies.OpenedOld, CookieDecodeOld2: s.Cookies.OpenedOld2,
		CookieDecodeOlder: s.Cookies.OpenedOlder, CookieDecodeTooOld: s.Cookies.Expired, CookieDecodeError: s.Cookies.Bad,
		KEProbesGood: c.KEGood, KEProbesBad: c.KEBad, KEServesGood: s.KE.Good,
		KEServesBad: s.KE.Bad + s.KE.Handshake + s.KE.Slow + s.KE.Displaced,
	}
}

// Counter is a number with its names: the one of the variable, and the one that
// ntpq prints.
type Counter struct {
	Variable, Label string
	N               uint64
}

// Counters lists the counters in the order of ntpq.
func (n *NTS) Counters() []Counter {
	return []Counter{
		{"nts_client_send", "NTS client sends", n.ClientSend},
		{"nts_client_recv_good", "NTS client recvs good", n.ClientRecvGood},
		{"nts_client_recv_bad", "NTS client recvs w error", n.ClientRecvBad},
		{"nts_server_recv_good", "NTS server recvs good", n.ServerRecvGood},
		{"nts_server_recv_bad", "NTS server recvs w error", n.ServerRecvBad},
		{"nts_server_send", "NTS server sends", n.ServerSend},
		{"nts_cookie_make", "NTS make cookies", n.CookieMake},
		{"nts_cookie_decode", "NTS decode cookies", n.CookieDecode},
		{"nts_cookie_decode_old", "NTS decode cookies old", n.CookieDecodeOld},
		{"nts_cookie_decode_old2", "NTS decode cookies old2", n.CookieDecodeOld2},
		{"nts_cookie_decode_older", "NTS decode cookies older", n.CookieDecodeOlder},
		{"nts_cookie_decode_too_old", "NTS decode cookies too old", n.CookieDecodeTooOld},
		{"nts_cookie_decode_error", "NTS decode cookies error", n.CookieDecodeError},
		{"nts_ke_probes_good", "NTS KE client probes good", n.KEProbesGood},
		{"nts_ke_probes_bad", "NTS KE client probes bad", n.KEProbesBad},
		{"nts_ke_serves_good", "NTS KE serves good", n.KEServesGood},
		{"nts_ke_serves_bad", "NTS KE serves bad", n.KEServesBad},
	}
}

// RenderNTS writes ntpq's nts; as CSV the numbers in one line.
func RenderNTS(w io.Writer, n NTS, o tables.Options) error {
	b := bufio.NewWriter(w)
	for i, c := range n.Counters() {
		switch {
		case !o.CSV:
			fmt.Fprintf(b, "%-27s %13d\n", c.Label+":", c.N)
			continue
		case i > 0:
			b.WriteByte(',')
		}
		fmt.Fprint(b, c.N)
	}
	if o.CSV {
		b.WriteByte('\n')
	}
	return flush(b)
}
