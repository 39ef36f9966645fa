package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/event"
	"ntsd/internal/foreign"
	"ntsd/internal/nts"
	"ntsd/internal/status"
)

// settings reads directives in chrony's syntax.
func settings(t *testing.T, lines ...string) *config.Config {
	t.Helper()
	cfg, diagnostics := foreign.ParseDirectives(lines, nil)
	if config.HasErrors(diagnostics) {
		t.Fatalf("directives: %v", diagnostics)
	}
	return cfg
}

func (w *world) report(d *Daemon) status.Report {
	w.t.Helper()
	r, err := d.Report(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestKeepsTimeOverNTS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, addr := range []string{"192.0.2.1:123", "192.0.2.2:123", "[2001:db8::3]:123"} {
			w.addPeer(addr, "nts.example")
		}
		w.addPeer("192.0.2.4:123", "plain.example")
		d, stop := w.run(settings(t, "pool nts.example iburst nts maxsources 3", "server plain.example iburst", "makestep 0.1 3"), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if off := w.wrong().Abs(); off > time.Millisecond {
			t.Errorf("after an hour the clock is wrong by %v", off)
		}
		r := w.report(d)
		if !r.Tracking.Synchronised || !r.Tracking.Authenticated || r.Tracking.Stratum != 2 {
			t.Errorf("tracking: %+v", r.Tracking)
		}
		if w.steps != 1 {
			t.Errorf("%d steps, want 1", w.steps)
		}
		for addr, p := range w.peers {
			want := 1
			if addr.Addr().String() == "192.0.2.4" {
				want = 0
			}
			if p.keRuns != want {
				t.Errorf("%v: %d key establishments, want %d", addr, p.keRuns, want)
			}
		}
		stop()
		if !w.files.haveDrift {
			t.Error("no drift saved at stop")
		}
		if got, want := w.files.rate.PPM(), -oscillator*1e6; got < want-1 || got > want+1 {
			t.Errorf("drift %.3f ppm, want about %.3f", got, want)
		}
	})
}

// A cookie that is on the wire is not on the disk any more (ADR 5).
func TestNoCookieIsSentWhileItIsStillSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.addPeer("192.0.2.1:123", "nts.example")
		_, stop := w.run(settings(t, "server nts.example iburst nts"), nil)
		time.Sleep(20 * time.Minute)
		w.newKeys(p)
		time.Sleep(40 * time.Minute)
		stop()
		if len(w.sent) < 20 {
			t.Fatalf("only %d requests", len(w.sent))
		}
		for i, s := range w.sent {
			for _, session := range s.saved {
				for _, cookie := range session.Cookies {
					if bytes.Contains(s.data, cookie) {
						t.Fatalf("request %d spends a cookie that is still saved", i)
					}
				}
			}
		}
		if p.keRuns != 2 {
			t.Errorf("%d key establishments, want 2: at start and after the keys were lost", p.keRuns)
		}
	})
}

func TestRestartMakesNoKeyEstablishment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.addPeer("192.0.2.1:123", "nts.example")
		cfg := settings(t, "server nts.example iburst nts")
		_, stop := w.run(cfg, nil)
		time.Sleep(10 * time.Minute)
		stop()
		d, stop := w.run(cfg, nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if r := w.report(d); !r.Tracking.Synchronised {
			t.Error("not synchronised after the restart")
		}
		if p.keRuns != 1 {
			t.Errorf("%d key establishments, want 1", p.keRuns)
		}
		stop()
	})
}

// Saving on command neither stops the polls nor forgets to save.
func TestDump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "nts.example")
		d, stop := w.run(settings(t, "server nts.example iburst nts"), nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.files.haveDrift = false
		synctest.Wait()
		if err := d.Dump(context.Background()); err != nil {
			t.Fatal(err)
		}
		if saved := w.files.list(); !w.files.haveDrift || len(saved) != 1 || len(saved[0].Cookies) != nts.MaxCookies {
			t.Errorf("saved: drift %v, sessions %d", w.files.haveDrift, len(saved))
		}
		sent := w.requests()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if w.requests() <= sent {
			t.Error("no requests after the dump")
		}
		stop()
	})
}

func TestOneShot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "nts.example")
		began := time.Now()
		d := New(Options{
			Config: settings(t, "server nts.example iburst nts"), Clock: w, Network: w, KE: w, Resolver: w,
			Store: &w.files, Rand: chacha(3), Log: discard(), OneShot: true,
		})
		exit, err := d.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if wrong := exit.Offset.Duration() - startError; wrong.Abs() > time.Millisecond {
			t.Errorf("offset %v, want about %v", exit.Offset.Duration(), startError)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v, want at most 3s", took)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.addPeer("192.0.2.1:123", "one.example")
		w.addPeer("192.0.2.2:123", "two.example")
		next, diagnostics := settings(t, "server one.example iburst nts"), []config.Diagnostic(nil)
		d, stop := w.run(next, func() (*config.Config, []config.Diagnostic) { return next, diagnostics })
		time.Sleep(10 * time.Minute)
		sent := w.requests()
		began := w.report(d).Daemon.Config

		next = settings(t, "server one.example iburst nts", "server two.example iburst nts")
		next.Digest = "second"
		if err := d.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if first.keRuns != 1 {
			t.Errorf("the unchanged source ran %d key establishments, want 1", first.keRuns)
		}
		if len(w.report(d).Sources) != 2 || w.requests() <= sent {
			t.Errorf("sources after reload: %+v", w.report(d).Sources)
		}
		took := w.report(d).Daemon.Config
		if took.Digest != "second" || took.Refused || took.Reads != began.Reads+1 || took.Since <= began.Since || took.Read != took.Since {
			t.Errorf("configuration after a reload: %+v, before: %+v", took, began)
		}

		next, diagnostics = config.Default(), []config.Diagnostic{{Severity: config.Error, File: "ntsd", Line: 3, Message: "broken"}}
		err := d.Reload(context.Background())
		if err == nil || !strings.Contains(err.Error(), "broken") {
			t.Errorf("broken configuration: error %v, want the reason", err)
		}
		if n := len(w.report(d).Sources); n != 2 {
			t.Errorf("%d sources after a refused reload, want 2", n)
		}
		if c := w.report(d).Daemon.Config; c.Digest != "second" || !c.Refused || c.Read <= c.Since {
			t.Errorf("configuration after a refused reload: %+v", c)
		}
		stop()
	})
}

// TestReloadSources: what another program writes is taken up, and what was wrong
// before neither stands in its way nor is logged again.
func TestReloadSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.addPeer("192.0.2.1:123", "one.example")
		w.addPeer("192.0.2.2:123", "two.example")
		next, found := settings(t, "server one.example iburst nts"), false
		wrong := []config.Diagnostic{{Severity: config.Error, File: "chrony.conf", Line: 3, Message: "broken"}}
		w.sources = func() (*config.Config, []config.Diagnostic, bool) { return next, slices.Clone(wrong), found }
		d, stop := w.run(next, func() (*config.Config, []config.Diagnostic) { return next, wrong })
		reload := func(args ...string) control.Response {
			resp := d.Answer(context.Background(), control.Request{Cmd: control.CmdReload, Args: args})
			time.Sleep(time.Minute)
			synctest.Wait()
			return resp
		}
		if resp := reload("sources"); !resp.OK || w.report(d).Daemon.Config.Reads != 1 {
			t.Errorf("no folders: got %+v, read %d times", resp, w.report(d).Daemon.Config.Reads)
		}
		found, next = true, settings(t, "server one.example iburst nts", "server two.example iburst")
		for range 2 {
			if resp := reload("sources"); !resp.OK || len(w.report(d).Sources) != 2 || first.keRuns != 1 {
				t.Errorf("got %+v, %d sources, %d key establishments", resp, len(w.report(d).Sources), first.keRuns)
			}
		}
		if n := strings.Count(strings.Join(w.log.lines, "\n"), "chrony.conf:3: broken"); n != 1 {
			t.Errorf("what is wrong was logged %d times, want once", n)
		}
		if resp := reload(); resp.OK || !strings.Contains(resp.Message, "broken") {
			t.Errorf("all of it: got %+v, want it refused", resp)
		}
		if resp := reload("source"); resp.Code != control.CodeArguments {
			t.Errorf("got %+v, want wrong arguments", resp)
		}
		stop()
	})
}

// Who switches the daemon off and reloads wants it to end, whatever else the
// file says.
func TestReloadSwitchesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "one.example")
		off := config.Default()
		off.Main.Enabled = false
		d, stop := w.run(settings(t, "server one.example iburst nts"), func() (*config.Config, []config.Diagnostic) { return off, nil })
		time.Sleep(time.Minute)
		if err := d.Reload(context.Background()); err != nil {
			t.Error(err)
		}
		<-d.ended
		if saved := w.files.list(); len(saved) != 1 {
			t.Errorf("%d sessions saved at the end, want 1", len(saved))
		}
		stop()
	})
}

// What -d adds shows every request, and no key nor cookie in any spelling.
func TestDebugLogHasNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.log.level = slog.LevelDebug
		w.addPeer("192.0.2.1:123", "nts.example")
		d, stop := w.run(settings(t, "server nts.example iburst nts"), nil)
		time.Sleep(10 * time.Minute)
		sessions := w.files.list()
		if err := d.Dump(context.Background()); err != nil {
			t.Fatal(err)
		}
		stop()
		text := strings.Join(w.log.lines, "\n")
		for _, want := range []string{"request sent source=192.0.2.1:123", "datagram received", "key establishment begins", "session saved"} {
			if !strings.Contains(text, want) {
				t.Errorf("no line %q", want)
			}
		}
		for _, s := range append(sessions, w.files.list()...) {
			for _, secret := range append([][]byte{s.C2S, s.S2C}, s.Cookies...) {
				for _, form := range []string{"%s", "%x", "%X", "%v", "%q"} {
					if spelt := strings.Trim(fmt.Sprintf(form, secret[:8]), `[]"`); strings.Contains(text, spelt) {
						t.Errorf("a secret is in the log as %s", form)
					}
				}
			}
		}
	})
}

func TestFailingDiskIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := New(Options{Clock: w, Network: w, KE: w, Resolver: w, Store: &w.files, Log: loggerTo(w.log)})
		for range 5 {
			d.check("save the drift", context.Canceled)
		}
		d.check("save the drift", nil)
		want := []string{"cannot save the drift reason=context canceled", "can save the drift again"}
		if !slices.Equal(w.log.lines, want) {
			t.Errorf("got %q, want %q", w.log.lines, want)
		}
	})
}

func TestEveryNoticeHasALine(t *testing.T) {
	lines := noticeLines()
	for k := event.NoticeSelected; k <= event.NoticeLeap; k++ {
		if lines[k].message == "" {
			t.Errorf("notice %d has no log line", k)
		}
	}
}

// An exponent of 0 is one second, not "unset".
func TestPollsEverySecondWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.addPeer("192.0.2.1:123", "lan.example")
		_, stop := w.run(settings(t, "server lan.example minpoll 0 maxpoll 0"), nil)
		time.Sleep(time.Minute)
		stop()
		if n := w.requests(); n < 50 || n > 70 {
			t.Errorf("%d requests in a minute, want about 60", n)
		}
	})
}
