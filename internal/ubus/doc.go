// Package ubus speaks the protocol of OpenWrt's message bus over its socket:
// methods of others are called, their notifications heard, and objects of our
// own published. It belongs to layer 4.
//
// A message is a header of eight bytes and one attribute that holds the others
// ("blob"). Attribute: four bytes (extended bit, 7 bits of id, 24 bits of length
// with these four), contents, padding to four. The values of a call are named
// attributes ("blobmsg"), whose contents begin with the length of the name, the
// name, a zero, padding. All numbers are big-endian. The layout is libubox's
// and libubus's, as of 2026 and the same since 2012.
//
// Not its business: what the objects mean.
package ubus

import "errors"

// Socket is where ubusd listens. Before OpenWrt 21.02 it was /var/run/ubus.sock.
const Socket = "/var/run/ubus/ubus.sock"

// Status is how a request ended.
type Status uint32

// The statuses that callers tell apart.
const (
	statusOK               Status = 0
	StatusInvalidArgument  Status = 2
	StatusMethodNotFound   Status = 3
	StatusNotFound         Status = 4
	StatusPermissionDenied Status = 6
	StatusUnknownError     Status = 9
)

// Error says it in words.
func (s Status) Error() string {
	words := [...]string{
		"ok", "invalid command", "invalid argument", "method not found", "not found", "no data", "permission denied",
		"timeout", "not supported", "unknown error", "connection failed", "no memory", "parse error", "system error",
	}
	if int(s) < len(words) {
		return "ubus: " + words[s]
	}
	return "ubus: unknown status"
}

// ErrFormat is wrapped by errors about bytes that are no message.
var ErrFormat = errors.New("ubus: malformed message")
