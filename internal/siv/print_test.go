package siv

import (
	"bytes"
	"fmt"
	"testing"
)

// An AEAD holds its key schedule, subkeys and scratch: none of it is printed.
func TestAEADIsNotPrinted(t *testing.T) {
	for _, a := range []Algorithm{AESSIVCMAC256, AESSIVCMAC384, AESSIVCMAC512, AES128GCMSIV} {
		x, err := New(a, bytes.Repeat([]byte{0x5a}, a.KeySize()))
		if err != nil {
			t.Fatal(err)
		}
		x.Seal(nil, make([]byte, a.NonceSize()), nil, make([]byte, 100))
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, x); got != a.String() {
				t.Errorf("%s of %v: %q", verb, a, got)
			}
		}
	}
}
