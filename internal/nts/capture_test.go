package nts

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// This file reads what tcpdump and a TLS key log recorded of real servers and
// clients, enough of pcap, IPv4, TCP without loss and TLS 1.3 for that.

const captureDir = "../../testdata/captures"

// capture is one key establishment in clear and the NTP datagrams around it.
type capture struct {
	secrets  map[string][]byte
	request  []byte // NTS-KE messages
	response []byte
	packets  []datagram
}

type datagram struct {
	from, to netip.AddrPort
	data     []byte
}

func readCapture(t *testing.T, name string) *capture {
	t.Helper()
	c := &capture{secrets: readKeylog(t, filepath.Join(captureDir, name+".client.keylog"))}
	pcap, err := os.ReadFile(filepath.Join(captureDir, name+".pcap"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if le.Uint32(pcap) != 0xa1b2c3d4 && le.Uint32(pcap) != 0xa1b23c4d {
		t.Fatalf("%s: no little-endian pcap", name)
	}
	linkHeader := map[uint32]int{1: 14, 101: 0, 113: 16, 276: 20}[le.Uint32(pcap[20:])]
	var toServer, toClient []byte
	for p := pcap[24:]; len(p) > 0; {
		n := int(le.Uint32(p[8:]))
		frame := p[16 : 16+n]
		p = p[16+n:]
		ip := frame[linkHeader:]
		if ip[0]>>4 != 4 {
			continue
		}
		ip = ip[:binary.BigEndian.Uint16(ip[2:])]
		body := ip[int(ip[0]&15)*4:]
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(body))
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(body[2:]))
		switch {
		case ip[9] == 17:
			c.packets = append(c.packets, datagram{from, to, body[8:]})
		case to.Port() == DefaultPort:
			toServer = append(toServer, body[int(body[12]>>4)*4:]...)
		case from.Port() == DefaultPort:
			toClient = append(toClient, body[int(body[12]>>4)*4:]...)
		}
	}
	c.request = decryptTLS(t, toServer, c.secrets["CLIENT_TRAFFIC_SECRET_0"])
	c.response = decryptTLS(t, toClient, c.secrets["SERVER_TRAFFIC_SECRET_0"])
	return c
}

func readKeylog(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	secrets := map[string][]byte{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) == 3 {
			secrets[w[0]] = unhex(t, w[2])
		}
	}
	return secrets
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// expandLabel is HKDF-Expand-Label of RFC 8446 section 7.1 with SHA-384.
func expandLabel(t *testing.T, secret []byte, label string, context []byte, n int) []byte {
	t.Helper()
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(6+len(label))), "tls13 "+label...)
	info = append(append(info, byte(len(context))), context...)
	out, err := hkdf.Expand(sha512.New384, secret, string(info), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// export is the TLS 1.3 exporter, RFC 8446 section 7.5.
func (c *capture) export(t *testing.T, context [5]byte, n int) []byte {
	empty, ctx := sha512.Sum384(nil), sha512.Sum384(context[:])
	derived := expandLabel(t, c.secrets["EXPORTER_SECRET"], ExporterLabel, empty[:], sha512.Size384)
	return expandLabel(t, derived, "exporter", ctx[:], n)
}

// decryptTLS returns the application data in one direction of a TLS 1.3
// connection with TLS_AES_256_GCM_SHA384. Records under the handshake keys do
// not open with these and are passed over.
func decryptTLS(t *testing.T, stream, secret []byte) (app []byte) {
	t.Helper()
	block, err := aes.NewCipher(expandLabel(t, secret, "key", nil, 32))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	iv := expandLabel(t, secret, "iv", nil, 12)
	for seq := uint64(0); len(stream) > 5; {
		n := 5 + int(binary.BigEndian.Uint16(stream[3:]))
		record := stream[:n]
		stream = stream[n:]
		nonce := bytes.Clone(iv)
		for i := range 8 {
			nonce[4+i] ^= byte(seq >> (56 - 8*i))
		}
		plain, err := gcm.Open(nil, nonce, record[5:], record[:5])
		if record[0] != 23 || err != nil {
			continue
		}
		seq++
		plain = bytes.TrimRight(plain, "\x00")
		if plain[len(plain)-1] == 23 { // the inner content type
			app = append(app, plain[:len(plain)-1]...)
		}
	}
	return app
}
