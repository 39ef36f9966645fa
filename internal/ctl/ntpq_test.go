package ctl

import (
	"encoding/json"
	"strings"
	"testing"

	"ntsd/internal/ntpq"
)

// TestPeersAndNTS: what ntpq shows, in all its forms. The columns themselves
// are compared with ntpq's in package ntpq.
func TestPeersAndNTS(t *testing.T) {
	f := startFake(t)
	f.report.NTS.Sent = 17
	for _, c := range []struct {
		args string
		want []string
	}{
		{"peers", []string{"     remote ", "   refid      st t when poll reach   delay   offset   jitter\n====="}},
		{"-n peers", []string{f.report.Sources[0].Address}},
		{"-c peers", []string{"," + f.report.Sources[0].Address + ","}},
		{"nts", []string{"NTS client sends:                      17\n", "NTS server sends:                       3\n", "NTS KE serves bad: "}},
		{"-c nts", []string{"17,0,0,3,0,3,0,"}},
	} {
		code, out, errs := f.ntsctl(strings.Fields(c.args)...)
		if code != ExitDone || errs != "" {
			t.Errorf("%s: got status %d, %q", c.args, code, errs)
		}
		for _, part := range c.want {
			if !strings.Contains(out, part) {
				t.Errorf("%s: got %q, which lacks %q", c.args, out, part)
			}
		}
	}
	var peers []ntpq.Peer
	_, out, _ := f.ntsctl("--json", "peers")
	if err := json.Unmarshal([]byte(out), &peers); err != nil || len(peers) != len(f.report.Sources) {
		t.Errorf("--json peers: got %q, %v", out, err)
	}
	var counters ntpq.NTS
	_, out, _ = f.ntsctl("--json", "nts")
	if err := json.Unmarshal([]byte(out), &counters); err != nil || counters.ClientSend != 17 || counters.ServerSend != 3 {
		t.Errorf("--json nts: got %q, %v", out, err)
	}
}
