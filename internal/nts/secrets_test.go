package nts

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"ntsd/internal/siv"
)

// Whatever somebody prints by mistake, keys and cookies stay out of it.
func TestSecretsAreNotPrinted(t *testing.T) {
	const fill = 0x5a // "Z", 90, WlpaWlpa in base64
	secret := bytes.Repeat([]byte{fill}, 32)
	session := Session{
		KEName: "nts.test", KEAddr: netip.MustParseAddr("192.0.2.1"), KEPort: 4460,
		AEAD: siv.AESSIVCMAC256, C2S: secret, S2C: secret, AltC2S: secret, AltS2C: secret,
		Cookies: [][]byte{secret, secret},
	}
	key := CookieKey{ID: 7, Key: [CookieKeyLen]byte(secret)}
	ring, err := NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	var keys Keys
	cookie := ring.Seal(nil, siv.AESSIVCMAC256, secret, secret, [CookieNonceLen]byte{})
	if err := ring.Open(cookie, &keys); err != nil {
		t.Fatal(err)
	}
	type wrapped struct{ S any }
	for name, v := range map[string]any{
		"session": session, "session pointer": &session, "wrapped session": wrapped{session}, "sessions": []Session{session},
		"cookie key": key, "cookie keys": []CookieKey{key}, "keys": keys, "keys pointer": &keys,
		"response": Response{Cookies: session.Cookies}, "reply": Reply{Cookies: session.Cookies},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		_ = json.NewEncoder(&out).Encode(v)
		leaks := []string{
			"ZZZZ", "90 90 90", "90, 90, 90", "0x5a, 0x5a", hex.EncodeToString(secret[:4]), "5A5A", "WlpaWlpa", "90,90,90",
		}
		for _, leak := range leaks {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%s: %q in\n%s", name, leak, out.String())
				break
			}
		}
	}
	if got, want := session.String(), "nts.test at 192.0.2.1:4460, AES-SIV-CMAC-256, 2 cookies"; got != want {
		t.Errorf("session = %q, want %q", got, want)
	}
}
