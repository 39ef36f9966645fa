package nts

import (
	"fmt"
	"io"
	"net/netip"
)

// Nothing in this file is for machines: it keeps keys and unused cookies out of
// logs, errors and JSON when somebody prints a value that holds them. Format
// serves every verb of package fmt, MarshalText both handlers of log/slog and
// encoding/json. Neither is asked about unexported fields of other types.

// String describes s without its secrets.
func (s Session) String() string {
	return fmt.Sprintf("%s at %v, %v, %d cookies",
		s.KEName, netip.AddrPortFrom(s.KEAddr, s.KEPort), s.AEAD, len(s.Cookies))
}

// Format implements fmt.Formatter: for every verb it writes what String says.
func (s Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler with what String says.
func (s Session) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String names the key by its id.
func (k CookieKey) String() string { return fmt.Sprintf("cookie key %d", k.ID) }

// Format implements fmt.Formatter: for every verb it writes what String says.
func (k CookieKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText implements encoding.TextMarshaler with what String says.
func (k CookieKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// String names the algorithm that the keys are for.
func (k Keys) String() string { return "keys for " + k.Algorithm.String() }

// Format implements fmt.Formatter: for every verb it writes what String says.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText implements encoding.TextMarshaler with what String says.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// String describes r without its cookies.
func (r Response) String() string {
	return fmt.Sprintf("%v, server %q, port %d, %d cookies", r.AEAD, r.Server, r.Port, len(r.Cookies))
}

// Format implements fmt.Formatter: for every verb it writes what String says.
func (r Response) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// MarshalText implements encoding.TextMarshaler with what String says.
func (r Response) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String describes r without its cookies.
func (r Reply) String() string {
	return fmt.Sprintf("%+v, %d cookies", r.Header, len(r.Cookies))
}

// Format implements fmt.Formatter: for every verb it writes what String says.
func (r Reply) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// MarshalText implements encoding.TextMarshaler with what String says.
func (r Reply) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
