package main

import (
	"io"
	"log/slog"

	"ntsd/internal/ctl"
)

// newHandler writes one line per event. procd and journald put the time before
// each line themselves, so it is left out unless a person is looking.
func newHandler(w io.Writer, level slog.Leveler) slog.Handler {
	withTime := ctl.IsTerminal(w)
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
