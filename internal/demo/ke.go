package demo

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// Implementation constants.
const (
	keTimeout = 10 * time.Second
	maxKE     = 64 // connections at a time; more are hung up on
	ntpPort   = 123
)

// serveKE accepts connections until the listener is closed.
func (s *Server) serveKE(ctx context.Context) {
	cfg := &tls.Config{
		Certificates: []tls.Certificate{s.cfg.Cert},
		// RFC 8915 §3: TLS 1.3 or later, ALPN "ntske/1".
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{nts.ALPN},
		// Exporter keys must be fresh in every key establishment.
		SessionTicketsDisabled: true,
	}
	slots := make(chan struct{}, maxKE) // one per connection
	for {
		conn, err := s.ke.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		s.countKE(&s.stats.KEConnections)
		select {
		case slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		s.joined.Go(func() {
			defer func() { <-slots }()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			defer conn.Close()
			if s.establish(ctx, tls.Server(conn, cfg)) == nil {
				s.countKE(&s.stats.KEDone)
			}
		})
	}
}

func (s *Server) countKE(n *uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

// establish runs one key establishment.
func (s *Server) establish(ctx context.Context, conn *tls.Conn) error {
	if s.faults.paused.Load() {
		return errors.New("demo: paused")
	}
	if err := conn.SetDeadline(time.Now().Add(keTimeout)); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("demo: handshake: %w", err)
	}
	state := conn.ConnectionState()
	// A client without ALPN gets through crypto/tls with the empty protocol.
	if state.NegotiatedProtocol != nts.ALPN {
		return errors.New("demo: client without ALPN ntske/1")
	}
	msg, err := readMessage(conn)
	if err != nil {
		return err
	}
	answer, err := s.respond(&state, msg)
	if _, werr := conn.Write(answer); err == nil && werr != nil {
		err = fmt.Errorf("demo: %w", werr)
	}
	// RFC 8915 §4: close_notify ends the answer.
	if cerr := conn.CloseWrite(); err == nil && cerr != nil {
		err = fmt.Errorf("demo: %w", cerr)
	}
	return err
}

// readMessage reads one NTS-KE message, in however many pieces it comes.
func readMessage(r io.Reader) ([]byte, error) {
	buf := make([]byte, 0, nts.MaxRequestMessage)
	var framer nts.Framer
	for !framer.Done(buf) {
		if len(buf) == cap(buf) {
			return nil, errors.New("demo: request too long")
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil && !framer.Done(buf) {
			return nil, fmt.Errorf("demo: read request: %w", err)
		}
	}
	return buf[:framer.End()], nil
}

// respond returns the answer to a request; with an error it is a refusal.
func (s *Server) respond(state *tls.ConnectionState, msg []byte) ([]byte, error) {
	req, err := nts.ParseRequest(msg)
	var bad *nts.RequestError
	if errors.As(err, &bad) {
		return nts.AppendError(nil, bad.Code), err
	}
	if err != nil {
		return nil, err
	}
	alg, id, ok := req.Choose(s.cfg.AEADs)
	if !ok || !req.OffersNTPv4() {
		return nts.AppendRefusal(nil, !req.OffersNTPv4()), errors.New("demo: nothing in common with the client")
	}
	c2s, err := exportKey(state, id, alg, true)
	if err != nil {
		return nil, err
	}
	s2c, err := exportKey(state, id, alg, false)
	if err != nil {
		return nil, err
	}
	resp := nts.Response{AEAD: alg, CompliantGCMSIV: req.CompliantGCMSIV, Cookies: s.newCookies(alg, c2s, s2c)}
	if ntp := s.NTPAddr(); ntp.Addr() != s.KEAddr().Addr() {
		resp.Server = ntp.Addr().WithZone("").String()
	}
	if port := s.NTPAddr().Port(); port != ntpPort {
		resp.Port = port
	}
	return nts.AppendResponse(nil, resp), nil
}

func exportKey(state *tls.ConnectionState, id, alg siv.Algorithm, c2s bool) ([]byte, error) {
	context := nts.ExporterContext(id, c2s)
	key, err := state.ExportKeyingMaterial(nts.ExporterLabel, context[:], alg.KeySize())
	if err != nil {
		return nil, fmt.Errorf("demo: export keys: %w", err)
	}
	return key, nil
}

// newCookies makes as many cookies as a client keeps.
func (s *Server) newCookies(alg siv.Algorithm, c2s, s2c []byte) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	cookies := make([][]byte, nts.MaxCookies)
	for i := range cookies {
		var nonce [nts.CookieNonceLen]byte
		rand.Read(nonce[:])
		cookies[i] = s.ring.Seal(nil, alg, c2s, s2c, nonce)
	}
	return cookies
}
