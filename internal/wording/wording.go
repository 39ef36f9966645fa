// Package wording turns errors into words for people. In the code an error begins
// with the name of its package ("nts: cookie expired"), which says where to look;
// whoever reads the log of a router, ntsctl or LuCI does not think in packages. So
// the names go where an error leaves the program: a log line, an answer, an exit
// message. It is layer 1.
//
// Non-goals: translation, which LuCI does, and making a text safe to print, which
// status.Printable does.
package wording

import (
	"errors"
	"strings"
)

// reasoned is an error that knows its words for people: one line, what happened
// and, where that is known, what to do about it.
type reasoned interface {
	error
	Reason() string
}

// Of returns err in words for people, "" for nil. An error in its chain with a
// method Reason is told in those words.
func Of(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	var r reasoned
	if errors.As(err, &r) {
		text = strings.Replace(text, r.Error(), r.Reason(), 1)
	}
	return Plain(text)
}

// Plain returns the text of an error without the names of packages, in one line.
func Plain(text string) string {
	if strings.Contains(text, "\n") { // errors.Join
		text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	}
	if !strings.Contains(text, ": ") {
		return text
	}
	pieces := strings.Split(text, ": ")
	var plain strings.Builder
	for i, p := range pieces {
		if i == len(pieces)-1 {
			plain.WriteString(p)
			break
		}
		begin := lastCause(p)
		if isPackage(p[begin:]) {
			plain.WriteString(p[:begin])
			continue
		}
		plain.WriteString(p)
		plain.WriteString(": ")
	}
	return plain.String()
}

// lastCause returns where in p the last of several causes begins, or what stands
// in brackets.
func lastCause(p string) int {
	begin := 0
	if i := strings.LastIndex(p, "; "); i >= 0 {
		begin = i + len("; ")
	}
	if i := strings.LastIndexByte(p, '('); i >= begin {
		begin = i + 1
	}
	return begin
}

// isPackage reports whether errors of a package of that name begin with it.
func isPackage(name string) bool {
	switch name {
	case "assoc", "cmdport", "control", "ctl", "daemon", "demo", "engine", "history", "hwclock", "lanca", "leaplist", "links", "mac", "mode6", "ntpq",
		"nts", "ntske", "probe", "refdata", "resident", "resolve", "responder", "sandbox", "serving", "siv", "status", "store", "sysclock", "tables", "terminal", "ubus", "uci", "udp", "wire":
		return true
	case "tls", "x509": // of Go's library
		return true
	}
	return false
}
