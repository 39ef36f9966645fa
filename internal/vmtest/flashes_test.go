package vmtest

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"ntsd/internal/nts"
	"ntsd/internal/store"
)

// flashes are those where the flash is the trouble.
func flashes() []scenario {
	return []scenario{
		{"flash full", false, flashFull},
		{"flash read-only", false, flashReadOnly},
		{"state files damaged one by one", false, stateDamaged},
		{"power cut in every instant of a first boot", false, tornFirstBoot},
		{"power cut in every instant of a reboot", false, tornReboot},
	}
}

func flashFull(t *testing.T) *world {
	w := newWorld(t, 3, 0)
	w.configure()
	r := w.boot()
	r.do("own", stateFolder, userID)
	r.do("fill", "/etc/full")
	r.startDaemon()
	r.wantSync(6, 0)
	r.off()
	r.wantSaidOnce("no space left on device")
	return w
}

// flashReadOnly has cookies set aside, which must not be spent: nobody could
// note that they were.
func flashReadOnly(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	r := w.boot()
	r.do("sysfixtime")
	r.do("remount", "ro")
	r.startDaemon()
	r.wantSync(6, 0)
	r.off()
	r.wantSaidOnce("read-only file system")
	return w
}

// wantSaidOnce wants complaints about it, each once.
func (r *router) wantSaidOnce(about string) {
	r.t.Helper()
	said := map[string]int{}
	for line := range strings.Lines(r.console.String()) {
		if _, line, ok := strings.Cut(line, " msg="); ok && strings.Contains(line, about) {
			said[line]++
		}
	}
	if len(said) == 0 {
		r.t.Errorf("no complaint about %q", about)
	}
	for line, n := range said {
		if n > 1 {
			r.t.Errorf("said %d times: %s", n, line)
		}
	}
}

// stateDamaged boots with one file after the other cut short, then full of
// something else. The daemon does without, and says which one.
func stateDamaged(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	r := w.boot()
	var files []string
	for line := range strings.Lines(r.do("list", stateFolder)) {
		files = append(files, strings.Fields(line)[0])
	}
	if len(files) < 2 {
		t.Fatalf("state: only %q", files)
	}
	for _, name := range files {
		path := stateFolder + "/" + name
		for _, damage := range []func([]byte) []byte{
			func(b []byte) []byte { return b[:len(b)/2-3] }, // not between two sessions of one length
			func(b []byte) []byte { return bytes.Repeat([]byte("\xff\x00x"), len(b)/3+1) },
		} {
			good, err := base64.StdEncoding.DecodeString(r.do("read", path))
			if err != nil {
				t.Fatal(err)
			}
			r.write(path, string(damage(good))) // owner and mode stay
			r.startDaemon()
			r.wantSync(6, 0)
			if !strings.Contains(r.console.String(), path+": refused") {
				t.Errorf("%s was damaged, and nobody says so", path)
			}
			r.off()
			r = w.boot()
		}
	}
	r.startDaemon()
	r.wantSync(6, 0)
	return w
}

// tornFirstBoot looks at the flash as it is after every single write to it.
func tornFirstBoot(t *testing.T) *world {
	w := newWorld(t, 3, 0)
	w.configure()
	w.torn(func(r *router) { r.wantSync(6, 0) })
	return w
}

// tornReboot does the same while cookies that were set aside are spent.
func tornReboot(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	w.torn(func(r *router) { r.wantSync(0, 0) })
	return w
}

// torn boots with a log of all writes to the flash, lets f have its way, and
// then looks at the flash as a power cut at any time would have left it: its
// files are old or new but whole, and no cookie that a server has seen is left.
func (w *world) torn(f func(r *router)) {
	t := w.t
	t.Helper()
	before := w.flash.copy()
	log := newImage(t)
	r := w.bootWith(machineSpec{log: log})
	w.mu.Lock()
	w.spendings, w.spendingLog = nil, log
	w.mu.Unlock()
	r.do("sysfixtime")
	r.startDaemon()
	f(r)
	r.off()
	w.mu.Lock()
	spendings := w.spendings
	w.spendingLog = ""
	w.mu.Unlock()
	states, reserves := map[string]bool{}, map[string]bool{}
	n := before.replay(log, func(at int64, cut *flash) {
		state, reserve := cut.read("ntsd/state/state"), cut.read("ntsd/state/reserve")
		states[state], reserves[reserve] = true, true
		if _, err := store.ParseState([]byte(state)); state != "" && err != nil {
			t.Errorf("cut after %d bytes of writes: state: %v", at, err)
		}
		sessions, err := store.ParseReserve([]byte(reserve))
		if err != nil {
			t.Errorf("cut after %d bytes of writes: reserve: %v", at, err)
		}
		for _, s := range spendings {
			if at >= s.written && holds(sessions, s.cookie) {
				t.Errorf("cut after %d bytes of writes: the reserve has a cookie that was spent after %d", at, s.written)
			}
		}
	})
	t.Logf("%d cuts, %d contents of state, %d of reserve, %d cookies", n, len(states), len(reserves), len(spendings))
	if len(states) < 2 || len(spendings) == 0 {
		t.Errorf("nothing was tested: %d contents of state, %d cookies", len(states), len(spendings))
	}
}

// holds reports whether one of the sessions has the cookie.
func holds(sessions []nts.Session, cookie []byte) bool {
	for _, s := range sessions {
		for _, c := range s.Cookies {
			if bytes.Equal(c, cookie) {
				return true
			}
		}
	}
	return false
}
