package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/engine"
	"ntsd/internal/event"
	"ntsd/internal/foreign"
	"ntsd/internal/snapshot"
)

// maxAdded bounds the sources that can be added while the daemon runs.
const maxAdded = 32

// Errors of Add and Delete.
var (
	errPresent = errors.New("daemon: that source is there already")
	errMany    = fmt.Errorf("daemon: more than %d sources cannot be added", maxAdded)
	errNoKey   = errors.New("daemon: there is no usable key of that id in the configuration")
	errMember  = errors.New("daemon: that address is one of several of its name: delete the name, or take the address offline")
)

// changed is what operators changed about the sources while the daemon runs.
type changed struct {
	added   []config.Source
	deleted []string // names in the configuration, until it is read again
}

// parseSource reads the directive of one source, as it stands in a chrony.conf.
// The warnings are about words that change nothing here.
func parseSource(text string) (s config.Source, warnings []string, err error) {
	cfg, diagnostics := foreign.ParseDirectives([]string{text}, nil)
	for _, d := range diagnostics {
		line := strings.TrimPrefix(d.String(), "directive:1: ")
		if d.Severity == config.Error {
			return s, nil, fmt.Errorf("daemon: %s", line)
		}
		warnings = append(warnings, line)
	}
	all := append(cfg.Sources, cfg.Peers...)
	if len(all) != 1 {
		return s, nil, errors.New("daemon: a source is server, pool or peer, a name, and options")
	}
	return all[0], warnings, nil
}

// Add adds a source, which stays until it is deleted or the daemon ends; a
// reload does not change it.
func (d *Daemon) Add(ctx context.Context, s config.Source) error {
	var refused error
	err := d.do(ctx, func(ctx context.Context) {
		switch {
		case slices.ContainsFunc(d.sources(), func(o config.Source) bool { return same(o, s) }), d.asks(s.Name):
			refused = errPresent
		case d.keyless(s):
			refused = errNoKey
		case len(d.changed.added) >= maxAdded:
			refused = errMany
		default:
			d.changed.added = append(d.changed.added, s)
			d.opt.Log.Info("source added", "source", s.Name)
			d.reconfigure(ctx)
		}
	})
	return errors.Join(err, refused)
}

// Delete removes the sources of that name, or the one at that address. What the
// configuration names comes back when it is read again.
func (d *Daemon) Delete(ctx context.Context, target string) error {
	var refused error
	err := d.do(ctx, func(ctx context.Context) {
		var name string
		if name, refused = d.named(target); refused != nil {
			return
		}
		is := func(o config.Source) bool { return strings.EqualFold(o.Name, name) }
		d.changed.added = slices.DeleteFunc(d.changed.added, is)
		if !d.changed.lacks(name) && slices.ContainsFunc(d.sources(), is) {
			d.changed.deleted = append(d.changed.deleted, name)
		}
		d.opt.Log.Info("source deleted", "source", name)
		d.reconfigure(ctx)
	})
	return errors.Join(err, refused)
}

// named returns the name of the source that target means.
func (d *Daemon) named(target string) (string, error) {
	all := d.sources()
	if i := slices.IndexFunc(all, func(o config.Source) bool { return strings.EqualFold(o.Name, target) }); i >= 0 {
		return all[i].Name, nil
	}
	snap := d.engine.Snapshot(d.opt.Clock.Read())
	found := ""
	for i := range snap.Sources {
		s := &snap.Sources[i]
		if s.Addr.IsValid() && s.Addr.String() == target {
			found = s.Name
		}
	}
	if found == "" {
		return "", engine.ErrNoSource
	}
	members := 0
	for i := range snap.Sources {
		if snap.Sources[i].Name == found {
			members++
		}
	}
	if members > 1 {
		return "", errMember
	}
	return found, nil
}

// lacks reports whether sources of that name were deleted.
func (c *changed) lacks(name string) bool {
	return slices.ContainsFunc(c.deleted, func(gone string) bool { return strings.EqualFold(gone, name) })
}

// same reports whether two sources ask the same.
func same(a, b config.Source) bool {
	return strings.EqualFold(a.Name, b.Name) && a.Port == b.Port && a.Kind == b.Kind
}

// asks reports whether a server with that address is asked under its name: a
// second source for it would take the address away from the first.
func (d *Daemon) asks(address string) bool {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	snap := d.engine.Snapshot(d.opt.Clock.Read())
	return slices.ContainsFunc(snap.Sources, func(s snapshot.Source) bool { return s.Addr == addr.Unmap() })
}

// keyless reports whether a source needs a symmetric key that is not there.
func (d *Daemon) keyless(s config.Source) bool {
	return d.applied.Lacks(&s)
}

// moreSources are those beside the configured ones: learnt by DHCP, and added.
func (d *Daemon) moreSources() []config.Source {
	more := slices.DeleteFunc(d.learntSources(), func(o config.Source) bool { return d.changed.lacks(o.Name) })
	configured := slices.Concat(d.applied.Sources, d.applied.Peers)
	for _, s := range d.changed.added {
		if d.keyless(s) {
			continue // a reload took its key away: never without one
		}
		is := func(o config.Source) bool { return same(o, s) }
		// After a reload the configuration may name it, too.
		if !slices.ContainsFunc(more, is) && (d.changed.lacks(s.Name) || !slices.ContainsFunc(configured, is)) {
			more = append(more, s)
		}
	}
	return more
}

// sources are those in force: configured, learnt, added, less what was deleted.
func (d *Daemon) sources() []config.Source {
	all := slices.Concat(d.applied.Sources, d.applied.Peers)
	all = slices.DeleteFunc(all, func(o config.Source) bool { return d.changed.lacks(o.Name) })
	return append(all, d.moreSources()...)
}

// reconfigure tells the engine of the sources that there are now.
func (d *Daemon) reconfigure(ctx context.Context) {
	d.handle(ctx, func(now clock.Reading, out []event.Action) []event.Action {
		return d.engine.HandleConfig(now, d.engineConfig(), out)
	})
}

// change answers the commands add and delete.
func (d *Daemon) change(ctx context.Context, req control.Request) control.Response {
	text := strings.Join(req.Args, " ")
	if req.Cmd == control.CmdDelete {
		if len(req.Args) != 1 {
			return control.Fail(control.CodeArguments, "delete takes the name or the address of a source")
		}
		return answerTo(d.Delete(ctx, text))
	}
	s, warnings, err := parseSource(text)
	if err != nil {
		return control.Fail(control.CodeArguments, err.Error())
	}
	if err := d.Add(ctx, s); err != nil {
		return answerTo(err)
	}
	return control.Reply(control.Added{Warnings: warnings})
}
