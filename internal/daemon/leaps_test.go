package daemon

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ntsd/internal/leaplist"
)

// leapList returns a list that expires at a time.
func leapList(t *testing.T, expires time.Time) *leaplist.List {
	t.Helper()
	end := fmt.Sprint(expires.Unix() + 2208988800)
	sum := sha1.Sum([]byte("3124137600" + end + "312413760032")) // 1999-01-01
	l, err := leaplist.Parse(fmt.Appendf(nil, "#$ 3124137600\n#@ %s\n3124137600 32\n#h %x %x %x %x %x\n", end,
		sum[:4], sum[4:8], sum[8:12], sum[12:16], sum[16:]))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLeapList: what the file tells reaches the kernel; one that is refused, is
// too old or soon will be is told of, when it is known what day it is.
func TestLeapList(t *testing.T) {
	for name, c := range map[string]struct {
		valid time.Duration // from the start; 0: refused
		tai   int32
		log   string
	}{
		"good":    {200 * 24 * time.Hour, 32, ""},
		"soon":    {10 * 24 * time.Hour, 32, "the list of leap seconds expires soon file=/l expires=2000-01-11"},
		"expired": {-10 * 24 * time.Hour, 0, leapsExpired + " file=/l expires=1999-12-22"},
		"refused": {0, 0, "list of leap seconds refused reason=" + leaplist.ErrHash.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.addPeer("192.0.2.1:123", "")
				cfg := settings(t, "server 192.0.2.1 iburst")
				cfg.SystemClock.LeapFile = "/l"
				d := New(Options{
					Config: cfg, Clock: w, Network: w, KE: w, Resolver: w, Store: &w.files,
					Rand: chacha(7), Log: slog.New(w.log), Version: "test",
					Leaps: func(path string) (*leaplist.List, error) {
						if path != "/l" || c.valid == 0 {
							return nil, leaplist.ErrHash
						}
						return leapList(t, time.Now().Add(c.valid)), nil
					},
				})
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() {
					_, err := d.Run(ctx)
					done <- err
				}()
				time.Sleep(time.Minute)
				synctest.Wait()
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if w.status.TAI != c.tai {
					t.Errorf("the kernel was told TAI-UTC %d, want %d", w.status.TAI, c.tai)
				}
				found := ""
				for _, line := range w.log.lines {
					if strings.Contains(line, "leap seconds") {
						found = line
					}
				}
				if found != c.log {
					t.Errorf("logged %q, want %q", found, c.log)
				}
			})
		})
	}
}
