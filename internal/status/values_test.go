package status

import "testing"

// The reference ID of an IPv6 address is the start of its MD5 (RFC 5905
// section 7.3); the value is what md5sum says of its 16 bytes.
func TestAddressID(t *testing.T) {
	for in, want := range map[string]string{
		"10.66.0.1": "0A420001", "2001:db8::1": "39AB9B37", "": "00000000", "nonsense": "00000000",
	} {
		if got := AddressID(in); got != want {
			t.Errorf("AddressID(%q) = %s, want %s", in, got, want)
		}
	}
}
