package status

import (
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes the part of the report that belongs to one command, indented:
// sources, sourcestats, selectdata and authdata as lists of one object per
// source, ntpdata likewise (of the source that target names, if any), tracking,
// activity and bootstrap as one object, anything else as the whole report.
func JSON(w io.Writer, r Report, command, target string) error {
	return WriteJSON(w, part(r, command, target))
}

func part(r Report, command, target string) any {
	switch command {
	case "tracking":
		return r.Tracking
	case "activity":
		return r.Activity
	case "bootstrap":
		return r.Bootstrap
	case "smoothing":
		return r.Smoothing
	case "sources":
		return each(r, "", func(s *Source) any {
			return struct {
				Ident
				Sample
				State string `json:"state"`
				Why   string `json:"why"`
			}{s.Ident, s.Sample, s.Selection.State, s.Selection.Why}
		})
	case "sourcestats":
		return each(r, "", func(s *Source) any {
			return struct {
				Ident
				Stats
			}{s.Ident, s.Stats}
		})
	case "selectdata":
		return each(r, "", func(s *Source) any {
			return struct {
				Ident
				Selection
			}{s.Ident, s.Selection}
		})
	case "authdata":
		return each(r, "", func(s *Source) any {
			return struct {
				Ident
				Auth
			}{s.Ident, s.Auth}
		})
	case "ntpdata":
		return each(r, target, func(s *Source) any {
			return struct {
				Ident
				NTP      *NTPData `json:"ntpdata"`
				Counters Counters `json:"counters"`
			}{s.Ident, s.NTP, s.Counters}
		})
	}
	return r
}

// each maps the sources that target means; none is an empty list, not null.
func each(r Report, target string, f func(*Source) any) []any {
	out := []any{}
	for i := range r.Sources {
		if s := &r.Sources[i]; target == "" || s.Is(target) {
			out = append(out, f(s))
		}
	}
	return out
}

// WriteJSON writes any value as indented JSON.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("status: write JSON: %w", err)
	}
	return nil
}
