package foreign

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ntsd/internal/config"
)

// disk is a disk in memory: texts by their names.
type disk map[string]string

func (d disk) ReadFile(name string) ([]byte, error) {
	text, found := d[name]
	if !found {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func (d disk) ReadDir(name string) ([]string, error) {
	var names []string
	for file := range d {
		if rest, inside := strings.CutPrefix(file, name+"/"); inside {
			names = append(names, rest)
		}
	}
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return names, nil
}

func (d disk) Glob(pattern string) ([]string, error) {
	var files []string
	for _, file := range slices.Sorted(maps.Keys(d)) {
		if is, err := path.Match(pattern, file); err != nil {
			return nil, err
		} else if is {
			files = append(files, file)
		}
	}
	return files, nil
}

// load loads a file that names no others.
func load(file string, read func(string) ([]byte, error)) (*config.Config, []config.Diagnostic) {
	return NewLoader(file, read, disk{}).Load()
}

// names lists the sources of a configuration, in their order.
func names(c *config.Config) string {
	var all []string
	for _, s := range append(c.Sources, c.Peers...) {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

func TestInclude(t *testing.T) {
	deep := disk{}
	for i := range 12 {
		deep[fmt.Sprintf("/d%d", i)] = fmt.Sprintf("server d%d.example\ninclude /d%d\n", i, i+1)
	}
	for _, tt := range []struct {
		what, file, text string
		disk             disk
		sources          string
		said             []string
	}{
		{
			"a file in its place", "/etc/chrony.conf", "server a.example\ninclude /b\nserver c.example minpoll 99\n",
			disk{"/b": "server b.example\n\nserver x bad\n"},
			"a.example b.example",
			[]string{
				"error: /b:3: server: the keyword 'bad' is not known",
				"error: /etc/chrony.conf:3: server: option 'minpoll' '99': must be a whole number from -7 to 24",
			},
		},
		{
			"a pattern", "/etc/chrony.conf", "include /c/*.conf\ninclude /none/*.conf\nserver z.example\n",
			disk{"/c/2.conf": "server b.example", "/c/1.conf": "server a.example", "/c/x": "server x.example"},
			"a.example b.example z.example", nil,
		},
		{
			"none", "/etc/chrony.conf", "server a.example\ninclude /none\ninclude\n", nil, "a.example",
			[]string{
				"error: /etc/chrony.conf:2: include: '/none' cannot be read: file does not exist",
				"error: /etc/chrony.conf:3: include: takes 1 argument, not 0",
			},
		},
		{
			"itself", "/etc/chrony.conf", "server a.example\ninclude /b\n",
			disk{"/b": "include /c\n", "/c": "server c.example\ninclude /etc/../b\nserver d.example"},
			"a.example c.example d.example",
			[]string{"error: /c:2: include: '/etc/../b' includes itself"},
		},
		{
			"too deep", "/etc/chrony.conf", "include /d0\n", deep, "d0.example d1.example d2.example d3.example d4.example d5.example d6.example d7.example d8.example d9.example",
			[]string{"error: /d9:2: include: '/d10' is included too deep: the limit is 10"},
		},
		{
			"too much", "/etc/chrony.conf", "include /a\ninclude /b\n",
			disk{"/a": strings.Repeat("#", maxText-5), "/b": "server b.example"},
			"",
			[]string{"error: /etc/chrony.conf:2: include: '/b' is too much: the limit of all files together is 1048576 bytes"},
		},
		{
			"folders", "/etc/chrony.conf", "confdir /etc/c /usr/c /none\nserver z.example\n",
			disk{"/usr/c/10-a.conf": "server a.example", "/usr/c/20-b.conf": "server theirs.example", "/etc/c/20-b.conf": "server ours.example", "/etc/c/30.sources": "server x.example", "/etc/c/.z.conf": "server y.example"},
			"a.example ours.example z.example", nil,
		},
		{
			"eleven", "/etc/chrony.conf", "confdir 1 2 3 4 5 6 7 8 9 10 11\nsourcedir\n", nil, "",
			[]string{
				"error: /etc/chrony.conf:1: confdir: takes 1 to 10 folders, not 11",
				"error: /etc/chrony.conf:2: sourcedir: takes 1 to 10 folders, not 0",
			},
		},
		{
			"sources", "/etc/chrony.conf", "sourcedir /run/dhcp /etc/s\nserver a.example\n",
			disk{
				"/run/dhcp/eth0.sources": "server d.example iburst\nserver A.example\npool d.example\nserver\n", "/etc/s/eth0.sources": "server x.example\n",
				"/etc/s/own.sources": "makestep 1 3\n# more\nserver o.example\nserver p.example minpoll 99\nserver q.exam",
			},
			"a.example d.example o.example",
			[]string{
				"warning: /run/dhcp/eth0.sources:4: server: option 'hostname' is missing; left out",
				"warning: /etc/s/own.sources:1: makestep: only server, pool and peer can stand here; left out",
				"warning: /etc/s/own.sources:4: server: option 'minpoll' '99': must be a whole number from -7 to 24; left out",
				"warning: /etc/s/own.sources:5: is cut off: no newline ends it; left out",
			},
		},
		{
			"ntpsec", "/etc/ntpsec/ntp.conf", "includefile more\nserver a.example\nincludefile \"/c\"\nincludefile none\n",
			disk{
				"/etc/ntpsec/more": "server m.example # here\nincludefile less\n", "/etc/ntpsec/less": "server l.example", "/c/1.conf": "server c.example", "/c/2": "server x.example",
				"/etc/ntpsec/ntp.d/own.conf": "server o.example\nserver",
			},
			"m.example l.example a.example c.example o.example",
			[]string{
				"warning: /etc/ntpsec/ntp.conf:4: includefile: '/etc/ntpsec/none' cannot be read: file does not exist",
				"error: /etc/ntpsec/ntp.d/own.conf:2: server: names no host",
			},
		},
	} {
		c, ds := NewLoader(tt.file, given(tt.text), tt.disk).Load()
		if got := names(c); got != tt.sources {
			t.Errorf("%s: got sources %s, want %s", tt.what, got, tt.sources)
		}
		diff(t, tt.what, lines(ds), tt.said)
	}
}

// TestNotOurDisk: where a text comes from elsewhere, files of this machine are
// none of its business.
func TestNotOurDisk(t *testing.T) {
	for file, text := range map[string]string{"chrony.conf": "include /etc/passwd\nconfdir /etc\nsourcedir /etc\ninclude /*\n", "ntp.conf": "includefile /etc/passwd\n"} {
		_, ds := Import(file, []byte(text), nil)
		want := strings.Count(text, "\n")
		if got := strings.Count(strings.Join(lines(ds), "\n"), "warning:"); got != want || len(ds) != want || !strings.Contains(ds[0].Message, "is not read here") {
			t.Errorf("%s: got %s, want %d warnings", file, strings.Join(lines(ds), "\n"), want)
		}
	}
	if _, ds := ParseDirectives([]string{"include /etc/passwd"}, nil); len(ds) != 1 || config.HasErrors(ds) {
		t.Errorf("directive: got %v", ds)
	}
}

// TestManyFiles: their number is bounded, and what is said of a folder of
// rubbish does not make the rest unusable.
func TestManyFiles(t *testing.T) {
	d := disk{}
	for i := range 2 * maxFiles {
		d[fmt.Sprintf("/s/%04d.sources", i)] = "rubbish\n"
	}
	c, ds := NewLoader("/etc/chrony.conf", given("server a.example\nsourcedir /s\n"), d).Load()
	if config.HasErrors(ds) || names(c) != "a.example" || len(ds) > 101 {
		t.Errorf("got %s, %d diagnostics, errors %v", names(c), len(ds), config.HasErrors(ds))
	}
	d = disk{}
	for i := range maxFiles + 1 {
		d[fmt.Sprintf("/c/%04d.conf", i)] = "# nothing\n"
	}
	_, ds = NewLoader("/etc/chrony.conf", given("confdir /c\n"), d).Load()
	diff(t, "files", lines(ds), []string{"error: /etc/chrony.conf:1: confdir: '/c/0256.conf' is one file too many: the limit is 256"})
}

// TestLoader: a reload reads everything, one of sources only what other programs
// write; what was refused stays out.
func TestLoader(t *testing.T) {
	d := disk{"/c/a.conf": "server a.example\n", "/s/x.sources": "server x.example\n"}
	text := "confdir /c\nsourcedir /s\n"
	l := NewLoader("/etc/chrony.conf", func(string) ([]byte, error) { return []byte(text), nil }, d)
	all := func() string { c, _ := l.Load(); return names(c) }
	sources := func() string {
		c, _, found := l.LoadSources()
		if !found {
			return "none"
		}
		return names(c)
	}
	step := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	step("before", sources(), "none")
	step("start", all(), "a.example x.example")
	l.Keep()
	d["/c/a.conf"], d["/c/b.conf"], d["/s/y.sources"] = "server aa.example\n", "server b.example\n", "server y.example\n"
	delete(d, "/s/x.sources")
	step("sources", sources(), "a.example y.example")
	l.Keep()
	step("all, refused", all(), "aa.example b.example y.example")
	step("sources after it", sources(), "a.example y.example")
	l.Keep()
	step("and again", sources(), "a.example y.example")
	step("all", all(), "aa.example b.example y.example")
	l.Keep()
	step("sources", sources(), "aa.example b.example y.example")
	text = "server only.example\n"
	step("without folders", all(), "only.example")
	l.Keep()
	step("no folder", sources(), "none")
}

// TestImportOfFolders: sources for good are taken over, those of DHCP become the
// section for them, and others that pass are named.
func TestImportOfFolders(t *testing.T) {
	d := disk{"/run/chrony-dhcp/e.sources": "server d.example\n", "/etc/s/o.sources": "server o.example\n", "/var/run/x/p.sources": "server p.example\n"}
	p, ds := Import("chrony.conf", []byte("sourcedir /run/chrony-dhcp /etc/s\nserver a.example\nsourcedir /var/run/x\n"), d)
	c, _ := config.FromTranslation(p, nil, nil)
	if got := names(c); got != "a.example o.example" || c.DHCP == nil || !c.DHCP.IBurst {
		t.Errorf("got sources %s, DHCP %+v", got, c.DHCP)
	}
	diff(t, "diagnostics", lines(ds), []string{"warning: chrony.conf:3: sourcedir: '/var/run/x' lasts until the next start only: what stands there is left out"})
	if _, ds := Import("chrony.conf", []byte("sourcedir /run/x\n"), nil); len(ds) != 1 {
		t.Errorf("of a text: got %v", ds)
	}
}

// TestUsableWithoutSources: at boot DHCP has named none yet.
func TestUsableWithoutSources(t *testing.T) {
	c, ds := load("/etc/chrony.conf", given("sourcedir /run/chrony-dhcp\n"))
	if len(ds) > 0 || !c.Usable() {
		t.Errorf("got %v, usable %v", ds, c.Usable())
	}
}

// TestDistributions: what Debian and Fedora ship works as it stands, and what has
// no equivalent is named with its line.
func TestDistributions(t *testing.T) {
	for _, tt := range []struct {
		file    string
		sources string
		said    []string
	}{
		{"debian/chrony.conf", "2.debian.pool.ntp.org near.example", []string{
			"warning: debian/chrony.conf:16: maxupdateskew: has no equivalent and is ignored",
			"warning: debian/chrony.conf:21: leapsectz: has no equivalent and is ignored; leapseclist names a file that says the same",
		}},
		{"fedora/chrony.conf", "2.fedora.pool.ntp.org", nil},
		{"debian/ntp.conf", "0.debian.pool.ntp.org 1.debian.pool.ntp.org 2.debian.pool.ntp.org 3.debian.pool.ntp.org gps.example", []string{
			"warning: debian/ntp.conf:4: tos: the keyword 'maxclock' has no equivalent and is ignored",
			"warning: debian/ntp.conf:5: tos: the keyword 'minclock' has no equivalent and is ignored",
		}},
	} {
		d := disk{}
		for _, file := range []string{"debian/conf.d/README", "debian/conf.d/step.conf", "debian/sources.d/near.sources", "debian/ntp.d/gps.conf"} {
			text, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			d[file] = string(text)
		}
		c, ds := NewLoader(tt.file, func(string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", tt.file)) }, d).Load()
		diff(t, tt.file, lines(ds), tt.said)
		if got := names(c); got != tt.sources || !c.Usable() {
			t.Errorf("%s: got sources %s, want %s", tt.file, got, tt.sources)
		}
		checkPrint(t, c)
	}
}

// TestLeapZone: the list of leap seconds beside the time zones, where there is one.
func TestLeapZone(t *testing.T) {
	for _, c := range []struct {
		disk Files
		want string
		said int
	}{{disk{leapList: "#@ 4070908800"}, leapList, 0}, {disk{}, "", 1}} {
		conf, ds := NewLoader("/etc/chrony.conf", given("server a.example\nleapsectz right/UTC\n"), c.disk).Load()
		if conf.SystemClock.LeapFile != c.want || len(ds) != c.said {
			t.Errorf("got %q, %v, want %q", conf.SystemClock.LeapFile, ds, c.want)
		}
	}
}

// TestChronydsFolder: chronyd's own files are left alone, and ntsctl finds the daemon.
func TestChronydsFolder(t *testing.T) {
	for dir, want := range map[string]string{"/var/lib/chrony": config.DefaultRunDir, "/var/run/chrony": config.DefaultRunDir, "/srv/nts": "/srv/nts"} {
		if c, ds := load("/etc/chrony.conf", given("server a.example\nntsdumpdir "+dir+"\n")); c.Main.RunDir != want || len(ds) > 0 {
			t.Errorf("%s: got %s, %v, want %s", dir, c.Main.RunDir, ds, want)
		}
	}
}

// TestChronycFindsIt: with a chrony.conf chronyc is answered where it asks chronyd;
// what is written down, or stands on a command line, opens nothing by itself.
func TestChronycFindsIt(t *testing.T) {
	usual := config.Default().Monitor
	for text, want := range map[string]config.Monitor{
		"server a.example": {ChronySocket: "/var/run/chrony/chronyd.sock", ChronyPort: 323},
		"cmdport 0":        {ChronySocket: "/var/run/chrony/chronyd.sock"},
		"bindcmdaddress /": {ChronySocket: "/", ChronyPort: 323},
		"bindcmdaddress /run/x/chronyd.sock\ncmdport 324": {ChronySocket: "/run/x/chronyd.sock", ChronyPort: 324},
	} {
		c, ds := load("/etc/chrony.conf", given(text))
		if c.Monitor != want || len(ds) > 0 {
			t.Errorf("%q: got %+v, %v", text, c.Monitor, ds)
		}
	}
	if c, _ := ParseDirectives([]string{"server a.example"}, nil); c.Monitor != usual {
		t.Errorf("directive: got %+v", c.Monitor)
	}
	if p, _ := Import("chrony.conf", []byte("server a.example"), nil); strings.Contains(string(p.AppendExport(nil)), "monitor") {
		t.Errorf("import: got\n%s", p.AppendExport(nil))
	}
}

// TestDisk: what stands for a file that is left out, what is none, and what a
// shell would not match either.
func TestDisk(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.conf", "a.conf", ".c.conf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "off.conf")); err != nil {
		t.Fatal(err)
	}
	files, err := Disk{}.Glob(filepath.Join(dir, "*.conf"))
	if got := strings.ReplaceAll(strings.Join(files, " "), dir+"/", ""); got != "a.conf b.conf off.conf" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if text, err := (Disk{}).ReadFile(filepath.Join(dir, "off.conf")); len(text) > 0 || err != nil {
		t.Errorf("a device: got %d bytes, %v", len(text), err)
	}
	if _, err := (Disk{}).ReadFile(dir); err == nil || reason(err) != "is not a file" {
		t.Errorf("a folder: got %v", err)
	}
	if text, err := (Disk{}).ReadFile(filepath.Join(dir, "a.conf")); string(text) != "a.conf" || err != nil {
		t.Errorf("a file: got %q, %v", text, err)
	}
	if names, err := (Disk{}).ReadDir(dir); len(names) != 4 || err != nil {
		t.Errorf("got %v, %v", names, err)
	}
}
