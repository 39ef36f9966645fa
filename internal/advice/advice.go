// Package advice is what is worth saying about a configuration that is valid, works,
// and is seldom meant: which server has a say alone, who else may ask for the time;
// and about what comes of it: a near server that far ones outvote. It is layer 3,
// above config and status.
//
// Not here: what is wrong with a configuration (config, whose diagnostics stand in
// the log too; advice never does).
package advice

import (
	"cmp"
	"fmt"
	"slices"

	"ntsd/internal/config"
	"ntsd/internal/status"
)

// Code names a piece of advice, for programs that say it in other words.
type Code = string

// What can be advised.
const (
	NoNTS        Code = "no_nts"
	FewOperators Code = "few_operators"
	Outvote      Code = "outvote"
	PlainTrust   Code = "plain_trust"
	NoCA         Code = "no_ca"
	RTCCheck     Code = "rtccheck"
	World        Code = "world"
	Nobody       Code = "nobody"
	NoLAN        Code = "no_lan"
	NearOutvoted Code = "near_outvoted"
	NearPlain    Code = "near_plain"
)

// Piece is a piece of advice: about the configuration as a whole, or about what
// came of it.
type Piece = status.Advice

// enoughOperators outvote one that is wrong.
const enoughOperators = 3

// On returns the advice on a configuration; without any it is empty, not nil.
func On(c *config.Config) []Piece {
	return append([]Piece{}, slices.Concat(onSources(c), onCertificates(c), onServing(c))...)
}

// operators returns who has a say in what time it is: those of the servers that
// prove who they are and may be selected, and the clocks at this machine, without
// repetition, in the order of the file.
func operators(c *config.Config) []string {
	var names []string
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Kind == config.Server && s.Authentic() && !s.NoSelect && !slices.Contains(names, s.Operator) {
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

func piece(code Code, format string, about ...string) []Piece {
	args := make([]any, len(about))
	for i, a := range about {
		args[i] = a
	}
	return []Piece{{Code: code, About: about, Text: fmt.Sprintf(format, args...)}}
}

func onSources(c *config.Config) []Piece {
	var all []Piece
	plain, authentic := 0, len(c.RefClocks)
	if c.DHCP != nil {
		plain++
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		switch {
		case s.NoSelect:
		case s.Authentic():
			authentic++
		default:
			plain++
		}
	}
	operators := operators(c)
	switch {
	case authentic == 0 && plain > 0:
		return piece(NoNTS, "No server is authenticated: whoever sits on the way can set this clock. Add servers with NTS.")
	case authentic == 0:
		return nil
	case len(operators) == 1:
		all = piece(FewOperators, "Only %s has a say in what time it is. With three operators one that is wrong is outvoted.", operators[0])
	case len(operators) == enoughOperators-1:
		all = piece(FewOperators, "Only %s and %s have a say in what time it is. With three operators one that is wrong is outvoted.", operators...)
	}
	if plain > 0 && c.Selection.AuthMode == config.AuthIgnore {
		all = append(all, piece(Outvote, "Servers without authentication can outvote those with NTS: authselectmode is ignore.")...)
	}
	for i := range c.Sources {
		if s := &c.Sources[i]; s.Trust && !s.Authentic() && !s.NoSelect {
			all = append(all, piece(PlainTrust, "%s is not authenticated, but option trust lets it outvote others.", s.Name)...)
		}
	}
	return all
}

func onCertificates(c *config.Config) []Piece {
	var all []Piece
	wants := func(s config.Source) bool { return s.NTS && !s.NoVal }
	if !slices.ContainsFunc(c.Sources, wants) {
		return nil
	}
	orphan := slices.IndexFunc(c.Sources, func(s config.Source) bool { return wants(s) && len(s.TrustedCerts) == 0 })
	if orphan >= 0 && !c.NTS.SystemCerts && len(c.NTS.TrustedCerts) == 0 {
		all = piece(NoCA, "No certificate authority is trusted, so %s cannot be reached: switch systemcerts on, or name one in trustedcerts.", c.Sources[orphan].Name)
	}
	if c.Bootstrap.Mode == config.BootstrapStrict {
		all = append(all, piece(RTCCheck, "Certificates are judged by the clock as it is at the start: without a clock chip no server is reached after a power cut. Switch rtccheck on.")...)
	}
	return all
}

func onServing(c *config.Config) []Piece {
	if !c.Serve.Enabled {
		return nil
	}
	var all []Piece
	lan := false
	for i := range c.Allow {
		for _, name := range c.Allow[i].Interfaces {
			if name == "wan" || name == "wan6" {
				all = append(all, piece(World, "Everyone in the Internet may ask this router for the time, where the firewall lets them: section allow names %s.", name)...)
			} else {
				lan = true
			}
		}
		for _, p := range c.Allow[i].Subnets {
			if p.Bits() == 0 {
				all = append(all, piece(World, "Everyone in the Internet may ask this router for the time, where the firewall lets them: section allow names %s.", p.String())...)
			}
		}
	}
	if c.NTSServer.Enabled && len(c.Allow) == 0 {
		all = append(all, piece(Nobody, "The NTS server answers nobody: no section allow says who may ask.")...)
	}
	if (c.Serve.Advertise || c.Serve.Intercept) && !lan {
		all = append(all, piece(NoLAN, "Nothing is announced or redirected: no section allow names an interface of the LAN.")...)
	}
	return all
}
