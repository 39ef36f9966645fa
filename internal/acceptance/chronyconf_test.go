package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ntsd/internal/demo"
	"ntsd/internal/status"
)

// TestChronyConf: a chrony.conf with folders of fragments and of sources, as
// Debian has it, is printed and kept time by; what another program puts into the
// folder of sources counts after "reload sources", the fragments after a SIGHUP.
func TestChronyConf(t *testing.T) {
	w := newWorld(t)
	fixed, learnt, later := w.plain(nil), w.plain(nil), w.plain(nil)
	directive := func(s *demo.Server) string {
		return fmt.Sprintf("server %s port %d minpoll -2 maxpoll -2\n", host(s), s.NTPAddr().Port())
	}
	for _, dir := range []string{"conf.d", "sources.d"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.write("conf.d/own.conf", directive(fixed)+"ntsdumpdir "+w.run+"\nmaxupdateskew 5\n")
	w.write("sources.d/eth0.sources", directive(learnt))
	text := strings.NewReplacer("DIR", w.dir).Replace("confdir DIR/conf.d DIR/none\nsourcedir DIR/sources.d\nmakestep 1 3\nrtcsync\ncmdport 0\nbindcmdaddress DIR/chrony/chronyd.sock\nport 0\nkeyfile /etc/chrony.keys.none\n")

	got := ntsd(t, "-p", "-f", w.write("chrony.conf", text))
	for _, want := range []string{"hostname '" + host(fixed) + "'", "hostname '" + host(learnt) + "'", "run_dir '" + w.run + "'", "chrony_socket '" + w.dir + "/chrony/chronyd.sock'"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("-p: no %q in\n%s", want, got.stdout)
		}
	}
	if want := "warning: " + w.dir + "/conf.d/own.conf:3: maxupdateskew: has no equivalent"; got.exit != 0 || !strings.Contains(got.stderr, want) {
		t.Errorf("-p: exit status %d, %s, want %q", got.exit, got.stderr, want)
	}

	d := w.start(text)
	d.synchronised()
	sources := func(all ...*demo.Server) func(*status.Report) bool {
		return func(r *status.Report) bool {
			return len(r.Sources) == len(all) && !slices.ContainsFunc(all, func(s *demo.Server) bool {
				return !slices.ContainsFunc(r.Sources, func(o status.Source) bool { return o.Address == host(s) && o.Counters.Valid > 0 })
			})
		}
	}
	d.until("both sources", sources(fixed, learnt))
	w.write("sources.d/eth0.sources", directive(later))
	w.write("conf.d/own.conf", directive(fixed)+directive(learnt)+"ntsdumpdir "+w.run+"\n")
	d.ask("reload", "sources")
	d.until("the new source", sources(fixed, later))
	_ = d.cmd.Process.Signal(syscall.SIGHUP)
	d.until("all sources", sources(fixed, learnt, later))
}
