package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/linux/udp"
	"ntsd/internal/ntptime"
	"ntsd/internal/wire"
)

// Implementation constants.
const (
	probeEvery = time.Second
	// probePatience is longer than patience: no offset may be left out because
	// its reply came late.
	probePatience = time.Second
	// maxError bounds what is kept of an offset: more is not the server's
	// doing.
	maxError = time.Hour
)

// prober asks once a second, as a client of a LAN does, with the kernel's
// timestamps at its own end.
type prober struct {
	o       *options
	last    wire.Header // of the latest reply, for interleaved mode
	tx, rx  clock.Wall  // when its request left and it arrived
	offsets []time.Duration
	lost    int
}

// probe prints how wrong the time is that the clients get. Server and clients
// run on one clock, so any offset that is not 0 is an error.
func probe(o *options, stdout io.Writer) error {
	hold, err := udp.Hold()
	if err != nil {
		return err
	}
	defer hold.Close()
	probers := make([]prober, o.clients)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range probers {
		probers[i].o = o
		wg.Go(func() {
			first := probeEvery * time.Duration(i) / time.Duration(len(probers))
			for at := first; at < o.duration; at += probeEvery {
				time.Sleep(time.Until(start.Add(at)))
				if probers[i].ask() != nil {
					probers[i].lost++
					probers[i].last = wire.Header{}
				}
			}
		})
	}
	wg.Wait()
	var offsets []time.Duration
	lost := 0
	for i := range probers {
		offsets = append(offsets, probers[i].offsets...)
		lost += probers[i].lost
	}
	if err := writeOffsets(o.offsets, offsets); err != nil {
		return err
	}
	sizes := offsets
	for i, d := range sizes {
		sizes[i] = d.Abs()
	}
	slices.Sort(sizes)
	fmt.Fprintf(stdout, "offsets %d lost %d p50 %.1f p99 %.1f p99.9 %.1f max %.1f\n", len(sizes), lost,
		microseconds(quantile(sizes, 0.5)), microseconds(quantile(sizes, 0.99)),
		microseconds(quantile(sizes, 0.999)), microseconds(quantile(sizes, 1)))
	if len(sizes) == 0 {
		return errors.New("no reply")
	}
	return nil
}

// writeOffsets writes a file of one offset per line, in ns.
func writeOffsets(name string, offsets []time.Duration) error {
	if name == "" {
		return nil
	}
	var b bytes.Buffer
	for _, d := range offsets {
		b.WriteString(strconv.FormatInt(int64(d), 10))
		b.WriteByte('\n')
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// ask makes one exchange from a port of its own and notes the offset.
func (p *prober) ask() error {
	conn, err := udp.Open(p.o.server, udp.Config{Now: func() clock.Wall { return clock.WallTime(time.Now()) }})
	if err != nil {
		return err
	}
	defer conn.Close()
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	request := wire.Header{
		Version: 4, Mode: wire.ModeClient, Transmit: ntptime.Timestamp(binary.BigEndian.Uint64(random[:]) | 1),
	}
	if p.o.interleaved {
		request.Origin, request.Receive = p.last.Receive, request.Transmit-1
	}
	if err := conn.Send(request.Append(nil)); err != nil {
		return err
	}
	if err := conn.SetTimeout(probePatience); err != nil {
		return err
	}
	var packet [maxPacket]byte
	n, rx, err := conn.Receive(packet[:])
	if err != nil {
		return err
	}
	reply, err := wire.ParseHeader(packet[:n])
	if err != nil || reply.Mode != wire.ModeServer {
		return errWrong
	}
	tx := conn.Tx()
	switch {
	case reply.Origin != request.Transmit && (!p.o.interleaved || reply.Origin != request.Receive):
		return errWrong
	case !p.o.interleaved:
		p.note(tx.Wall, reply.Receive, reply.Transmit, rx.Wall)
	case reply.Origin == request.Receive:
		// RFC 9769 section 2: it says when the reply before it left.
		p.note(p.tx, p.last.Receive, reply.Transmit, p.rx)
	}
	p.last, p.tx, p.rx = reply, tx.Wall, rx.Wall
	return nil
}

// note keeps the offset that the four timestamps say (RFC 5905 section 8).
func (p *prober) note(tx clock.Wall, receive, transmit ntptime.Timestamp, rx clock.Wall) {
	there := receive.Sub(ntptime.FromWall(tx))
	back := transmit.Sub(ntptime.FromWall(rx))
	d := time.Duration(there+back) / 2
	p.offsets = append(p.offsets, min(max(d, -maxError), maxError))
}
