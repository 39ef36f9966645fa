package ctl

import (
	"bytes"
	"strings"
	"testing"

	"ntsd/internal/mac"
)

// TestKeygen: what is printed is a key file with that key, and no two are alike.
func TestKeygen(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct {
		args string
		id   uint32
		kind mac.Type
		bits int
		fail string
	}{
		{"", 1, mac.AES128, 128, ""},
		{"7", 7, mac.AES128, 128, ""},
		{"7 AES256", 7, mac.AES256, 256, ""},
		{"7 aes256 256", 7, mac.AES256, 256, ""},
		{"4294967295 SHA256", 4294967295, mac.SHA256, 160, ""},
		{"7 SHA1 256", 7, mac.SHA1, 256, ""},
		{"0", 0, 0, 0, "an id is a whole number"},
		{"4294967296", 0, 0, 0, "an id is a whole number"},
		{"x", 0, 0, 0, "an id is a whole number"},
		{"1 TIGER", 0, 0, 0, "a type is MD5"},
		{"1 SHA1 72", 0, 0, 0, "from 80 to 4096 bits"},
		{"1 SHA1 81", 0, 0, 0, "from 80 to 4096 bits"},
		{"1 SHA1 8192", 0, 0, 0, "from 80 to 4096 bits"},
		{"1 AES128 256", 0, 0, 0, "AES128 takes 128 bits"},
	} {
		var out, errors bytes.Buffer
		code := Main(append([]string{"keygen"}, strings.Fields(c.args)...), Program{Stdout: &out, Stderr: &errors})
		if (code == 0) != (c.fail == "") || !strings.Contains(errors.String(), c.fail) {
			t.Errorf("keygen %s: exit %d, %s", c.args, code, errors.String())
			continue
		}
		keys, wrong := mac.ParseFile(out.String(), mac.FormatChrony)
		if c.fail != "" {
			continue
		}
		if len(wrong) > 0 || len(keys) != 1 || keys[0].ID != c.id || keys[0].Type != c.kind || keys[0].Bits() != c.bits {
			t.Errorf("keygen %s: got %q", c.args, out.String())
		}
		if seen[out.String()] {
			t.Errorf("keygen %s: the same again", c.args)
		}
		seen[out.String()] = true
	}
}
