package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// keTimeout is how long one key establishment may take.
const keTimeout = 5 * time.Second

// loadKE makes full handshakes, -inflight at a time, and prints what one costs
// the server.
func loadKE(o *options, stdout io.Writer) error {
	config, err := keConfig(o)
	if err != nil {
		return err
	}
	if _, err := keOnce(o, config); err != nil { // also warms up
		return err
	}
	all, err := measure(o, stdout, o.inflight, func(_ int, start time.Time) *tally {
		var t tally
		for time.Since(start) < o.duration {
			if took, err := keOnce(o, config); err != nil {
				t.lost++
			} else {
				t.reply(took)
			}
		}
		return &t
	})
	switch {
	case err != nil:
		return err
	case all.replies == 0:
		return errors.New("no key establishment")
	}
	return nil
}

func keConfig(o *options) (*tls.Config, error) {
	group, ok := map[string]tls.CurveID{
		"x25519": tls.X25519, "p256": tls.CurveP256, "x25519mlkem768": tls.X25519MLKEM768,
	}[o.group]
	if !ok {
		return nil, fmt.Errorf("no group %q", o.group)
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", o.ca)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{nts.ALPN}, ServerName: o.name, RootCAs: roots,
		CurvePreferences: []tls.CurveID{group}, SessionTicketsDisabled: true,
	}, nil
}

// keOnce runs one key establishment and returns how long it took.
func keOnce(o *options, config *tls.Config) (time.Duration, error) {
	start := time.Now()
	addr := netip.AddrPortFrom(o.server.Addr(), uint16(o.kePort)).String()
	raw, err := net.DialTimeout("tcp", addr, keTimeout)
	if err != nil {
		return 0, err
	}
	defer raw.Close()
	if err := raw.SetDeadline(start.Add(keTimeout)); err != nil {
		return 0, err
	}
	conn := tls.Client(raw, config)
	offered := []siv.Algorithm{siv.AESSIVCMAC256}
	request := nts.AppendRequest(nil, nts.Request{Protocols: []uint16{nts.ProtocolNTPv4}, AEADs: offered})
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	var framer nts.Framer
	message := make([]byte, 0, nts.MaxResponseMessage)
	for !framer.Done(message) {
		n, err := conn.Read(message[len(message):cap(message)])
		if err != nil {
			return 0, err
		}
		message = message[:len(message)+n]
	}
	if _, err := nts.ParseResponse(message, offered); err != nil {
		return 0, err
	}
	return time.Since(start), conn.Close()
}
