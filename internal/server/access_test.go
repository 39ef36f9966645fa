package server

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func allow(s string) Rule { return Rule{netip.MustParsePrefix(s), true} }
func deny(s string) Rule  { return Rule{netip.MustParsePrefix(s), false} }

func TestAccess(t *testing.T) {
	lan := []Rule{allow("192.168.0.0/16"), deny("192.168.3.0/24"), allow("192.168.3.7/32"), allow("2001:db8::/32"), deny("2001:db8:1::/48")}
	for _, c := range []struct {
		name   string
		rules  []Rule
		client string
		want   bool
	}{
		{"no rule", nil, "192.168.1.1", false},
		{"no rule, loopback", nil, "127.0.0.1", true},
		{"no rule, loopback 6", nil, "::1", true},
		{"denied loopback", []Rule{deny("0.0.0.0/0"), deny("::/0")}, "127.3.2.1", true},
		{"inside", lan, "192.168.1.1", true},
		{"below", lan, "192.167.255.255", false},
		{"above", lan, "192.169.0.0", false},
		{"deny in allow", lan, "192.168.3.6", false},
		{"allow in deny in allow", lan, "192.168.3.7", true},
		{"after both", lan, "192.168.4.0", true},
		{"mapped", lan, "::ffff:192.168.3.7", true},
		{"v6", lan, "2001:db8::1", true},
		{"v6 deny", lan, "2001:db8:1::1", false},
		{"v6 after the deny", lan, "2001:db8:2::", true},
		{"v6 other", lan, "2001:db9::1", false},
		{"zone", []Rule{allow("fe80::/10")}, "fe80::1%eth0", true},
		{"same prefix", []Rule{deny("10.0.0.0/8"), allow("10.0.0.0/8")}, "10.1.1.1", false},
		{"same prefix, other order", []Rule{allow("10.0.0.0/8"), deny("10.0.0.0/8")}, "10.1.1.1", false},
		{"v4 all is not v6 all", []Rule{allow("0.0.0.0/0")}, "2001:db8::1", false},
		{"v6 all is not v4 all", []Rule{allow("::/0")}, "10.0.0.1", false},
		{"v6 all is not v4 mapped", []Rule{allow("::/0")}, "::ffff:10.0.0.1", false},
		{"top of the space", []Rule{allow("ff00::/8"), allow("::/0")}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
		{"unmasked", []Rule{allow("10.9.8.7/8")}, "10.0.0.1", true},
		{"mapped prefix", []Rule{allow("::ffff:10.0.0.0/104")}, "10.0.0.1", true},
	} {
		if got := NewAccess(c.rules).Allowed(netip.MustParseAddr(c.client)); got != c.want {
			t.Errorf("%s: %s: got %v, want %v", c.name, c.client, got, c.want)
		}
	}
	r, ok := NewAccess(lan).Deciding(netip.MustParseAddr("192.168.3.9"))
	if !ok || r != deny("192.168.3.0/24") {
		t.Errorf("deciding rule: got %v, %v, want the deny of /24", r, ok)
	}
	if r, ok := NewAccess(lan).Deciding(netip.MustParseAddr("8.8.8.8")); ok {
		t.Errorf("deciding rule of a stranger: got %v, want none", r)
	}
	if (&Access{}).Allowed(netip.Addr{}) {
		t.Error("the invalid address is allowed")
	}
}

// The table agrees with the definition, applied rule by rule.
func TestAccessAgainstDefinition(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	address := func() netip.Addr {
		// Few distinct bits, so that prefixes nest and addresses hit.
		b := [4]byte{10, byte(random.IntN(2) * 128), byte(random.IntN(4) * 64), byte(random.IntN(256))}
		if random.IntN(2) == 0 {
			return netip.AddrFrom4(b)
		}
		return netip.AddrFrom16([16]byte{0x20, 1, b[1], b[2], 15: b[3]})
	}
	for range 200 {
		var rules []Rule
		for range random.IntN(12) {
			a := address()
			p, _ := a.Prefix(random.IntN(a.BitLen() + 1))
			rules = append(rules, Rule{p, random.IntN(2) == 0})
		}
		table := NewAccess(rules)
		for range 50 {
			a := address()
			want, longest := false, -1
			for _, r := range rules {
				bits := r.Prefix.Bits()
				if r.Prefix.Contains(a) && (bits > longest || bits == longest && !r.Allow) {
					want, longest = r.Allow, bits
				}
			}
			if got := table.Allowed(a); got != want {
				t.Fatalf("rules %v, client %v: got %v, want %v", rules, a, got, want)
			}
		}
	}
}

func FuzzAccess(f *testing.F) {
	f.Add([]byte{10, 0, 0, 0, 8, 1, 10, 1, 0, 0, 16, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var rules []Rule
		for ; len(b) >= 6; b = b[6:] {
			rules = append(rules, Rule{netip.PrefixFrom(netip.AddrFrom4([4]byte(b)), int(b[4])%33), b[5]&1 == 1})
		}
		table := NewAccess(rules)
		for _, r := range rules {
			table.Allowed(r.Prefix.Addr())
		}
		for i := 1; i < len(table.v4); i++ {
			if table.v4[i-1].from.compare(table.v4[i].from) >= 0 {
				t.Fatalf("edges %d and %d are out of order", i-1, i)
			}
		}
	})
}

func BenchmarkAccess(b *testing.B) {
	var rules []Rule
	for i := range 1000 {
		rules = append(rules, Rule{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 2), byte(i << 6), 0}), 26), i%3 == 0})
	}
	table := NewAccess(rules)
	client := netip.MustParseAddr("10.77.64.3")
	b.ReportAllocs()
	for b.Loop() {
		table.Allowed(client)
	}
}
