package ntske

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
)

// Client establishes keys. The zero value works; it holds no state and may be
// used by several goroutines.
type Client struct {
	// Dial opens TCP connections; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolve finds the addresses of an NTP server that the key establishment
	// named. The name is absolute: it ends in a dot. nil leaves the name to the
	// caller: see Result.NTPServer. That is better where a name can be asked for
	// again, since an exchange whose Resolve fails has failed.
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
}

// NewClient returns a client that uses the system's network and resolves no
// names.
func NewClient() *Client { return &Client{} }

// Request is one key establishment.
type Request struct {
	Name  string         // the configured host name, or an address literal: the certificate must be for it
	Addr  netip.AddrPort // where to connect
	AEADs []siv.Algorithm
	// Roots are the trusted CAs; see LoadRoots. nil: the system's, loaded for
	// this exchange only. With NoVal, nil means that no chain is checked.
	Roots  *x509.CertPool
	NoVal  bool // do not check the name
	Verify event.Verify
	// Trace, if it is not nil, tells what the exchange came across, also when
	// it fails.
	Trace *event.KETrace
}

// Result is a successful key establishment.
type Result struct {
	Session nts.Session
	Info    event.KEInfo
	// NTPServer is the server that was negotiated, as the KE server wrote it;
	// empty: the KE server's own address. If it is a name and the client has no
	// Resolve, Session.NTPAddr has a port and no address.
	NTPServer string
}

var errNoALPN = errors.New("ntske: server did not select ntske/1")

// Exchange runs one key establishment, at most for Timeout. Its errors are
// *Error.
func (c *Client) Exchange(ctx context.Context, req Request) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	fail := func(stage Stage, err error) (*Result, error) {
		if ctx.Err() != nil && stage != StageCertificate {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return nil, &Error{Stage: stage, Err: err, addr: req.Addr}
	}
	if req.Roots == nil && !req.NoVal {
		roots, err := LoadRoots(true, nil)
		if err != nil {
			return fail(StageCertificate, err)
		}
		req.Roots = roots
	}
	start := time.Now()
	watch := stopwatch{trace: req.Trace, last: start}
	raw, err := c.dial(ctx, req.Addr)
	if err != nil {
		return fail(StageConnect, err)
	}
	watch.connected()
	// Closing is what makes a blocked read or write return; deadlines would
	// need the wall clock.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	defer raw.Close()

	name := strings.TrimSuffix(req.Name, ".")
	v := &verifier{policy: req.Verify, name: name, roots: req.Roots, noVal: req.NoVal, watch: watch}
	conn := tls.Client(raw, clientConfig(req, v))
	if err := handshake(ctx, conn); err != nil {
		return fail(stageOf(err), err)
	}
	// RFC 8915 §4: "the client and server SHALL send TLS close_notify alerts",
	// whatever became of the response; nobody waits for the server's.
	defer conn.Close()
	resp, err := converse(conn, req)
	if err != nil {
		return fail(StageProtocol, err)
	}
	res := &Result{NTPServer: resp.Server}
	if res.Session, err = session(conn, req, v, resp); err != nil {
		return fail(StageProtocol, err)
	}
	_ = conn.Close() // before a name is looked up, which may take time
	res.Info = info(conn.ConnectionState(), v)
	res.Info.Duration = time.Since(start)
	if res.Session.NTPAddr, err = c.ntpAddr(ctx, req.Addr.Addr(), resp); err != nil {
		return fail(stageOfAddr(err), err)
	}
	return res, nil
}

func (c *Client) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, "tcp", addr.String())
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr.String())
}

// clientConfig returns the TLS parameters of an exchange.
func clientConfig(req Request, v *verifier) *tls.Config {
	return &tls.Config{
		// RFC 8915 §3: TLS 1.3 or later.
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{nts.ALPN},
		// crypto/tls leaves SNI out when this is an address (RFC 6066 §3).
		ServerName: v.name,
		// The chain is verified in full in VerifyConnection, at a time that
		// the request names: crypto/tls's own check knows only one.
		InsecureSkipVerify:     true, //nolint:gosec // see above
		VerifyConnection:       v.verify,
		Time:                   func() time.Time { return req.Verify.At.Time() },
		SessionTicketsDisabled: true,
	}
}

func handshake(ctx context.Context, conn *tls.Conn) error {
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	// RFC 8915 §3, §4: support for ALPN "is REQUIRED"; a server without it
	// negotiates nothing, silently.
	if conn.ConnectionState().NegotiatedProtocol != nts.ALPN {
		return errNoALPN
	}
	return nil
}

// stageOf tells a refused certificate from a failed handshake.
func stageOf(err error) Stage {
	var ce *certError
	if errors.As(err, &ce) {
		return StageCertificate
	}
	return StageTLS
}

// converse sends the request and reads the response, however it is cut.
func converse(conn *tls.Conn, req Request) (nts.Response, error) {
	msg := nts.AppendRequest(nil, nts.Request{
		Protocols: []uint16{nts.ProtocolNTPv4},
		AEADs:     req.AEADs,
		// Asked for whenever AEAD 30 is: see nts.ExporterIDs.
		CompliantGCMSIV: slices.Contains(req.AEADs, siv.AES128GCMSIV),
	})
	if _, err := conn.Write(msg); err != nil {
		return nts.Response{}, err
	}
	buf, err := readMessage(conn, nts.MaxResponseMessage)
	if err != nil {
		return nts.Response{}, err
	}
	return nts.ParseResponse(buf, req.AEADs)
}

var errTooLong = fmt.Errorf("%w: no end of message within the limit", nts.ErrResponse)

// readMessage reads until the message is complete, at most limit bytes. What
// arrived behind the end in the same piece is returned too: the parser refuses
// it.
func readMessage(r io.Reader, limit int) ([]byte, error) {
	var framer nts.Framer
	var buf []byte
	for {
		buf = slices.Grow(buf, min(readChunk, limit-len(buf)))
		n, err := r.Read(buf[len(buf):min(cap(buf), limit)])
		buf = buf[:len(buf)+n]
		switch {
		case framer.Done(buf):
			return buf, nil
		case errors.Is(err, io.EOF):
			return buf, fmt.Errorf("%w: the connection ended inside it", nts.ErrResponse)
		case err != nil:
			return buf, err
		case len(buf) >= limit:
			return buf, errTooLong
		}
	}
}

// session exports the keys and puts the session together.
func session(conn *tls.Conn, req Request, v *verifier, resp nts.Response) (nts.Session, error) {
	s := nts.Session{
		KEName: req.Name, KEAddr: req.Addr.Addr(), KEPort: req.Addr.Port(),
		AEAD: resp.AEAD, Cookies: resp.Cookies,
		Established: req.Verify.At,
		NotBefore:   v.notBefore, NotAfter: v.notAfter,
		Strict: !req.Verify.Tentative && !req.NoVal,
	}
	cs := conn.ConnectionState()
	id, alt := nts.ExporterIDs(resp.AEAD, resp.CompliantGCMSIV)
	var err error
	if s.C2S, s.S2C, err = exportKeys(&cs, resp.AEAD, id); err != nil {
		return s, err
	}
	if alt != 0 {
		s.AltC2S, s.AltS2C, err = exportKeys(&cs, resp.AEAD, alt)
	}
	return s, err
}

// exportKeys derives the two keys for alg with id in the exporter's context
// (RFC 8915 section 5.1).
func exportKeys(cs *tls.ConnectionState, alg, id siv.Algorithm) (c2s, s2c []byte, err error) {
	export := func(toServer bool) ([]byte, error) {
		ctx := nts.ExporterContext(id, toServer)
		return cs.ExportKeyingMaterial(nts.ExporterLabel, ctx[:], alg.KeySize())
	}
	if c2s, err = export(true); err != nil {
		return nil, nil, fmt.Errorf("ntske: export keys: %w", err)
	}
	if s2c, err = export(false); err != nil {
		return nil, nil, fmt.Errorf("ntske: export keys: %w", err)
	}
	return c2s, s2c, nil
}

func info(cs tls.ConnectionState, v *verifier) event.KEInfo {
	leaf := cs.PeerCertificates[0]
	who := tame(leaf.Subject.String(), maxName)
	if who == "" { // as authorities make them nowadays
		who = names(leaf)
	}
	return event.KEInfo{
		TLSVersion:  tls.VersionName(cs.Version),
		CipherSuite: tls.CipherSuiteName(cs.CipherSuite),
		Group:       cs.CurveID.String(),
		PostQuantum: postQuantum(cs.CurveID),
		Subject:     who,
		Issuer:      tame(leaf.Issuer.String(), maxName),
		NotBefore:   v.notBefore,
		NotAfter:    v.notAfter,
	}
}

func postQuantum(id tls.CurveID) bool {
	switch id {
	case tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024:
		return true
	}
	return false
}
