package interop

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/probe"
)

// TestNtsctlTest: "ntsctl test" of Debian's chronyd and ntpd of NTPsec, by
// itself: what they negotiate, and what a narrow path does to it.
func TestNtsctlTest(t *testing.T) {
	l := newLab(t)
	chrony, sec, way, here := l.Host("chrony"), l.Host("ntpsec"), l.Host("way"), l.Host("router")
	chrony.StartChronyServer(l.peers, l.certificate(chrony, way))
	sec.StartNTPsecServer(l.peers, l.certificate(sec))
	p := l.path("way", chrony)
	test := func(directive string) (r probe.Result, stderr string) {
		t.Helper()
		cmd := here.Command(t.Context(), filepath.Join(binDir, "ntsctl"), "-h", filepath.Join(here.Dir, "none.sock"), "--json", "test", directive+" ca "+here.writeCA(l.ca))
		var errs strings.Builder
		cmd.Stderr = &errs
		out, _ := cmd.Output() // its exit status is in the result, too
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%s: %v\n%s%s", directive, err, out, errs.String())
		}
		return r, errs.String()
	}
	for name, c := range map[string]struct {
		h     *Host
		bytes int
	}{"chronyd": {chrony, 100}, "ntpd": {sec, 104}} {
		r, errs := test("server " + c.h.IPv4.String() + " nts")
		if !r.OK || r.KE.AEAD != 15 || r.KE.Cookies != 8 || r.KE.CookieBytes != c.bytes || !r.Certificate.Verified || !r.NTP.Authenticated || r.NTP.ReplyBytes != r.NTP.RequestBytes {
			t.Errorf("%s: got %+v, %+v, %+v\n%s", name, r, r.KE, r.NTP, errs)
		}
		if len(r.Lengths) != 5 || r.SizeLoss.Suspected {
			t.Errorf("%s: got %+v, lengths %+v", name, r.SizeLoss, r.Lengths)
		}
		if r, errs := test("server " + c.h.IPv4.String()); !r.OK || r.NTP.Authenticated {
			t.Errorf("%s, plain: got %+v\n%s", name, r, errs)
		}
	}
	p.narrow(500)
	r, errs := test("server " + way.IPv4.String() + " nts")
	if !r.OK || !r.SizeLoss.Suspected || r.SizeLoss.Above > 500 || r.SizeLoss.Above < 300 {
		t.Errorf("narrow: got %+v, %+v\n%s", r, r.SizeLoss, errs)
	}
	p.narrow(100)
	r, errs = test("server " + way.IPv4.String() + " nts")
	if r.OK || !r.SizeLoss.Suspected || r.SizeLoss.Above != 48 || !strings.Contains(errs, "answers plain NTP, but no NTS request") {
		t.Errorf("nothing with NTS passes: got %+v, %+v\n%s", r, r.SizeLoss, errs)
	}
}
