package config

import (
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"ntsd/internal/mac"
)

// keyFiles are what LoadKeys may read.
func keyFiles() map[string]string {
	return map[string]string{
		"/good":   "HEX:000102030405060708090a0b0c0d0e0f\n",
		"/text":   "  ASCII:a secret?-sixteen",
		"/empty":  "\n",
		"/hex":    "HEX:0g",
		"/plain":  "0123456789abcdef",
		"/line":   "7 AES128 HEX:000102030405060708090a0b0c0d0e0f\n",
		"/other":  "8 AES128 HEX:000102030405060708090a0b0c0d0e0f\n",
		"/chrony": "1 AES128 HEX:000102030405060708090a0b0c0d0e0f\nx\n2 tulip-tulip-tulip\n",
		"/ntp":    "1 AES 000102030405060708090a0b0c0d0e0f # one\n2 SHA1 sixteen-letters!\n3 SHA1 short\n",
	}
}

func loadKeys(t *testing.T, text string) (*Config, []string) {
	t.Helper()
	c, ds := parse(t, text)
	ds = append(ds, LoadKeys(c, "f", func(name string) ([]byte, error) {
		if name == "/open" {
			return nil, fmt.Errorf("refused: permissions too open")
		}
		text, ok := keyFiles()[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	})...)
	for _, l := range lines(ds) {
		if strings.Contains(l, "000102") || strings.Contains(l, "tulip") || strings.Contains(l, "sixteen") {
			t.Errorf("%s: shows a secret", l)
		}
	}
	return c, lines(ds)
}

// TestLoadKeys: each thing that can be wrong is one clear line, and costs the
// key, and the source that wants it.
func TestLoadKeys(t *testing.T) {
	key := func(options ...string) string {
		return "config key\n\toption id 7\n\toption " + strings.Join(options, "\n\toption ") + "\n"
	}
	for _, c := range []struct {
		name, text string
		ids        []uint32
		want       []string
	}{
		{"file", key("secret_file /good"), []uint32{7}, nil},
		{"line", key("secret_file /line"), []uint32{7}, nil},
		{"line of another key", key("secret_file /other"), nil, []string{"error: f:1: key 7: option 'secret_file' '/other': must hold one word, the secret, or three: 7 AES128 and the secret; a file of several keys goes into a section 'keyfile'"}},
		{"line of another type", key("type SHA1", "secret_file /line"), nil, []string{"error: f:1: key 7: option 'secret_file' '/line': must hold one word, the secret, or three: 7 SHA1 and the secret; a file of several keys goes into a section 'keyfile'"}},
		{"text", key("type SHA256", "secret_file /plain"), []uint32{7}, nil},
		{"missing file", key("secret_file /none"), nil, []string{"error: f:1: key 7: option 'secret_file' '/none': cannot be read: file does not exist"}},
		{"wrong permissions", key("secret_file /open"), nil, []string{"error: f:1: key 7: option 'secret_file' '/open': cannot be read: refused: permissions too open"}},
		{"empty", key("secret_file /empty"), nil, []string{"error: f:1: key 7: option 'secret_file' '/empty': must hold one word, the secret, or three: 7 AES128 and the secret; a file of several keys goes into a section 'keyfile'"}},
		{"two words", key("secret_file /text"), nil, []string{"error: f:1: key 7: option 'secret_file' '/text': must hold one word, the secret, or three: 7 AES128 and the secret; a file of several keys goes into a section 'keyfile'"}},
		{"bad hex", key("secret_file /hex"), nil, []string{"error: f:1: key 7: option 'secret_file' '/hex': bad secret: not hexadecimal"}},
		{"wrong length", key("type AES256", "secret_file /good"), nil, []string{"error: f:1: key 7: option 'secret_file' '/good': bad secret: AES256 takes 32 octets, not 16"}},
		{"duplicate id", key("secret_file /good") + key("secret_file /good"), []uint32{7}, []string{"error: f:4: key 7: the id 7 stands twice"}},
		{"in the configuration", key("secret ASCII:0123456789abcdef"), []uint32{7}, []string{"warning: /etc/config/ntsd:3: @key[0]: option 'secret': ends up in every backup of the configuration; use secret_file"}},
		{"printed", key("secret '(not shown)'"), nil, []string{
			"warning: /etc/config/ntsd:3: @key[0]: option 'secret': ends up in every backup of the configuration; use secret_file",
			"error: f:1: key 7: option 'secret' is missing: this configuration was printed, which shows no secrets",
		}},
		{"MD5", key("type MD5", "secret_file /good"), []uint32{7}, []string{"warning: f:1: key 7: MD5 is deprecated (RFC 8573): use AES128 where the other side has it"}},
		{"chrony's file", "config keyfile\n\toption file /chrony\n", []uint32{1, 2}, []string{
			"warning: f:1: keyfile: option 'file' '/chrony': line 2: bad secret: a line holds id, type and secret",
			"warning: f:1: keyfile: option 'file' '/chrony': key 2: MD5 is deprecated (RFC 8573): use AES128 where the other side has it",
		}},
		{"ntp's file", "config keyfile\n\toption file /ntp\n\toption format ntp\n", []uint32{1, 2, 3}, []string{
			"warning: f:1: keyfile: option 'file' '/ntp': key 3: 40 bits are fewer than 80: it can be guessed",
		}},
		{"trusted", "config keyfile\n\toption file /ntp\n\toption format ntp\n\tlist trusted 2\n\tlist trusted 9\n", []uint32{2}, []string{
			"warning: f:1: keyfile: option 'file' '/ntp': there is no usable key 9 in it",
		}},
		{"no such file", "config keyfile\n\toption file /none\n", nil, []string{"warning: f:1: keyfile: option 'file' '/none': cannot be read: file does not exist"}},
		{"file and section", key("secret_file /good") + "config keyfile\n\toption file /ntp\n\toption format ntp\n\tlist trusted 1\n", []uint32{7, 1}, nil},
	} {
		cfg, got := loadKeys(t, c.text)
		var ids []uint32
		for _, s := range cfg.Secrets {
			ids = append(ids, s.ID)
		}
		if !reflect.DeepEqual(ids, c.ids) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got keys %v\n%s\nwant %v\n%s", c.name, ids, strings.Join(got, "\n"), c.ids, strings.Join(c.want, "\n"))
		}
	}
}

// TestKeysOfSources: a source whose key is not there is left out: without it, it
// would be one that nobody authenticates.
func TestKeysOfSources(t *testing.T) {
	c, got := loadKeys(t, `config key
	option id 7
	option secret_file /good
config server
	option hostname a.example
	option key 7
config server
	option hostname b.example
	option key 8
config server 'c'
	option hostname c.example
	option nts 1
	option key 8
config peer
	option hostname d.example
	option key 8
config dhcp_ntp_server
	option key 9
`)
	want := []string{
		"warning: /etc/config/ntsd:13: server 'c': option 'key' has no effect beside nts",
		"error: f:7: server 'b.example': option 'key' '8': there is no usable key of that id; this section is left out",
		"error: f:14: peer 'd.example': option 'key' '8': there is no usable key of that id; this section is left out",
		"error: f:17: dhcp_ntp_server: option 'key' '9': there is no usable key of that id; this section is left out",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(c.Sources) != 2 || c.Sources[0].Name != "a.example" || c.Sources[1].Name != "c.example" || len(c.Peers) > 0 || c.DHCP != nil {
		t.Errorf("got %+v, %+v, %+v", c.Sources, c.Peers, c.DHCP)
	}
	if s := c.Secret(7); s == nil || s.Type != mac.AES128 || s.Bits() != 128 || c.Secret(8) != nil {
		t.Errorf("got %v", s)
	}
	if LoadKeys(nil, "f", nil) != nil {
		t.Error("without a configuration there is something to say")
	}
}
