package config

import "ntsd/internal/hostname"

// Named returns a source like s for a host that is not from a file, and whether
// that can be a host.
func (s *Source) Named(host string) (Source, bool) {
	named := *s
	var port uint16
	var ok bool
	if named.Name, port, ok = hostname.Split(host); port != 0 {
		named.Port = port
	}
	return named, ok
}

// Authentic reports whether the source proves who it is.
func (s *Source) Authentic() bool { return s.NTS && !s.NoVal || !s.NTS && s.Key != 0 }
