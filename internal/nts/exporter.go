package nts

import "ntsd/internal/siv"

// ExporterLabel is the label of the TLS exporter (RFC 8915 section 4.3).
const ExporterLabel = "EXPORTER-network-time-security"

// ExporterContext returns the context of the TLS exporter (RFC 8915 section
// 5.1): two bytes protocol id (NTPv4), two bytes AEAD id, one byte 0 for the
// client-to-server and 1 for the server-to-client key.
func ExporterContext(aead siv.Algorithm, c2s bool) [5]byte {
	ctx := [5]byte{0, 0, byte(aead >> 8), byte(aead), 1}
	if c2s {
		ctx[4] = 0
	}
	return ctx
}

// ExporterIDs returns the AEAD ids to put in the exporter's context for a
// negotiated algorithm. alt is the one to fall back on, 0 if there is none.
//
// AEAD 30 was deployed with a mistake: its keys were exported under the id of
// AEAD 15. A server that echoes record 1024 does it right. One that does not
// most likely still does it wrong, but may be right and merely not know the
// record: then the second pair of keys is tried when the first earns a NAK.
func ExporterIDs(negotiated siv.Algorithm, compliant bool) (id, alt siv.Algorithm) {
	if negotiated == siv.AES128GCMSIV && !compliant {
		return siv.AESSIVCMAC256, siv.AES128GCMSIV
	}
	return negotiated, 0
}
