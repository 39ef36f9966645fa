package config

import (
	"cmp"
	"fmt"
	"slices"
)

// AdviceCode names a piece of advice, for programs that say it in other words.
type AdviceCode string

// What can be advised.
const (
	AdviceNoNTS        AdviceCode = "no_nts"
	AdviceFewOperators AdviceCode = "few_operators"
	AdviceOutvote      AdviceCode = "outvote"
	AdvicePlainTrust   AdviceCode = "plain_trust"
	AdviceNoCA         AdviceCode = "no_ca"
	AdviceRTCCheck     AdviceCode = "rtccheck"
	AdviceWorld        AdviceCode = "world"
	AdviceNobody       AdviceCode = "nobody"
	AdviceNoLAN        AdviceCode = "no_lan"
)

// Advice is what is allowed, works, and is seldom meant. Unlike a Diagnostic it is
// about the configuration as a whole, and never stands in the log.
type Advice struct {
	Code  AdviceCode
	About []string // names that the text mentions, in its order
	Text  string   // one sentence
}

// enoughOperators outvote one that is wrong.
const enoughOperators = 3

// Operators returns who has a say in what time it is: those of the servers that
// prove who they are and may be selected, and the clocks at this machine, without
// repetition, in the order of the file.
func (c *Config) Operators() []string {
	var names []string
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Kind == Server && s.authentic() && !s.NoSelect && !slices.Contains(names, s.Operator) {
			names = append(names, s.Operator)
		}
	}
	for i := range c.RefClocks {
		if r := &c.RefClocks[i]; !r.NoSelect && !r.Local && !r.PPS {
			names = append(names, cmp.Or(r.RefID, r.Driver))
		}
	}
	return names
}

// authentic reports whether the source proves who it is.
func (s *Source) authentic() bool { return s.NTS && !s.NoVal || !s.NTS && s.Key != 0 }

// Advise returns what is to be said about a configuration that is valid.
func (c *Config) Advise() []Advice {
	return slices.Concat(c.adviseSources(), c.adviseCertificates(), c.adviseServing())
}

func advice(code AdviceCode, format string, about ...string) []Advice {
	args := make([]any, len(about))
	for i, a := range about {
		args[i] = a
	}
	return []Advice{{Code: code, About: about, Text: fmt.Sprintf(format, args...)}}
}

func (c *Config) adviseSources() []Advice {
	var all []Advice
	plain, authentic := 0, len(c.RefClocks)
	if c.DHCP != nil {
		plain++
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		switch {
		case s.NoSelect:
		case s.authentic():
			authentic++
		default:
			plain++
		}
	}
	operators := c.Operators()
	switch {
	case authentic == 0 && plain > 0:
		return advice(AdviceNoNTS, "No server is authenticated: whoever sits on the way can set this clock. Add servers with NTS.")
	case authentic == 0:
		return nil
	case len(operators) == 1:
		all = advice(AdviceFewOperators, "Only %s has a say in what time it is. With three operators one that is wrong is outvoted.", operators[0])
	case len(operators) == enoughOperators-1:
		all = advice(AdviceFewOperators, "Only %s and %s have a say in what time it is. With three operators one that is wrong is outvoted.", operators...)
	}
	if plain > 0 && c.Selection.AuthMode == AuthIgnore {
		all = append(all, advice(AdviceOutvote, "Servers without authentication can outvote those with NTS: authselectmode is ignore.")...)
	}
	for i := range c.Sources {
		if s := &c.Sources[i]; s.Trust && !s.authentic() && !s.NoSelect {
			all = append(all, advice(AdvicePlainTrust, "%s is not authenticated, but option trust lets it outvote others.", s.Name)...)
		}
	}
	return all
}

func (c *Config) adviseCertificates() []Advice {
	var all []Advice
	wants := func(s Source) bool { return s.NTS && !s.NoVal }
	if !slices.ContainsFunc(c.Sources, wants) {
		return nil
	}
	orphan := slices.IndexFunc(c.Sources, func(s Source) bool { return wants(s) && len(s.TrustedCerts) == 0 })
	if orphan >= 0 && !c.NTS.SystemCerts && len(c.NTS.TrustedCerts) == 0 {
		all = advice(AdviceNoCA, "No certificate authority is trusted, so %s cannot be reached: switch systemcerts on, or name one in trustedcerts.", c.Sources[orphan].Name)
	}
	if c.Bootstrap.Mode == BootstrapStrict {
		all = append(all, advice(AdviceRTCCheck, "Certificates are judged by the clock as it is at the start: without a clock chip no server is reached after a power cut. Switch rtccheck on.")...)
	}
	return all
}

func (c *Config) adviseServing() []Advice {
	if !c.Serve.Enabled {
		return nil
	}
	var all []Advice
	lan := false
	for i := range c.Allow {
		for _, name := range c.Allow[i].Interfaces {
			if name == "wan" || name == "wan6" {
				all = append(all, advice(AdviceWorld, "Everyone in the Internet may ask this router for the time, where the firewall lets them: section allow names %s.", name)...)
			} else {
				lan = true
			}
		}
		for _, p := range c.Allow[i].Subnets {
			if p.Bits() == 0 {
				all = append(all, advice(AdviceWorld, "Everyone in the Internet may ask this router for the time, where the firewall lets them: section allow names %s.", p.String())...)
			}
		}
	}
	if c.NTSServer.Enabled && len(c.Allow) == 0 {
		all = append(all, advice(AdviceNobody, "The NTS server answers nobody: no section allow says who may ask.")...)
	}
	if (c.Serve.Advertise || c.Serve.Intercept) && !lan {
		all = append(all, advice(AdviceNoLAN, "Nothing is announced or redirected: no section allow names an interface of the LAN.")...)
	}
	return all
}
