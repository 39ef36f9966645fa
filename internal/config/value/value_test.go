package value

import (
	"testing"
	"time"

	"ntsd/internal/ntptime"
)

// try returns what a value is printed as once it was read, and whether it is one.
func try[T any](k Kind[T]) func(string) (string, bool) {
	return func(s string) (string, bool) {
		v, ok := k.Parse(s)
		if !ok {
			return "", false
		}
		return k.Print(v), true
	}
}

// TestForms: each kind takes what it should and prints it in one form.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		kind string
		try  func(string) (string, bool)
		good map[string]string // as written: as printed
		bad  []string
	}{
		{
			"boolean", try(Boolean()),
			map[string]string{"1": "1", "yes": "1", "on": "1", "true": "1", "enabled": "1", "0": "0", "no": "0", "off": "0", "false": "0", "disabled": "0"},
			[]string{"", "2", "Yes", "y"},
		},
		{
			"integer", try(Integer[ntptime.Exponent](-7, 24)),
			map[string]string{"-7": "-7", "24": "24", "+3": "3", "007": "7"},
			[]string{"", "-8", "25", "0x6", "6.0", "1e1", "99999999999999999999"},
		},
		{"port", try(Port()), map[string]string{"1": "1", "65535": "65535"}, []string{"0", "65536", "-1", "ntp"}},
		{"optional", try(Optional(Integer(0, 64))), map[string]string{"0": "", "8": "8"}, []string{"65"}},
		{"unless", try(Unless(0, "majority", Integer(1, 100))), map[string]string{"majority": "majority", "1": "1"}, []string{"0", "101", "Majority", ""}},
		{"ratio", try(Ratio(1e3)), map[string]string{"3": "3", "0.50": "0.5", "1e3": "1000", "-0": "0"}, []string{"", "-1", "1001", "inf", "nan", "0x1p3", "1,5"}},
		{"ppm", try(PPM(1e5)), map[string]string{"400": "400", "5e2": "500", "83333": "83333", "0.01": "0.01", "1e-7": "0.0000001", "0": "0", "7.138720262040718": "7.138720262040718"}, []string{"-1", "1e9", "inf"}},
		{
			"time", try(Seconds()),
			map[string]string{"1": "1", "0.1": "0.1", "1e-9": "0.000000001", "250ms": "0.25", "5us": "0.000005", "2m": "120", "1h": "3600", "1d": "86400", "1w": "604800", "366d": "31622400"},
			[]string{"", "s", "-1", "367d", "1 s", "1y", "inf", "1ns"},
		},
		{"offset", try(Offset()), map[string]string{"-0.5": "-0.5", "+1ms": "0.001", "0": "0"}, []string{"-367d"}},
		{"path", try(Path()), map[string]string{"/etc/a b": "/etc/a b"}, []string{"", "a\nb", "\x7f", string(make([]byte, maxPath+1))}},
		{"user", try(UserName()), map[string]string{"ntp": "ntp", "_ntp.1": "_ntp.1"}, []string{"", "a:b", "a b", "123456789012345678901234567890123"}},
		{"interface", try(InterfaceName()), map[string]string{"br-lan": "br-lan", "eth0.2": "eth0.2", "@wan": "@wan"}, []string{"", "a/b", "lan guest"}},
		{"name", try(Name()), map[string]string{"PTB": "PTB", "é": "é"}, []string{"", "a b", "a\tb"}},
		{"reference ID", try(RefID()), map[string]string{"GPS": "GPS"}, []string{"", "GPS12", "G P"}},
		{"choice", try(OneOf("a", "b", "c")), map[string]string{"a": "a", "c": "c"}, []string{"", "A", "d"}},
		{"log level", try(LogLevel()), map[string]string{"warn": "warn", "debug": "debug"}, []string{"", "loud", "WARN"}},
		{"family", try(Family()), map[string]string{"any": "any", "ipv4": "ipv4", "ipv6": "ipv6"}, []string{"", "inet6", "4"}},
		{"host", try(Host()), map[string]string{"a.example:443": "a.example:443", "::1": "::1"}, []string{"", "a b", "a:0", "192.0.2"}},
		{"plain host", try(PlainHost()), map[string]string{"a.example.": "a.example", "[::1]": "::1"}, []string{"a.example:443"}},
		{
			"subnet", try(Subnet()),
			map[string]string{"192.168.1.7/24": "192.168.1.0/24", "10.0.0.1": "10.0.0.1/32", "2001:db8::1": "2001:db8::1/128"},
			[]string{"", "192.168.1.0/33", "192.168.1", "fe80::1%eth0"},
		},
		{
			"algorithm", try(AEAD()),
			map[string]string{"30": "30", "AES_SIV_CMAC_256": "15", "AEAD_AES_128_GCM_SIV": "30", "17": "17", "16": "16"},
			[]string{"", "18", "aes_siv_cmac_256"},
		},
		{"bytes", try(ByteSize()), map[string]string{"0": "0", "2M": "2097152", "1k": "1024", "1024G": "1099511627776"}, []string{"", "-1", "1T", "1025G", "M"}},
	} {
		for s, want := range c.good {
			if got, ok := c.try(s); !ok || got != want {
				t.Errorf("%s %q: got %q, %t; want %q", c.kind, s, got, ok, want)
			}
		}
		for _, s := range c.bad {
			if got, ok := c.try(s); ok {
				t.Errorf("%s %.40q: got %q, want it refused", c.kind, s, got)
			}
		}
	}
}

// TestWants: what is allowed is said in words that follow "must be".
func TestWants(t *testing.T) {
	for got, want := range map[string]string{
		OneOf("a", "b", "c").Want:                     "a, b or c",
		Integer(1, 15).Want:                           "a whole number from 1 to 15",
		Unless(0, "auto", Integer(1, 2)).Want:         "auto or a whole number from 1 to 2",
		TimeSpan(time.Millisecond, 90*time.Hour).Want: "a time from 0.001 to 324000 in seconds, or with a unit (us, ms, s, m, h, d, w)",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// FuzzNumbers: nothing panics, and what is printed reads back as the same.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1", "-0.5", "1e-9", "250ms", "1w", "4.00", "1e400", "2M", "1024G", "9223372036854775807", ".", "e", "+"} {
		f.Add(s)
	}
	kinds := map[string]func(string) (string, bool){
		"time": try(Seconds()), "offset": try(Offset()), "ppm": try(PPM(1e5)), "ratio": try(Ratio(1e6)), "bytes": try(ByteSize()),
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, again := range kinds {
			once, ok := again(s)
			if !ok {
				continue
			}
			if twice, ok := again(once); !ok || twice != once {
				t.Errorf("%s %q: printed %q, which reads as %q, %t", name, s, once, twice, ok)
			}
		}
	})
}
