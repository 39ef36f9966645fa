package advice

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/config"
	"ntsd/internal/uci"
)

const threeOperators = `
config server
	option hostname 'time.cloudflare.com'
	option nts '1'
config server
	option hostname 'nts.netnod.se'
	option nts '1'
config server
	option hostname 'ntppool1.time.nl'
	option nts '1'
config nts
	option rtccheck '1'
`

func TestOn(t *testing.T) {
	one := "config server\n option hostname 'time.cloudflare.com'\n option nts '1'\n"
	tests := []struct {
		name, text string
		want       []Code
		about      string // of the first one
	}{
		{"nothing at all", "", nil, ""},
		{"as shipped", threeOperators + "config allow\n option interface 'lan'\n", nil, ""},
		{"plain ones do not outvote by default", threeOperators + "config dhcp_ntp_server\n", nil, ""},
		{"plain only", "config pool\n option hostname 'openwrt.pool.ntp.org'\n", []Code{NoNTS}, ""},
		{"one operator", one + "config nts\n option rtccheck '1'\n", []Code{FewOperators}, "cloudflare.com"},
		{
			"three servers of two operators", one + "config server\n option hostname 'nts.cloudflare.com'\n option nts '1'\n" +
				"config server\n option hostname 'ptbtime1.ptb.de'\n option nts '1'\nconfig nts\n option rtccheck '1'\n",
			[]Code{FewOperators},
			"cloudflare.com ptb.de",
		},
		{"a key", one + "config server\n option hostname '192.0.2.1'\n option key '1'\nconfig key\n option id '1'\n option secret_file 'k'\nconfig nts\n option rtccheck '1'\n", []Code{FewOperators}, "cloudflare.com 192.0.2.1"},
		{"a receiver", "config refclock\n option driver 'SHM'\n option parameter '0'\n option refid 'GPS'\n", []Code{FewOperators}, "GPS"},
		{"only measured", strings.Replace(threeOperators, "'nts.netnod.se'", "'nts.netnod.se'\n option noselect '1'", 1), []Code{FewOperators}, "cloudflare.com time.nl"},
		{"name not checked", strings.Replace(threeOperators, "'nts.netnod.se'", "'nts.netnod.se'\n option noval '1'", 1), []Code{FewOperators}, "cloudflare.com time.nl"},
		{"outvoted by DHCP", threeOperators + "config dhcp_ntp_server\nconfig selection\n option authselectmode 'ignore'\n", []Code{Outvote}, ""},
		{"nobody there to outvote", threeOperators + "config selection\n option authselectmode 'ignore'\n", nil, ""},
		{"trusted though plain", threeOperators + "config server\n option hostname 'ntp.example'\n option trust '1'\n", []Code{PlainTrust}, "ntp.example"},
		{"no authority", threeOperators + "config nts\n option systemcerts '0'\n", []Code{NoCA}, "time.cloudflare.com"},
		{"an authority of one's own", threeOperators + "config nts\n option systemcerts '0'\n list trustedcerts '/etc/ntsd/ca.pem'\n", nil, ""},
		{"rtccheck", threeOperators + "config nts\n option rtccheck '0'\n", []Code{RTCCheck}, ""},
		{"wan", threeOperators + "config allow\n list interface 'lan'\n list interface 'wan'\n", []Code{World}, "wan"},
		{"the world", threeOperators + "config allow\n list subnet '0.0.0.0/0'\n list subnet '::/0'\n", []Code{World, World}, "0.0.0.0/0"},
		{"a large network", threeOperators + "config allow\n list subnet '10.0.0.0/8'\n", nil, ""},
		{"the world is not served", threeOperators + "config allow\n list interface 'wan'\nconfig serve\n option enabled '0'\n", nil, ""},
		{"NTS for nobody", threeOperators + "config nts_server\n option enabled '1'\n option selfsigned '1'\n", []Code{Nobody}, ""},
		{"announced to nobody", threeOperators + "config serve\n option advertise '1'\n", []Code{NoLAN}, ""},
	}
	for _, tt := range tests {
		p, err := uci.Parse("ntsd", []byte(tt.text))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		c, ds := config.FromUCI(p)
		if config.HasErrors(ds) {
			t.Fatalf("%s: %v", tt.name, ds)
		}
		var codes []Code
		for _, a := range On(c) {
			codes = append(codes, a.Code)
			if strings.Contains(a.Text, "%!") {
				t.Errorf("%s: text %q", tt.name, a.Text)
			}
		}
		if !slices.Equal(codes, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, codes, tt.want)
			continue
		}
		if len(codes) > 0 {
			if got := strings.Join(On(c)[0].About, " "); got != tt.about {
				t.Errorf("%s: about %q, want %q", tt.name, got, tt.about)
			}
		}
	}
}

// Nobody should be greeted with advice by what we ship.
func TestShippedNeedsNoAdvice(t *testing.T) {
	c, _ := config.LoadFile("../../files/router/etc/config/ntsd", os.ReadFile)
	if got := On(c); len(got) > 0 {
		t.Errorf("got %+v, want none", got)
	}
}
