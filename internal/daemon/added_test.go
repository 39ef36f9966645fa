package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
)

// TestAddAndDelete: sources come and go while the daemon runs; those that stay
// keep their keys; a reload brings back what the configuration names and keeps
// what was added.
func TestAddAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stays := w.addPeer("192.0.2.1:123", "one.example")
		w.addPeer("192.0.2.2:123", "two.example")
		w.addPeer("192.0.2.3:123", "three.example")
		w.addPeer("192.0.2.4:123", "many.example")
		w.addPeer("192.0.2.5:123", "")
		w.names["many.example"] = []netip.Addr{netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("192.0.2.5")}
		cfg := settings(t, "server one.example iburst nts", "server two.example iburst")
		d, stop := w.run(cfg, func() (*config.Config, []config.Diagnostic) { return cfg, nil })
		ask := func(cmd string, args ...string) control.Response {
			return d.Answer(context.Background(), control.Request{Cmd: cmd, Args: args})
		}
		names := func() string {
			time.Sleep(time.Minute)
			synctest.Wait()
			var all []string
			for _, s := range w.report(d).Sources {
				all = append(all, s.Name)
			}
			slices.Sort(all)
			return strings.Join(slices.Compact(all), " ")
		}
		for _, step := range []struct {
			cmd, arg string
			refused  string // empty: done
			want     string
		}{
			{control.CmdAdd, "server three.example iburst", "", "one.example three.example two.example"},
			{control.CmdAdd, "server three.example", "is there already", "one.example three.example two.example"},
			{control.CmdAdd, "server ONE.example", "is there already", "one.example three.example two.example"},
			{control.CmdAdd, "server 192.0.2.2 nts", "is there already", "one.example three.example two.example"},
			{control.CmdAdd, "makestep 1 3", "a source is server, pool or peer", "one.example three.example two.example"},
			{control.CmdAdd, "server x key 9", "there is no usable key", "one.example three.example two.example"},
			{control.CmdAdd, "peer x key 9", "there is no usable key", "one.example three.example two.example"},
			{control.CmdAdd, "server x minpoll 99", "minpoll", "one.example three.example two.example"},
			{control.CmdAdd, "server 192.0.2.5 key 7", "no usable key", "one.example three.example two.example"},
			{control.CmdDelete, "192.0.2.2", "", "one.example three.example"},
			{control.CmdDelete, "two.example", "no such source", "one.example three.example"},
			{control.CmdAdd, "server two.example iburst maxpoll 8", "", "one.example three.example two.example"},
			{control.CmdDelete, "two.example", "", "one.example three.example"},
			{control.CmdReload, "", "", "one.example three.example two.example"},
			{control.CmdDelete, "three.example", "", "one.example two.example"},
			{control.CmdReload, "", "", "one.example two.example"},
			{control.CmdAdd, "pool many.example iburst", "", "many.example one.example two.example"},
			{control.CmdDelete, "192.0.2.5", "one of several", "many.example one.example two.example"},
			{control.CmdDelete, "many.example", "", "one.example two.example"},
			{control.CmdDelete, "two.example", "", "one.example"},
		} {
			var args []string
			if step.arg != "" {
				args = []string{step.arg}
			}
			resp := ask(step.cmd, args...)
			if resp.OK != (step.refused == "") || !strings.Contains(resp.Message, step.refused) {
				t.Errorf("%s %s: got %+v, want %q", step.cmd, step.arg, resp, step.refused)
			}
			if got := names(); got != step.want {
				t.Errorf("%s %s: got %s, want %s", step.cmd, step.arg, got, step.want)
			}
		}
		if stays.keRuns != 1 {
			t.Errorf("%d key establishments with the server that stayed, want 1", stays.keRuns)
		}
		if resp := ask(control.CmdAdd, "server three.example presend 5"); !resp.OK || !strings.Contains(string(resp.Body), "presend") {
			t.Errorf("a word without meaning: got %+v, want a warning", resp)
		}
		// The last one may go, too; the daemon stays.
		for _, name := range []string{"one.example", "three.example"} {
			if resp := ask(control.CmdDelete, name); !resp.OK {
				t.Errorf("delete %s: got %+v", name, resp)
			}
		}
		if got := names(); got != "" {
			t.Errorf("got %s, want none", got)
		}
		stop()
	})
}

func TestAddIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "one.example")
		d, stop := w.run(settings(t, "server one.example"), nil)
		var err error
		for n := range maxAdded + 1 {
			if err != nil {
				t.Fatalf("source %d: %v", n, err)
			}
			err = d.Add(context.Background(), config.Source{Kind: config.Server, Name: fmt.Sprintf("192.0.2.%d", 100+n), Port: 123})
		}
		if !errors.Is(err, errMany) {
			t.Errorf("got %v, want %v", err, errMany)
		}
		for n := range 3 * maxAdded {
			name := fmt.Sprintf("192.0.2.%d", 100+n%maxAdded)
			if err := d.Delete(context.Background(), name); err != nil {
				t.Fatal(err)
			}
			if err := d.Add(context.Background(), config.Source{Kind: config.Server, Name: name, Port: 123}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(d.changed.deleted) + len(d.changed.added); n != maxAdded {
			t.Errorf("%d names are remembered", n)
		}
		stop()
	})
}
