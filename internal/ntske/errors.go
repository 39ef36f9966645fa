package ntske

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"unicode"

	"ntsd/internal/nts"
)

// Stage is how far a key establishment came.
type Stage uint8

// The stages, in their order.
const (
	StageConnect     Stage = iota + 1 // TCP
	StageTLS                          // the handshake
	StageCertificate                  // the judgement on the server's chain
	StageProtocol                     // the NTS-KE messages
	StageResolve                      // the name of the NTP server that was negotiated
)

// String returns a lower-case word.
func (s Stage) String() string {
	switch s {
	case StageConnect:
		return "connect"
	case StageTLS:
		return "tls"
	case StageCertificate:
		return "certificate"
	case StageProtocol:
		return "protocol"
	case StageResolve:
		return "resolve"
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// Error is why an exchange failed. Every error from Client.Exchange is one.
type Error struct {
	Stage Stage
	Err   error

	addr netip.AddrPort // whom it was tried with
}

func (e *Error) Error() string { return "ntske: " + e.Reason() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Class returns what the engine chooses the back-off by.
func (e *Error) Class() nts.FailureClass {
	switch e.Stage {
	case StageCertificate:
		return nts.FailureCertificate
	case StageProtocol:
		if isNetwork(e.Err) {
			return nts.FailureNetwork
		}
		return nts.ClassOf(e.Err)
	case StageTLS:
		// A connection that hangs or breaks in the handshake is the network's
		// doing more often than the server's.
		if isNetwork(e.Err) {
			return nts.FailureNetwork
		}
		return nts.FailureTLS
	}
	return nts.FailureNetwork
}

// ClassOf returns the class of an error from Client.Exchange or LoadRoots.
func ClassOf(err error) nts.FailureClass {
	var e *Error
	switch {
	case err == nil:
		return nts.FailureNone
	case errors.As(err, &e):
		return e.Class()
	}
	return nts.FailureCertificate // no usable CA
}

// Reason returns one line for people about an error from Client.Exchange or
// LoadRoots, without the names of packages.
func Reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason()
	}
	return trimPrefix(err)
}

func isNetwork(err error) bool {
	for _, network := range []error{
		context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded, net.ErrClosed,
		syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, network) {
			return true
		}
	}
	// crypto/tls reports alerts as operations "remote error" and "local error".
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "read" || op.Op == "write")
}

// Reason returns one line for people: what happened and, where that is known,
// what to do about it.
func (e *Error) Reason() string { return tame(e.reason(), maxReason) }

func (e *Error) reason() string {
	switch e.Stage {
	case StageConnect:
		return e.connectReason()
	case StageTLS:
		return e.tlsReason()
	case StageProtocol:
		if isNetwork(e.Err) {
			return fmt.Sprintf("%v stopped answering in the middle of the key establishment", e.addr)
		}
	}
	return trimPrefix(e.Err)
}

func (e *Error) connectReason() string {
	switch {
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%v refused the connection: the server may not offer NTS", e.addr)
	case errors.Is(e.Err, syscall.ENETUNREACH), errors.Is(e.Err, syscall.EHOSTUNREACH):
		return fmt.Sprintf("no route to %v: is the network up?", e.addr)
	case errors.Is(e.Err, context.Canceled):
		return "given up"
	case isTimeout(e.Err):
		return fmt.Sprintf("%v did not answer: the server may not offer NTS, or TCP port %d is blocked",
			e.addr, e.addr.Port())
	}
	return fmt.Sprintf("cannot connect to %v: %v", e.addr, cause(e.Err))
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

// TLS alerts that say what to do (RFC 8446 section 6).
const (
	alertHandshakeFailure      = tls.AlertError(40)
	alertProtocolVersion       = tls.AlertError(70)
	alertUnrecognizedName      = tls.AlertError(112)
	alertNoApplicationProtocol = tls.AlertError(120)
)

// isAlert reports whether the server sent that alert. crypto/tls returns alerts
// as a type of its own; only its text is that of tls.AlertError.
func isAlert(err error, alert tls.AlertError) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err.Error() == alert.Error()
}

func (e *Error) tlsReason() string {
	var record tls.RecordHeaderError
	switch {
	case isAlert(e.Err, alertProtocolVersion),
		strings.Contains(e.Err.Error(), "selected unsupported protocol version"):
		return "the server does not speak TLS 1.3, which NTS needs"
	case isAlert(e.Err, alertNoApplicationProtocol), errors.Is(e.Err, errNoALPN):
		return "the server does not speak ntske/1: something other than NTS answers on this port"
	case isAlert(e.Err, alertUnrecognizedName):
		return "the server does not know itself by this name"
	case isAlert(e.Err, alertHandshakeFailure):
		return "the server shares no TLS 1.3 parameters with us"
	case errors.As(e.Err, &record):
		return fmt.Sprintf("what answers at %v is not TLS", e.addr)
	case isTimeout(e.Err):
		return fmt.Sprintf("%v stopped answering during the TLS handshake", e.addr)
	case isNetwork(e.Err):
		return fmt.Sprintf("%v closed the connection during the TLS handshake", e.addr)
	}
	return trimPrefix(e.Err)
}

// tame makes text that a server chose, and maybe an impostor, fit for logs and
// terminals: one line of printable characters, at most limit bytes.
func tame(s string, limit int) string {
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// cause strips the "dial tcp ADDR:" that the net package puts before it.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// trimPrefix strips the package names that errors carry in logs: "nts: ",
// "tls: ", "x509: ".
func trimPrefix(err error) string {
	s := err.Error()
	for _, p := range []string{"ntske: ", "nts: ", "tls: ", "x509: ", "remote error: ", "tls: "} {
		if len(s) > len(p) && s[:len(p)] == p {
			s = s[len(p):]
		}
	}
	return s
}
