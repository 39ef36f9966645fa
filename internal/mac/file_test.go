package mac

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseSecret(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"HEX:00ff", "\x00\xff"},
		{"HEX:00FF", "\x00\xff"},
		{"ASCII:HEX:00", "HEX:00"},
		{"ASCII:#secret", "#secret"},
		{"plain", "plain"},
		{"hex:00", "hex:00"},
		{"HEX:0", ""},
		{"HEX:0g", ""},
		{"HEX:", ""},
		{"ASCII:", ""},
		{"", ""},
		{"ASCII:" + strings.Repeat("x", MaxSecret+1), ""},
		{"HEX:" + strings.Repeat("00", MaxSecret+1), ""},
	} {
		got, err := ParseSecret(c.text)
		if string(got) != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrSecret) {
			t.Errorf("%.20q: got %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestParseType(t *testing.T) {
	for name, want := range map[string]Type{
		"MD5": MD5, "md5": MD5, "M": MD5, "SHA1": SHA1, "sha-1": SHA1, "SHA": SHA1, "SHA256": SHA256, "SHA-512": SHA512,
		"AES128": AES128, "AES": AES128, "aes-128": AES128, "AES128CMAC": AES128, "aes-256": AES256,
		"": 0, "SHA3-256": 0, "AES192": 0, "unknown": 0,
	} {
		if got, err := ParseType(name); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %v, %v; want %v", name, got, err, want)
		}
	}
}

// chronyFile follows chrony.conf(5), keyfile.
const chronyFile = `# comment
! comment
10 alder
11 birch
20 MD5 ASCII:cedar
25 SHA1 HEX:00112233445566778899AABBCCDDEEFF01234567
26 AES128 HEX:DEA3B3CBF1BBC3F1D3F2F2F3A1B1C1D1

27 SHA256 a#b
`

// ntpFile follows ntp.keys(5).
const ntpFile = `# comment
1 md5 short     # comment
2 AES-128 000102030405060708090a0b0c0d0e0f
3 sha1 00112233445566778899
`

func TestParseFile(t *testing.T) {
	for _, c := range []struct {
		text string
		f    Format
		want string
	}{
		{chronyFile, FormatChrony, "10 MD5 alder|11 MD5 birch|20 MD5 cedar|25 SHA1 \x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x01\x23\x45\x67|" +
			"26 AES128 \xde\xa3\xb3\xcb\xf1\xbb\xc3\xf1\xd3\xf2\xf2\xf3\xa1\xb1\xc1\xd1|27 SHA256 a#b|"},
		{ntpFile, FormatNTP, "1 MD5 short|2 AES128 \x00\x01\x02\x03\x04\x05\x06\a\b\t\n\v\f\r\x0e\x0f|3 SHA1 00112233445566778899|"},
	} {
		keys, wrong := ParseFile(c.text, c.f)
		got := ""
		for _, k := range keys {
			got += fmt.Sprint(k.ID, " ", k.Type, " ", string(k.Value), "|")
		}
		if got != c.want || len(wrong) > 0 {
			t.Errorf("got %q, %v\nwant %q", got, wrong, c.want)
		}
	}
}

func TestParseFileWrong(t *testing.T) {
	for _, c := range []struct {
		f    Format
		line string
		want string
	}{
		{FormatChrony, "0 MD5 a", "mac: bad key id"},
		{FormatChrony, "4294967296 MD5 a", "mac: bad key id"},
		{FormatChrony, "-1 MD5 a", "mac: bad key id"},
		{FormatChrony, "x MD5 a", "mac: bad key id"},
		{FormatChrony, "1", "mac: bad secret: a line holds id, type and secret"},
		{FormatChrony, "1 MD5 a b", "mac: bad secret: a line holds id, type and secret"},
		{FormatChrony, "1 TIGER a", "mac: unknown type of key"},
		{FormatChrony, "1 SHA1 HEX:0x", "mac: bad secret: not hexadecimal"},
		{FormatChrony, "1 AES128 HEX:00", "mac: bad secret: AES128 takes 16 octets, not 1"},
		{FormatNTP, "1 alder", "mac: bad secret: a line holds id, type and secret"},
		{FormatNTP, "1 SHA1 00112233445566778899a", "mac: bad secret: not hexadecimal"},
	} {
		keys, wrong := ParseFile("\n"+c.line+"\n7 MD5 good\n7 MD5 again\n", c.f)
		if len(keys) != 1 || keys[0].ID != 7 || len(wrong) != 2 || wrong[0].Line != 2 || wrong[0].Err.Error() != c.want {
			t.Errorf("%q: got %v, %v; want line 2: %s", c.line, keys, wrong, c.want)
			continue
		}
		if got := wrong[1]; got.Line != 4 || got.Err.Error() != "mac: bad key id: 7 stands twice" {
			t.Errorf("twice: got %v", got)
		}
	}
}

func TestParseFileBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * MaxKeys {
		fmt.Fprintf(&b, "%d MD5 a\n", i+1)
	}
	if keys, wrong := ParseFile(b.String(), FormatChrony); len(keys) != MaxKeys || len(wrong) != 1 {
		t.Errorf("got %d keys and %d errors, want %d and 1", len(keys), len(wrong), MaxKeys)
	}
	if keys, wrong := ParseFile(strings.Repeat("x\n", 3*MaxKeys), FormatNTP); len(keys) != 0 || len(wrong) != MaxKeys {
		t.Errorf("got %d keys and %d errors, want none and %d", len(keys), len(wrong), MaxKeys)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add(chronyFile, false)
	f.Add(ntpFile, true)
	f.Fuzz(func(t *testing.T, text string, ntp bool) {
		format := FormatChrony
		if ntp {
			format = FormatNTP
		}
		keys, wrong := ParseFile(text, format)
		for i := range keys {
			if err := keys[i].Check(); err != nil {
				t.Errorf("line %d: %v", i, err)
			}
		}
		if len(keys) > MaxKeys || len(wrong) > MaxKeys+1 {
			t.Errorf("got %d keys and %d errors", len(keys), len(wrong))
		}
	})
}

func FuzzVerify(f *testing.F) {
	k := mustNew(f, counting(1, SHA256))
	f.Add(k.Append(packet(4)))
	f.Add(append(packet(4), 0, 0, 0, 0))
	f.Add(k.AppendLike(packet(3), 36))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		m := Of(pkt)
		if k.Verify(pkt, m) && string(k.AppendLike(pkt[:len(pkt)-len(m):len(pkt)-len(m)], len(m))) != string(pkt) {
			t.Errorf("verifies, though it is not ours: %x", pkt)
		}
	})
}
