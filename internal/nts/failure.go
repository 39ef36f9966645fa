package nts

import (
	"errors"
	"fmt"
)

// FailureClass says what kind of thing went wrong in a key establishment: it
// decides how long to wait before the next one.
type FailureClass uint8

// The classes of failure.
const (
	FailureNone        FailureClass = iota
	FailureNetwork                  // no route, refused, timed out: cheap, retry when a link comes up
	FailureTLS                      // the handshake failed: no TLS 1.3, no ALPN
	FailureCertificate              // the chain, name or dates were refused: a clock step may cure it
	FailureProtocol                 // the response was malformed
	FailureServer                   // the server said no: error record, nothing in common
)

// String returns a lower-case word for logs.
func (c FailureClass) String() string {
	switch c {
	case FailureNone:
		return "none"
	case FailureNetwork:
		return "network"
	case FailureTLS:
		return "tls"
	case FailureCertificate:
		return "certificate"
	case FailureProtocol:
		return "protocol"
	case FailureServer:
		return "server"
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// ErrorCode is the code in an Error record (RFC 8915 section 4.1.3).
type ErrorCode uint16

// The error codes.
const (
	CodeUnrecognizedCritical ErrorCode = 0
	CodeBadRequest           ErrorCode = 1
	CodeInternal             ErrorCode = 2
)

// String returns the registered name.
func (c ErrorCode) String() string {
	switch c {
	case CodeUnrecognizedCritical:
		return "unrecognized critical record"
	case CodeBadRequest:
		return "bad request"
	case CodeInternal:
		return "internal server error"
	}
	return fmt.Sprintf("error code %d", uint16(c))
}

// PeerError is an Error record from the server.
type PeerError struct{ Code ErrorCode }

func (e *PeerError) Error() string { return "nts: server answered: " + e.Code.String() }

// PeerWarning is a Warning record from the server. RFC 8915 §4.1.4: no code is
// defined and an unknown one is to be treated as an error.
type PeerWarning struct{ Code uint16 }

func (e *PeerWarning) Error() string {
	return fmt.Sprintf("nts: server sent unknown warning %d", e.Code)
}

// RequestError is why our server refuses a request, with the code to answer.
type RequestError struct {
	Code   ErrorCode
	Reason string
}

func (e *RequestError) Error() string { return "nts: " + e.Code.String() + ": " + e.Reason }

// A response that is well formed and says no.
var (
	ErrNoNTPv4 = errors.New("nts: server does not offer NTPv4")
	ErrNoAEAD  = errors.New("nts: server supports none of our AEAD algorithms")
)

// ErrResponse is wrapped by every error about a malformed response.
var ErrResponse = errors.New("nts: malformed response")

// ClassOf returns the class of an error from ParseResponse.
func ClassOf(err error) FailureClass {
	var pe *PeerError
	var pw *PeerWarning
	switch {
	case err == nil:
		return FailureNone
	case errors.As(err, &pe), errors.As(err, &pw),
		errors.Is(err, ErrNoNTPv4), errors.Is(err, ErrNoAEAD):
		return FailureServer
	}
	return FailureProtocol
}
