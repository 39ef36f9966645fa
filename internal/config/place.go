package config

// Place says where a configuration of several files goes on: its line Line,
// counted through all of them, is line First of File.
type Place struct {
	Line  int
	File  string
	First int
	// Optional: what is wrong there costs the section, and is no reason to
	// refuse the rest.
	Optional bool
}

// Places are the pieces of a configuration in the order in which they were read;
// none: it stands in one file.
type Places []Place

// of returns the piece that a line stands in, nil where there are none.
func (p Places) of(line int) *Place {
	for i := len(p) - 1; i >= 0; i-- {
		if line >= p[i].Line {
			return &p[i]
		}
	}
	return nil
}

// weigh says of an error in an optional piece what it costs.
func (p Places) weigh(d *Diagnostic) {
	if at := p.of(d.Line); at != nil && at.Optional && d.Severity == Error {
		d.Severity, d.Message = Warning, d.Message+"; left out"
	}
}

// locate turns a line that is counted through into one of its file.
func (p Places) locate(d *Diagnostic) {
	if at := p.of(d.Line); at != nil {
		d.File, d.Line = at.File, d.Line-at.Line+at.First
	}
}
