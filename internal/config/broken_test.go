package config

import (
	"slices"
	"testing"
)

// brokenCase is a configuration with something wrong and all that is said
// about it.
type brokenCase struct {
	name, text string
	want       []string
}

// broken holds one fault per case. "S " stands for a source that is right
// otherwise.
func broken() []brokenCase {
	const s = "config server 'x'\n\toption hostname 'a.example'\n"
	const at = "/etc/config/ntsd:3: server 'x': "
	one := func(name, option, want string) brokenCase {
		return brokenCase{name, s + "\toption " + option + "\n", []string{want}}
	}
	in := func(name, typ, option, want string) brokenCase {
		return brokenCase{name, "config " + typ + "\n\toption " + option + "\n", []string{want}}
	}
	const seconds = "must be a time from 0 to 31622400 in seconds, or with a unit (us, ms, s, m, h, d, w)"
	const truth = "must be 1, yes, on, true, enabled or 0, no, off, false, disabled"
	return []brokenCase{
		one("minpoll high", "minpoll 99", "error: "+at+"option 'minpoll' '99': must be a whole number from -7 to 24"),
		one("minpoll low", "minpoll -8", "error: "+at+"option 'minpoll' '-8': must be a whole number from -7 to 24"),
		one("maxpoll word", "maxpoll ten", "error: "+at+"option 'maxpoll' 'ten': must be a whole number from -7 to 24"),
		one("maxpoll fraction", "maxpoll 6.5", "error: "+at+"option 'maxpoll' '6.5': must be a whole number from -7 to 24"),
		one("maxpoll hex", "maxpoll 0x6", "error: "+at+"option 'maxpoll' '0x6': must be a whole number from -7 to 24"),
		one("iburst", "iburst maybe", "error: "+at+"option 'iburst' 'maybe': "+truth),
		one("nts capital", "nts Yes", "error: "+at+"option 'nts' 'Yes': "+truth),
		one("port zero", "port 0", "error: "+at+"option 'port' '0': must be a whole number from 1 to 65535"),
		one("ntsport high", "ntsport 65536", "error: "+at+"option 'ntsport' '65536': must be a whole number from 1 to 65535"),
		one("port huge", "port 99999999999999999999", "error: "+at+"option 'port' '99999999999999999999': must be a whole number from 1 to 65535"),
		one("maxdelay negative", "maxdelay -1", "error: "+at+"option 'maxdelay' '-1': "+seconds),
		one("maxdelay infinite", "maxdelay inf", "error: "+at+"option 'maxdelay' 'inf': "+seconds),
		one("maxdelay unit", "maxdelay 3y", "error: "+at+"option 'maxdelay' '3y': "+seconds),
		one("maxdelay no number", "maxdelay s", "error: "+at+"option 'maxdelay' 's': "+seconds),
		one("maxsamples", "maxsamples 65", "error: "+at+"option 'maxsamples' '65': must be a whole number from 0 to 64"),
		one("aead", "aead '15 18'", "error: "+at+"option 'aead' '18': must be 30 (AES_128_GCM_SIV), 15 (AES_SIV_CMAC_256), 17 (AES_SIV_CMAC_512) or 16 (AES_SIV_CMAC_384)"),
		one("aead twice", "aead '15 30 15'", "error: "+at+"option 'aead' '15 30 15': must not name an algorithm twice"),
		one("family", "family inet6", "error: "+at+"option 'family' 'inet6': must be any, ipv4 or ipv6"),
		one("operator", "operator 'a b'", "error: "+at+"option 'operator' 'a b': must be a name without blanks"),
		one("unknown option", "minpol 6", "warning: "+at+"option 'minpol' is not known; did you mean 'minpoll'?"),
		one("unknown option, nothing near", "colour blue", "warning: "+at+"option 'colour' is not known"),
		one("key", "key 0", "error: "+at+"option 'key' '0': must be a whole number from 1 to 4294967295"),
		one("control characters", "operator 'a\nb\x1b'", "error: "+at+`option 'operator' 'a\nb\x1b': must be a name without blanks`),
		one("no nts", "noval 1", "warning: "+at+"option 'noval' has no effect without nts"),
		{
			"noval", s + "\toption nts 1\n\toption noval 1\n",
			[]string{"warning: /etc/config/ntsd:4: server 'x': option 'noval' '1': whoever answers is believed, so this source never counts as authenticated"},
		},
		{"polls crossed", s + "\toption minpoll 10\n\toption maxpoll 6\n", []string{"error: " + at + "option 'minpoll' '10': must not be above maxpoll 6"}},
		{"samples crossed", s + "\toption minsamples 8\n\toption maxsamples 4\n", []string{"error: " + at + "option 'minsamples' '8': must not be above maxsamples 4"}},
		{"list for one", s + "\tlist minpoll 5\n\tlist minpoll 6\n", []string{"error: /etc/config/ntsd:4: server 'x': option 'minpoll' '5': takes one value, not a list"}},
		{"two errors", s + "\toption minpoll a\n\toption port b\n", []string{
			"error: " + at + "option 'minpoll' 'a': must be a whole number from -7 to 24",
			"error: /etc/config/ntsd:4: server 'x': option 'port' 'b': must be a whole number from 1 to 65535",
		}},
		{"no hostname", "config server\n\toption iburst 1\n", []string{"error: /etc/config/ntsd:1: @server[0]: option 'hostname' is missing"}},
		{"misspelt hostname", "config server\n\toption hostnam a.example\n", []string{
			"error: /etc/config/ntsd:1: @server[0]: option 'hostname' is missing",
			"warning: /etc/config/ntsd:2: @server[0]: option 'hostnam' is not known; did you mean 'hostname'?",
		}},
		in("hostname with a blank", "server", "hostname 'a b'", "error: /etc/config/ntsd:2: @server[0]: option 'hostname' 'a b': must be a host name or an address, or one with a port as in host:4460"),
		in("hostname with a bad port", "pool", "hostname 'a.example:0'", "error: /etc/config/ntsd:2: @pool[0]: option 'hostname' 'a.example:0': must be a host name or an address, or one with a port as in host:4460"),
		in("short address", "server", "hostname '192.0.2'", "error: /etc/config/ntsd:2: @server[0]: option 'hostname' '192.0.2': must be a host name or an address, or one with a port as in host:4460"),
		in("open bracket", "server", "hostname '[2001:db8::1'", "error: /etc/config/ntsd:2: @server[0]: option 'hostname' '[2001:db8::1': must be a host name or an address, or one with a port as in host:4460"),
		{"two ports", "config server\n\toption nts 1\n\toption hostname 'a.example:443'\n\toption ntsport 444\n", []string{
			"error: /etc/config/ntsd:3: @server[0]: option 'hostname' 'a.example:443': names another port than option 'ntsport'",
		}},
		{"family and address", "config server\n\toption hostname 192.0.2.1\n\toption family ipv6\n", []string{
			"error: /etc/config/ntsd:3: @server[0]: option 'family' 'ipv6': does not fit the address 192.0.2.1",
		}},
		{"peer with nts", "config peer\n\toption hostname a.example\n\toption nts 1\n", []string{"error: /etc/config/ntsd:3: @peer[0]: option 'nts' is not possible with a peer"}},
		{"peer", "config peer\n\toption hostname a.example\n", []string{
			"warning: /etc/config/ntsd:1: @peer[0]: has no key: whoever can send packets in the peer's name can set its time",
		}},
		{"key beside nts", s + "\toption nts 1\n\toption key 1\n", []string{"warning: /etc/config/ntsd:4: server 'x': option 'key' has no effect beside nts"}},
		{"second anonymous", "config server\n\toption hostname a.example\nconfig server\n\toption hostname b.example\n\toption maxpoll x\n", []string{
			"error: /etc/config/ntsd:5: @server[1]: option 'maxpoll' 'x': must be a whole number from -7 to 24",
		}},
		{"unknown section", "config sever 'x'\n\toption hostname a.example\n", []string{"warning: /etc/config/ntsd:1: sever 'x': this section type is not known; did you mean 'server'?"}},
		{"unknown section, nothing near", "config interface 'lan'\n", []string{"warning: /etc/config/ntsd:1: interface 'lan': this section type is not known"}},
		{"idle", "config refclock\n\toption driver SHM\n\toption parameter 0\n\toption local 1\nconfig refclock\n\toption driver SHM\n\toption parameter 1\n\toption local 1\n", []string{
			"warning: /etc/config/ntsd:4: @refclock[0]: option 'local' has it measured only: the clock is not steadied by one that runs freely",
			"warning: /etc/config/ntsd:8: @refclock[1]: option 'local' has it measured only: the clock is not steadied by one that runs freely",
		}},
		{"refclock segment", "config refclock\n\toption driver SHM\n\toption parameter /dev/pps0\n", []string{
			"error: /etc/config/ntsd:3: @refclock[0]: option 'parameter' '/dev/pps0': \"/dev/pps0\" is no number from 0 to 255",
		}},
		{"refclock device", "config refclock\n\toption driver PPS\n\toption parameter /dev/pps0:rising\n", []string{
			"error: /etc/config/ntsd:3: @refclock[0]: option 'parameter' '/dev/pps0:rising': driver PPS has no option \"rising\"",
		}},
		{"disabled", "config server\n\toption disabled 1\n\toption noval 1\n", nil},
		in("pool size", "pool", "maxsources 0", "error: /etc/config/ntsd:2: @pool[0]: option 'maxsources' '0': must be a whole number from 1 to 16"),
		in("makestep", "makestep", "threshold 1,0", "error: /etc/config/ntsd:2: @makestep[0]: option 'threshold' '1,0': "+seconds),
		in("makestep limit", "makestep", "limit -2", "error: /etc/config/ntsd:2: @makestep[0]: option 'limit' '-2': must be a whole number from -1 to 2147483647"),
		in("log level", "ntsd 'main'", "log_level loud", "error: /etc/config/ntsd:2: ntsd 'main': option 'log_level' 'loud': must be debug, info, warn or error"),
		in("clock", "ntsd 'main'", "clock rtc", "error: /etc/config/ntsd:2: ntsd 'main': option 'clock' 'rtc': must be kernel or none"),
		in("user", "ntsd 'main'", "user 'a:b'", "error: /etc/config/ntsd:2: ntsd 'main': option 'user' 'a:b': must be a user name"),
		in("authselectmode", "selection", "authselectmode always", "error: /etc/config/ntsd:2: @selection[0]: option 'authselectmode' 'always': must be require, prefer, mix or ignore"),
		in("minsources", "selection", "minsources 0", "error: /etc/config/ntsd:2: @selection[0]: option 'minsources' '0': must be a whole number from 1 to 64"),
		in("bootstrap", "bootstrap", "mode trust", "error: /etc/config/ntsd:2: @bootstrap[0]: option 'mode' 'trust': must be ladder, strict or nocerttimecheck"),
		in("agree", "bootstrap", "agree 0", "error: /etc/config/ntsd:2: @bootstrap[0]: option 'agree' '0': must be majority or a whole number from 1 to 100"),
		in("subnet", "allow", "subnet '192.168.1.0/33'", "error: /etc/config/ntsd:2: @allow[0]: option 'subnet' '192.168.1.0/33': must be an address or a prefix as in 192.168.1.0/24"),
		in("rate limit", "serve", "ratelimit 'burst 0'", "error: /etc/config/ntsd:2: @serve[0]: option 'ratelimit' 'burst 0': must be a truth value, or 'interval N burst N leak N' with interval from -19 to 12, burst from 1 to 255, leak from 1 to 4"),
		in("stratum", "local", "stratum 16", "error: /etc/config/ntsd:2: @local[0]: option 'stratum' '16': must be a whole number from 1 to 15"),
		in("certificate alone", "nts_server", "cert /a.crt", "error: /etc/config/ntsd:2: @nts_server[0]: option 'cert' '/a.crt': must be as many as there are keys"),
		in("no certificate", "nts_server", "enabled 1", "error: /etc/config/ntsd:1: @nts_server[0]: option 'cert' is missing; so is selfsigned"),
		in("statistics", "statistics", "log 'loopstats sysstats'", "error: /etc/config/ntsd:2: @statistics[0]: option 'log' 'sysstats': must be loopstats, peerstats, clockstats, rawstats, measurements, tracking or statistics"),
		in("size", "statistics", "max_size 1T", "error: /etc/config/ntsd:2: @statistics[0]: option 'max_size' '1T': must be a number of bytes, or with a unit (k, M, G)"),
		in("key id", "key", "secret_file /k", "error: /etc/config/ntsd:1: @key[0]: option 'id' is missing"),
		in("key secret", "key", "id 1", "error: /etc/config/ntsd:1: @key[0]: option 'secret_file' is missing"),
		in("key type", "key", "type TIGER", "error: /etc/config/ntsd:2: @key[0]: option 'type' 'TIGER': must be MD5, SHA1, SHA256, SHA384, SHA512, AES128 or AES256"),
		in("key file", "keyfile", "trusted 1", "error: /etc/config/ntsd:1: @keyfile[0]: option 'file' is missing"),
		in("key file format", "keyfile", "format gps", "error: /etc/config/ntsd:2: @keyfile[0]: option 'format' 'gps': must be chrony or ntp"),
		in("refclock", "refclock", "driver NMEA", "error: /etc/config/ntsd:2: @refclock[0]: option 'driver' 'NMEA': must be SHM, SOCK, PPS or PHC"),
		in("leap mode", "systemclock", "leapsecmode smear", "error: /etc/config/ntsd:2: @systemclock[0]: option 'leapsecmode' 'smear': must be system, step, slew or ignore"),
		in("ppm", "smoothtime", "maxppm 1e9", "error: /etc/config/ntsd:2: @smoothtime[0]: option 'maxppm' '1e9': must be a number of ppm from 0 to 100000"),
		{"not UCI", "server a.example iburst\n", []string{"error: /etc/config/ntsd:1: a line begins with config, option or list"}},
		{"a byte order mark", "\ufeffconfig server\n\toption hostname a.example\n", []string{"error: /etc/config/ntsd:1: the file begins with a byte order mark: save it as UTF-8 without one"}},
		{"UTF-16", "\xff\xfec\x00", []string{"error: /etc/config/ntsd:1: the file begins with a byte order mark: save it as UTF-8 without one"}},
		{"an equals sign", "config server\n\toption hostname = a.example\n", []string{"error: /etc/config/ntsd:2: here stands more than a name and a value; a value with blanks needs quotes"}},
	}
}

func TestBroken(t *testing.T) {
	if n := len(broken()); n < 40 {
		t.Errorf("got %d cases, want at least 40", n)
	}
	for _, b := range broken() {
		_, ds := parse(t, b.text)
		diff(t, b.name, lines(ds), b.want)
	}
}

// TestOnlyTheSectionIsLeftOut: what stands round a bad section counts.
func TestOnlyTheSectionIsLeftOut(t *testing.T) {
	for _, b := range broken() {
		if slices.Contains([]string{"not UCI", "an equals sign", "a byte order mark", "UTF-16"}, b.name) { // the whole file is
			continue
		}
		text := "config server 'before'\n\toption hostname before.example\n" + b.text + "config server 'after'\n\toption hostname after.example\n"
		c, _ := parse(t, text)
		first, last := c.Sources[0].Name, c.Sources[len(c.Sources)-1].Name
		if first != "before.example" || last != "after.example" {
			t.Errorf("%s: got %q first and %q last, want both neighbours", b.name, first, last)
		}
	}
}
