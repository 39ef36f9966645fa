package archtest

import (
	"slices"
	"strings"
	"testing"
)

// layer is a row of the table of layers: a package may import packages of
// lower rows, and packages that stand before it in its own row.
type layer struct {
	name     string
	packages []string
}

// layers lists every package, lowest first. A new package is entered here
// before it compiles.
func layers() []layer {
	return []layer{
		{"L0 the values", []string{"clock", "ntptime", "order"}},
		{"L1 the formats", []string{"cmac", "siv", "wire", "wording", "mac", "nts", "uci", "leaplist", "hostname", "refdata"}},
		{"L2 the decisions", []string{"event", "filter", "selection", "discipline", "refclock", "symmetric", "middlebox", "standing", "backoff", "interleave", "assoc", "upstream", "smooth", "local", "memory", "names", "sources", "bootstrap", "snapshot", "engine", "server"}},
		{"L3 the daemon", []string{"config/value", "config", "foreign", "history", "status", "advice", "tables", "ntpq", "mode6", "statlog", "control", "rpcd", "probe", "metrics", "backlog", "terminal", "logbook", "ctl", "daemon", "cmdmon", "responder"}},
		{"L4 the world", []string{"linux/sysclock", "linux/udp", "linux/hwclock", "linux/refclock", "linux/serving", "linux/links", "linux/sandbox", "linux/cmdport", "linux/resident", "ntske", "resolve", "store", "lanca", "ubus", "openwrt"}},
		{"L5 the assembly", []string{"timeserver"}},
		{"tests and demonstration", []string{"plot", "po", "linetab", "linetab/crash", "demo", "sim", "sim/scenario", "sim/boot", "archtest", "interop", "acceptance", "vmtest", "vmtest/guest", "status/captured", "ubus/tape", "router", "router/standin"}},
	}
}

// core names the packages of layers 0 to 2: deterministic, without I/O.
func core() []string {
	var names []string
	for _, l := range layers()[:3] {
		names = append(names, l.packages...)
	}
	return names
}

func rank(pkg string) int {
	n := 0
	for _, l := range layers() {
		for _, p := range l.packages {
			if p == pkg {
				return n
			}
			n++
		}
	}
	return -1
}

// level is the index of the layer that holds pkg, or -1.
func level(pkg string) int {
	return slices.IndexFunc(layers(), func(l layer) bool { return slices.Contains(l.packages, pkg) })
}

func TestImportsGoDown(t *testing.T) {
	for _, f := range sources(t) {
		pkg, inside := strings.CutPrefix(f.dir, "internal/")
		if !inside || f.test {
			continue
		}
		if rank(pkg) < 0 {
			t.Errorf("%s: package %s stands in no layer: enter it in archtest", f.path, pkg)
			continue
		}
		for _, imp := range f.imports() {
			target, ours := strings.CutPrefix(imp, "ntsd/internal/")
			if ours && rank(target) >= rank(pkg) {
				t.Errorf("%s imports %s, which is not below it", f.path, target)
			}
			// The world is reached through interfaces that the daemon
			// declares; it knows the core's types, never the daemon.
			if ours && level(pkg) == 4 && level(target) == 3 {
				t.Errorf("%s: layer 4 imports %s of layer 3", f.path, target)
			}
		}
	}
}
