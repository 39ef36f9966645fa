package probe

import (
	"errors"
	"fmt"
	"strings"

	"ntsd/internal/config"
	"ntsd/internal/foreign"
	"ntsd/internal/hostname"
	"ntsd/internal/mac"
)

// Target is what is to be tested.
type Target struct {
	Source config.Source
	// Trust are the certificate authorities for a source that names none.
	System bool
	Files  []string
	// Key is the symmetric key that the source names; nil: none, or not known
	// here.
	Key *mac.Secret
}

// directives are the words that a test can begin with where it is not a name.
func directives() []string { return []string{"server", "pool", "peer"} }

// ParseTarget reads what to test: a name or an address, perhaps with the port
// of its key establishment, or a directive as in chrony.conf, which says with
// its words whether NTS is meant: "server time.example nts ntsport 4460". The
// error says in words what is wrong.
func ParseTarget(text string) (Target, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Target{}, errors.New("probe: a server is needed")
	}
	bare := true
	for _, d := range directives() {
		bare = bare && !strings.EqualFold(words[0], d)
	}
	if bare {
		if _, _, ok := hostname.Split(words[0]); !ok {
			return Target{}, fmt.Errorf("probe: %s is neither a name nor an address", config.Quote(words[0]))
		}
		// Words after the name are those of a directive, too: "HOST ipv6".
		text = "server " + words[0] + " nts " + strings.Join(words[1:], " ")
	}
	cfg, diagnostics := foreign.ParseDirectives([]string{text}, nil)
	for _, d := range diagnostics {
		if d.Severity == config.Error {
			return Target{}, fmt.Errorf("probe: %s", strings.TrimPrefix(d.String(), "directive:1: "))
		}
	}
	if cfg == nil || len(cfg.Sources) != 1 {
		return Target{}, fmt.Errorf("probe: %s names no server", config.Quote(text))
	}
	return Target{Source: cfg.Sources[0], System: cfg.NTS.SystemCerts, Files: cfg.NTS.TrustedCerts}, nil
}

// In returns what a running daemon makes of the target: its certificate
// authorities and, where just the name of one of its sources was given, that
// source as it is configured.
func (t Target) In(cfg *config.Config, text string) (_ Target, configured bool) {
	t.System, t.Files = cfg.NTS.SystemCerts, cfg.NTS.TrustedCerts
	for _, s := range cfg.Sources {
		if strings.EqualFold(strings.TrimSpace(text), s.Name) {
			t.Source, configured = s, true
			break
		}
	}
	t.Key = cfg.Secret(t.Source.Key)
	return t, configured
}
