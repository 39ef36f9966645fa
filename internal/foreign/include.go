package foreign

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ntsd/internal/config"
	"ntsd/internal/uci"
)

// Files is the disk on which a configuration names further files.
type Files interface {
	// ReadFile returns the contents of a file.
	ReadFile(name string) ([]byte, error)
	// ReadDir returns the names in a folder.
	ReadDir(name string) ([]string, error)
	// Glob returns the files whose names match a pattern, sorted.
	Glob(pattern string) ([]string, error)
}

// disks are where a configuration's files are read.
type disks struct {
	main    Files // those that it includes
	sources Files // those in its folders of sources, which other programs write
	lasting bool  // what comes out is to be written down for good
	tools   bool  // chrony's tools find the daemon where they find chronyd
}

// Implementation limits of a configuration that names further files. Depth and
// folders are chrony's.
const (
	maxDepth   = 10
	maxFolders = 10
	maxFiles   = 256
	maxText    = 1 << 20 // bytes in all of them
)

// Suffixes of the files that are read in a folder.
const (
	confSuffix    = ".conf"
	sourcesSuffix = ".sources"
)

// pieces are the files that a configuration consists of.
type pieces struct {
	from     Files         // nil: no further files are read
	places   config.Places // where each begins and goes on
	path     []string      // those that are being read, the outermost first
	turned   bool          // the next line begins a place
	optional bool          // as in config.Place
	lasting  bool          // as in disks
	lines    int           // read so far
	files    int
	size     int      // bytes
	folders  []folder // of sources
}

// folder is one directive that names folders of sources.
type folder struct {
	line int
	dirs []string
}

func (p *pieces) enter(file string) { p.path, p.turned = append(p.path, absolute(file)), true }
func (p *pieces) leave()            { p.path, p.turned = p.path[:len(p.path)-1], true }

// next counts a line of the file that is being read, there the one numbered so.
func (p *pieces) next(number int, file string) int {
	p.lines++
	if p.turned {
		p.turned = false
		p.places = append(p.places, config.Place{Line: p.lines, File: file, First: number, Optional: p.optional})
	}
	return p.lines
}

// absolute returns one name for a file that can be named in several ways.
func absolute(file string) string {
	if a, err := filepath.Abs(file); err == nil {
		return a
	}
	return filepath.Clean(file)
}

// include reads files where the directive called name stands. One that is
// missing has the severity told.
func (t *translator) include(name string, missing config.Severity, files ...string) {
	at := t.line
	if t.from == nil && name != ntpFolder {
		t.note(config.Warning, name, "is not read here")
		return
	}
	for _, file := range files {
		text, severity, problem := t.take(file)
		if severity = max(severity, missing); t.optional {
			severity = config.Warning
		}
		if problem != "" {
			t.note(severity, name, config.Quote(file)+" "+problem)
			continue
		}
		t.text(file, strings.Split(text, "\n"))
		t.line = at
	}
}

// take reads one more file, or says what is wrong with it.
func (t *translator) take(file string) (text string, severity config.Severity, problem string) {
	switch {
	case slices.Contains(t.path, absolute(file)):
		return "", config.Error, "includes itself"
	case len(t.path) > maxDepth:
		return "", config.Error, "is included too deep: the limit is " + strconv.Itoa(maxDepth)
	case t.files >= maxFiles:
		return "", config.Error, "is one file too many: the limit is " + strconv.Itoa(maxFiles)
	}
	b, err := t.from.ReadFile(file)
	if err != nil {
		return "", config.Warning, "cannot be read: " + reason(err)
	}
	t.files++
	if t.size += len(b); t.size > maxText {
		return "", config.Error, "is too much: the limit of all files together is " + strconv.Itoa(maxText) + " bytes"
	}
	return string(b), config.Warning, ""
}

// reason returns what lies below the operation and the path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// includePattern handles chrony's include: a file, which must be there, or a
// pattern, which need not match any.
func (t *translator) includePattern(name string, args []string) {
	switch {
	case len(args) != 1:
		t.note(config.Error, name, "takes 1 argument, not "+strconv.Itoa(len(args)))
	case t.from == nil || !strings.ContainsAny(args[0], `*?[\`):
		t.include(name, config.Error, args[0])
	default:
		files, err := t.from.Glob(args[0])
		if err != nil {
			t.note(config.Error, name, config.Quote(args[0])+": "+err.Error())
		}
		t.include(name, config.Error, files...)
	}
}

// confDir handles confdir: the *.conf files of folders.
func (t *translator) confDir(name string, args []string) {
	if t.isFolders(name, args) {
		t.include(name, config.Error, t.search(name, args, confSuffix)...)
	}
}

// sourceDir handles sourcedir: the *.sources files of folders, which are read
// after everything else.
func (t *translator) sourceDir(name string, args []string) {
	if t.isFolders(name, args) {
		t.folders = append(t.folders, folder{t.line, args})
	}
}

func (t *translator) isFolders(name string, args []string) bool {
	if len(args) < 1 || len(args) > maxFolders {
		t.note(config.Error, name, "takes 1 to "+strconv.Itoa(maxFolders)+" folders, not "+strconv.Itoa(len(args)))
		return false
	}
	return true
}

// search returns the files of folders, in the order of their names. Of several
// with one name that in the folder named first counts, so that a file can stand
// in for one that came with a package. Folders need not be there.
func (t *translator) search(name string, dirs []string, suffix string) []string {
	if t.from == nil {
		return nil
	}
	in := make(map[string]string)
	for _, dir := range dirs {
		names, err := t.from.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.note(config.Warning, name, config.Quote(dir)+" cannot be read: "+reason(err))
		}
		for _, n := range names {
			if _, taken := in[n]; !taken && strings.HasSuffix(n, suffix) && !strings.HasPrefix(n, ".") {
				in[n] = dir
			}
		}
	}
	files := slices.Sorted(maps.Keys(in))
	for i, n := range files {
		files[i] = filepath.Join(in[n], n)
	}
	return files
}

// sources reads the folders of sources. Other programs write these files, so
// what is wrong there costs one source.
func (t *translator) sources() {
	t.optional = true
	all := t.directive
	t.directive = func(name string, args []string) {
		switch name {
		case "server", "pool", "peer":
			if !t.names(args) {
				all(name, args)
			}
		default:
			t.note(config.Error, name, "only server, pool and peer can stand here")
		}
	}
	for _, f := range t.folders {
		t.line = f.line
		if t.lasting {
			if f.dirs = slices.DeleteFunc(slices.Clone(f.dirs), t.passing); len(f.dirs) == 0 {
				continue
			}
		}
		t.include("sourcedir", config.Warning, t.search("sourcedir", f.dirs, sourcesSuffix)...)
	}
}

// passing reports whether a folder is gone with the next start: what stands there
// is not to be written down for good. Where DHCP's servers are meant they are used
// as our own configuration says it.
func (t *translator) passing(dir string) bool {
	if !strings.HasPrefix(dir, "/run/") && !strings.HasPrefix(dir, "/var/run/") {
		return false
	}
	if strings.Contains(dir, "dhcp") {
		t.add(t.once(string(config.DHCP)), "iburst", "1")
	} else {
		t.note(config.Warning, "sourcedir", config.Quote(dir)+" lasts until the next start only: what stands there is left out")
	}
	return true
}

// names reports whether the host is a source already: DHCP names servers that the
// administrator has, too, and his options count.
func (t *translator) names(args []string) bool {
	return len(args) > 0 && slices.ContainsFunc(t.pkg.Sections, func(s uci.Section) bool {
		o := s.Option("hostname")
		return o != nil && strings.EqualFold(o.Values[0], args[0])
	})
}

// ntpFolder is the folder beside ntp.conf whose *.conf files ntpsec reads after
// it.
const ntpFolder = "ntp.d"

// beside returns a file that is named relative to the folder of another.
func beside(file, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// includeFile handles ntpsec's includefile: a file, or the *.conf files of a
// folder. ntpd goes on without one that is not there.
func (t *translator) includeFile(name string, args []string) {
	if len(args) != 1 {
		t.note(config.Error, name, "takes 1 argument, not "+strconv.Itoa(len(args)))
		return
	}
	file := beside(t.path[len(t.path)-1], strings.Trim(args[0], `"`))
	if t.from != nil {
		if _, err := t.from.ReadDir(file); err == nil {
			t.include(name, config.Warning, t.search(name, []string{file}, confSuffix)...)
			return
		}
	}
	t.include(name, config.Warning, file)
}
