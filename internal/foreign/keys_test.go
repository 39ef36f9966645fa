package foreign

import (
	"fmt"
	"slices"
	"testing"
)

// TestKeyFiles: chrony's keyfile and ntpd's keys and trustedkey become the same
// section; of ntpd's no key is used that is not trusted.
func TestKeyFiles(t *testing.T) {
	for _, c := range []struct {
		file, text string
		want       string
		told       []string
	}{
		{"/etc/chrony.conf", "keyfile /etc/a.keys\nkeyfile /etc/b.keys\n", "/etc/b.keys chrony []", nil},
		{"/etc/ntp.conf", "keys /etc/ntp.keys\ntrustedkey 3 1\n", "/etc/ntp.keys ntp [3 1]", nil},
		{"/etc/ntp.conf", "trustedkey 1 (4 ... 6) 9\nkeys /etc/ntp.keys\ncontrolkey 9\n", "/etc/ntp.keys ntp [1 4 5 6 9]", []string{
			"warning: /etc/ntp.conf:3: controlkey: has no equivalent and is ignored",
		}},
		{"/etc/ntp.conf", "keys /etc/ntp.keys\ntrustedkey 4...5 (7...7)\n", "", []string{"error: /etc/ntp.conf:2: trustedkey: takes key ids, and ranges of them as in (1 ... 9)"}},
		{"/etc/ntp.conf", "keys /etc/ntp.keys\ntrustedkey 4...5\n", "/etc/ntp.keys ntp [4 5]", nil},
		{"/etc/ntp.conf", "keys /etc/ntp.keys\ntrustedkey 1...4294967295\n", "", []string{"error: /etc/ntp.conf:2: trustedkey: takes key ids, and ranges of them as in (1 ... 9)"}},
		{"/etc/ntp.conf", "keys /etc/ntp.keys\ntrustedkey 0\n", "", []string{
			"error: /etc/ntp.conf:2: trustedkey: takes key ids, and ranges of them as in (1 ... 9)",
			"warning: /etc/ntp.conf:1: keys: none of them is trusted: trustedkey is missing",
		}},
		{"/etc/ntp.conf", "keys /etc/ntp.keys\n", "", []string{"warning: /etc/ntp.conf:1: keys: none of them is trusted: trustedkey is missing"}},
		{"/etc/ntp.conf", "trustedkey 1\n", "", []string{"warning: /etc/ntp.conf:1: trustedkey: names keys of no file: keys is missing"}},
		{"/etc/ntp.conf", "broadcast 192.0.2.255\nbroadcastclient\n", "", []string{
			"warning: /etc/ntp.conf:1: broadcast: is not offered: nobody can authenticate or measure the delay of a broadcast",
			"warning: /etc/ntp.conf:2: broadcastclient: is not offered: nobody can authenticate or measure the delay of a broadcast",
		}},
	} {
		cfg, ds := load(c.file, given(c.text))
		got := ""
		for _, k := range cfg.KeyFiles {
			got += fmt.Sprint(k.File, " ", k.Format, " ", k.Trusted)
		}
		told := lines(ds)
		slices.Sort(told)
		slices.Sort(c.told)
		if c.want != "" && got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
		diff(t, c.text, told, c.told)
	}
}
