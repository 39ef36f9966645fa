package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// newHandler writes one line per event. procd and journald put the time before
// each line themselves, so it is left out unless a person is looking.
func newHandler(w io.Writer, level slog.Leveler) slog.Handler {
	withTime := isTerminal(w)
	return slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 && !withTime {
				return slog.Attr{}
			}
			return a
		},
	})
}

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
