package demo

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	precision      = -20                    // RFC 5905 section 7.3: about 1 us
	rootDispersion = 100 * time.Microsecond // of a clock that is declared right
	// updateInterval is how often the reference time moves, as if an upstream
	// were polled: a client refuses a server that was not updated for long.
	updateInterval = 16 * time.Second
)

// ServerConfig describes one server.
type ServerConfig struct {
	// KEAddr and NTPAddr are where to listen, each a concrete address; port 0
	// picks one. With a zero KEAddr the server speaks plain NTP only.
	KEAddr, NTPAddr netip.AddrPort
	Cert            tls.Certificate // for KEAddr
	// AEADs is what the server supports; empty means all that we know.
	AEADs []siv.Algorithm
	// Seen is told of every datagram before it is answered, if it is not nil. It
	// must neither keep nor change it, nor call the server.
	Seen func(datagram []byte)
	// Now reads the clock; nil means the machine's.
	Now func() clock.Wall
	// Offset is what a client whose clock agrees with Now measures: by how
	// much this server is ahead.
	Offset  clock.Offset
	Leap    event.Leap
	Stratum uint8 // 0 means 1
	// ReferenceID defaults to DEMO.
	ReferenceID wire.ReferenceID
}

// complete checks the configuration and fills in the defaults.
func (c ServerConfig) complete() (ServerConfig, error) {
	if !c.NTPAddr.Addr().IsValid() || c.NTPAddr.Addr().IsUnspecified() {
		return c, fmt.Errorf("demo: NTP address %v: want a concrete one", c.NTPAddr)
	}
	if c.KEAddr.IsValid() && c.KEAddr.Addr().IsUnspecified() {
		return c, fmt.Errorf("demo: KE address %v: want a concrete one", c.KEAddr)
	}
	if c.KEAddr.IsValid() && len(c.Cert.Certificate) == 0 {
		return c, errors.New("demo: key establishment needs a certificate")
	}
	for _, a := range c.AEADs {
		if !a.Known() {
			return c, fmt.Errorf("demo: %w: %d", siv.ErrAlgorithm, a)
		}
	}
	if len(c.AEADs) == 0 {
		c.AEADs = []siv.Algorithm{siv.AES128GCMSIV, siv.AESSIVCMAC256, siv.AESSIVCMAC384, siv.AESSIVCMAC512}
	}
	c.AEADs = slices.Clone(c.AEADs)
	if c.Now == nil {
		c.Now = machineWall
	}
	if c.Stratum == 0 {
		c.Stratum = 1
	}
	if c.ReferenceID == (wire.ReferenceID{}) {
		c.ReferenceID = wire.ReferenceID{'D', 'E', 'M', 'O'}
	}
	return c, nil
}

// system is what the server's replies say at now.
func (c *ServerConfig) system(now clock.Wall) server.System {
	return server.System{
		Leap:           c.Leap,
		Stratum:        c.Stratum,
		Precision:      precision,
		RootDispersion: rootDispersion,
		ReferenceID:    c.ReferenceID,
		ReferenceTime:  now - now%clock.Wall(updateInterval),
	}
}
