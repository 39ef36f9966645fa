package main

import (
	"log/slog"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/daemon"
	"ntsd/internal/event"
	"ntsd/internal/linux/hwclock"
	"ntsd/internal/linux/udp"
)

// How long a reply waits for the network card's word about its request, and how
// often it is asked for: drivers give it some ten microseconds after the packet.
const (
	cardWait  = time.Millisecond
	cardTries = 5
)

// network opens client sockets and puts their timestamps on the undisciplined
// scale at once, while a reading taken now is close to them.
type network struct {
	clock steered
	cards hwclock.Cards
	asked *relay // for what peers ask like clients; nil: there are no peers
}

// Open returns a fresh socket for one request.
func (n network) Open(s event.Send) (daemon.Socket, error) {
	conn, err := udp.Open(s.To, udp.Config{
		Now: n.clock.KernelWall, Interface: s.Interface, Port: s.LocalPort, Cards: len(n.cards) > 0 && s.LocalPort == 0,
	})
	if err != nil {
		return nil, err
	}
	if s.From.IsValid() && s.From != conn.Local().Addr() {
		conn.Close()
		return nil, daemon.ErrMoved
	}
	one := &socket{Conn: conn, network: n, opened: n.clock.Read().Mono}
	if s.LocalPort != 0 {
		return &peerSocket{socket: one}, nil
	}
	return one, nil
}

type socket struct {
	*udp.Conn
	network
	opened clock.Mono
}

// Receive waits for a datagram and says when it and its request passed.
func (s *socket) Receive(buf []byte) (daemon.Datagram, error) {
	n, rx, err := s.Conn.Receive(buf)
	if err != nil {
		return daemon.Datagram{}, err
	}
	d := daemon.Datagram{
		Length: n, From: s.Remote(), Local: s.Local().Addr(),
		Sent: s.stamp(s.Tx()), Received: s.stamp(rx),
	}
	if len(s.cards) > 0 {
		s.byCards(&d, s.awaitCards())
	}
	return d, nil
}

func (s *socket) stamp(k udp.Stamp) event.Stamp {
	kind := event.StampDaemon
	if k.Kind == udp.Kernel {
		kind = event.StampKernel
	}
	return event.Stamp{At: s.clock.MonoAt(k.Wall), Kind: kind}
}

// awaitCards returns the cards' stamps. That of the request may come later than
// the reply, if the server is near.
func (s *socket) awaitCards() udp.CardStamps {
	for range cardTries {
		if stamps := s.Cards(); stamps.Tx != 0 || stamps.Rx == 0 {
			return stamps
		}
		time.Sleep(cardWait / cardTries)
	}
	return s.Cards()
}

// byCards replaces the kernel's stamps by the cards' where those are sound.
func (s *socket) byCards(d *daemon.Datagram, stamps udp.CardStamps) {
	x := hwclock.Exchange{From: s.opened, To: s.clock.Read().Mono, MonoAt: s.clock.MonoAt}
	if at, ok := s.cards.Sent(hwclock.Time(stamps.Tx), x); ok {
		d.Sent = event.Stamp{At: at, Kind: event.StampHardware}
	}
	if at, ok := s.cards.Received(hwclock.Time(stamps.Rx), x, d.Length, d.From.Addr().Is6()); ok {
		d.Received = event.Stamp{At: at, Kind: event.StampHardware}
	}
}

// openCards makes the network cards of the configuration stamp packets. One that
// cannot costs accuracy, never function. They stay open as long as the process.
func openCards(cfg *config.Config, log *slog.Logger) (cards hwclock.Cards) {
	for _, name := range cfg.HWTimestamp.Interfaces {
		card, err := hwclock.Open(name)
		if err != nil {
			log.Warn("no hardware timestamps", "interface", name, "reason", err)
			continue
		}
		log.Info("hardware timestamps enabled", "interface", name)
		cards = append(cards, card)
	}
	return cards
}
