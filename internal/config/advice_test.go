package config

import (
	"os"
	"slices"
	"strings"
	"testing"

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

func TestAdvise(t *testing.T) {
	one := "config server\n option hostname 'time.cloudflare.com'\n option nts '1'\n"
	tests := []struct {
		name, text string
		want       []AdviceCode
		about      string // of the first one
	}{
		{"nothing at all", "", nil, ""},
		{"as shipped", threeOperators + "config allow\n option interface 'lan'\n", nil, ""},
		{"plain ones do not outvote by default", threeOperators + "config dhcp_ntp_server\n", nil, ""},
		{"plain only", "config pool\n option hostname 'openwrt.pool.ntp.org'\n", []AdviceCode{AdviceNoNTS}, ""},
		{"one operator", one + "config nts\n option rtccheck '1'\n", []AdviceCode{AdviceFewOperators}, "cloudflare.com"},
		{
			"three servers of two operators", one + "config server\n option hostname 'nts.cloudflare.com'\n option nts '1'\n" +
				"config server\n option hostname 'ptbtime1.ptb.de'\n option nts '1'\nconfig nts\n option rtccheck '1'\n",
			[]AdviceCode{AdviceFewOperators},
			"cloudflare.com ptb.de",
		},
		{"a key", one + "config server\n option hostname '192.0.2.1'\n option key '1'\nconfig key\n option id '1'\n option secret_file 'k'\nconfig nts\n option rtccheck '1'\n", []AdviceCode{AdviceFewOperators}, "cloudflare.com 192.0.2.1"},
		{"a receiver", "config refclock\n option driver 'SHM'\n option parameter '0'\n option refid 'GPS'\n", []AdviceCode{AdviceFewOperators}, "GPS"},
		{"only measured", strings.Replace(threeOperators, "'nts.netnod.se'", "'nts.netnod.se'\n option noselect '1'", 1), []AdviceCode{AdviceFewOperators}, "cloudflare.com time.nl"},
		{"name not checked", strings.Replace(threeOperators, "'nts.netnod.se'", "'nts.netnod.se'\n option noval '1'", 1), []AdviceCode{AdviceFewOperators}, "cloudflare.com time.nl"},
		{"outvoted by DHCP", threeOperators + "config dhcp_ntp_server\nconfig selection\n option authselectmode 'ignore'\n", []AdviceCode{AdviceOutvote}, ""},
		{"nobody there to outvote", threeOperators + "config selection\n option authselectmode 'ignore'\n", nil, ""},
		{"trusted though plain", threeOperators + "config server\n option hostname 'ntp.example'\n option trust '1'\n", []AdviceCode{AdvicePlainTrust}, "ntp.example"},
		{"no authority", threeOperators + "config nts\n option systemcerts '0'\n", []AdviceCode{AdviceNoCA}, "time.cloudflare.com"},
		{"an authority of one's own", threeOperators + "config nts\n option systemcerts '0'\n list trustedcerts '/etc/ntsd/ca.pem'\n", nil, ""},
		{"rtccheck", threeOperators + "config nts\n option rtccheck '0'\n", []AdviceCode{AdviceRTCCheck}, ""},
		{"wan", threeOperators + "config allow\n list interface 'lan'\n list interface 'wan'\n", []AdviceCode{AdviceWorld}, "wan"},
		{"the world", threeOperators + "config allow\n list subnet '0.0.0.0/0'\n list subnet '::/0'\n", []AdviceCode{AdviceWorld, AdviceWorld}, "0.0.0.0/0"},
		{"a large network", threeOperators + "config allow\n list subnet '10.0.0.0/8'\n", nil, ""},
		{"the world is not served", threeOperators + "config allow\n list interface 'wan'\nconfig serve\n option enabled '0'\n", nil, ""},
		{"NTS for nobody", threeOperators + "config nts_server\n option enabled '1'\n option selfsigned '1'\n", []AdviceCode{AdviceNobody}, ""},
		{"announced to nobody", threeOperators + "config serve\n option advertise '1'\n", []AdviceCode{AdviceNoLAN}, ""},
	}
	for _, tt := range tests {
		p, err := uci.Parse("ntsd", []byte(tt.text))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		c, ds := FromUCI(p)
		if HasErrors(ds) {
			t.Fatalf("%s: %v", tt.name, ds)
		}
		var codes []AdviceCode
		for _, a := range c.Advise() {
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
			if got := strings.Join(c.Advise()[0].About, " "); got != tt.about {
				t.Errorf("%s: about %q, want %q", tt.name, got, tt.about)
			}
		}
	}
}

// Nobody should be greeted with advice by what we ship.
func TestShippedNeedsNoAdvice(t *testing.T) {
	c, _ := LoadFile("../../files/router/etc/config/ntsd", os.ReadFile)
	if got := c.Advise(); len(got) > 0 {
		t.Errorf("got %+v, want none", got)
	}
}

func TestDigest(t *testing.T) {
	text := "config server\n option hostname 'one.example'\n"
	load := func(s string) string {
		c, _ := LoadFile("ntsd", func(string) ([]byte, error) { return []byte(s), nil })
		return c.Digest
	}
	if got, want := load(text), Digest([]byte(text)); got != want || len(got) != 16 {
		t.Errorf("got %q, want %q of 16 digits", got, want)
	}
	if load(text) == load(text+" ") {
		t.Error("two texts have the same digest")
	}
}
