package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"sync"

	"ntsd/internal/terminal"
)

// toSyslog is the argument of -l for the system's log.
const toSyslog = "syslog"

// openLog returns the handler for option -l: standard error, or the system's
// log, which knows of levels.
func openLog(to string, stderr io.Writer, level slog.Leveler) (slog.Handler, error) {
	if to != toSyslog {
		// journald puts the time before each line itself, so it is left out
		// unless a person is looking.
		return textHandler(stderr, level, terminal.Is(stderr), true), nil
	}
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "ntsd")
	if err != nil {
		return nil, fmt.Errorf("-l syslog: %w: does the system's log run? Without -l the log goes to standard error", err)
	}
	return newSyslog(w, level), nil
}

func textHandler(w io.Writer, level slog.Leveler, withTime, withLevel bool) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			drop := a.Key == slog.TimeKey && !withTime || a.Key == slog.LevelKey && !withLevel
			if drop && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	})
}

func newSyslog(w *syslog.Writer, level slog.Leveler) slog.Handler {
	s := &sink{log: w}
	return &syslogHandler{Handler: textHandler(s, level, false, false), sink: s}
}

// syslogHandler gives each record to the system's log at the record's level.
type syslogHandler struct {
	slog.Handler
	sink *sink
}

// sink takes the line of one record at a time.
type sink struct {
	mu    sync.Mutex
	log   *syslog.Writer
	level slog.Level
}

// Handle writes one record.
func (h *syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.sink.mu.Lock()
	defer h.sink.mu.Unlock()
	h.sink.level = r.Level
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler with more attributes.
func (h *syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &syslogHandler{h.Handler.WithAttrs(attrs), h.sink}
}

// WithGroup returns a handler that puts what follows into a group.
func (h *syslogHandler) WithGroup(name string) slog.Handler {
	return &syslogHandler{h.Handler.WithGroup(name), h.sink}
}

// Write is called by Handle, whose record's level it takes.
func (s *sink) Write(line []byte) (int, error) {
	var err error
	switch text := string(line); {
	case s.level >= slog.LevelError:
		err = s.log.Err(text)
	case s.level >= slog.LevelWarn:
		err = s.log.Warning(text)
	case s.level >= slog.LevelInfo:
		err = s.log.Info(text)
	default:
		err = s.log.Debug(text)
	}
	return len(line), err
}
