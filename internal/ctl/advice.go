package ctl

import (
	"errors"
	"strings"
)

// advised adds to an error of a command what to do next, where it does not say so
// itself: a command that was used wrongly has its help, and what the daemon cannot
// do the way there.
func advised(command string, err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	next := ""
	switch {
	case strings.Contains(f.text, "ntsctl "), strings.Contains(f.text, "usage: "):
	case f.status == ExitUsage:
		next = "see ntsctl help " + command
	case f.status == ExitFailed:
		next = wayOut(f.text)
	}
	if next == "" {
		return err
	}
	return &failure{f.status, f.text + "; " + next, f.cause}
}

// wayOut returns what to do about a refusal of the daemon's.
func wayOut(text string) string {
	for _, known := range [...][2]string{
		{"is there already", "to change its options, ntsctl delete it first"},
		{"no usable key", "add a section key or keyfile to /etc/config/ntsd, then ntsctl reload"},
		{"sources cannot be added", "put them into /etc/config/ntsd, then ntsctl reload"},
		{"acility not enabled", "add it to /etc/config/ntsd, then ntsctl reload"},
		{"no authority of the LAN", "set them in /etc/config/ntsd, then ntsctl reload"},
		{"not reloaded", "correct it, then ntsctl reload again"},
		{"may not offer NTS", "ntsctl test 'server NAME' asks it without"},
		{"no such host", "check how its name is spelt"},
		{"no name server reachable", "is the network up, and does /etc/resolv.conf name a server?"},
		{"cannot write the answer", "where it goes to is full, or was closed"},
	} {
		if strings.Contains(text, known[0]) {
			return here(known[1])
		}
	}
	return ""
}
