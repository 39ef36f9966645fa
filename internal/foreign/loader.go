package foreign

import (
	"ntsd/internal/config"
)

// Loader reads a configuration, our own, a chrony.conf or an ntp.conf, as often
// as it is asked. It is for one goroutine.
type Loader struct {
	file string
	read func(name string) ([]byte, error) // file itself
	disk Files
	last *remembered // by the latest Load
	kept *remembered // what LoadSources takes for the rest
}

// NewLoader returns a Loader of a file that read returns, which is os.ReadFile or
// what stands for it; those that it names are read from disk.
func NewLoader(file string, read func(name string) ([]byte, error), disk Files) *Loader {
	return &Loader{file: file, read: read, disk: disk}
}

// Load reads the configuration and checks it. Without a Config there is one
// diagnostic, an Error.
func (l *Loader) Load() (*config.Config, []config.Diagnostic) {
	l.last = nil
	text, err := l.read(l.file)
	read := func(name string) ([]byte, error) {
		if name == l.file {
			return text, err // a pipe can be read but once
		}
		return l.read(name)
	}
	if err != nil {
		return config.LoadFile(l.file, read)
	}
	memory := &remembered{Files: l.disk, main: text}
	t := translate(l.file, text, disks{main: memory, sources: l.disk, tools: true})
	if t == nil {
		return config.LoadFile(l.file, read)
	}
	if len(t.folders) > 0 {
		l.last = memory
	}
	return t.finish()
}

// Keep says that what Load read last is in force.
func (l *Loader) Keep() { l.kept = l.last }

// LoadSources reads the folders of sources again, and has the rest as it was when
// it came into force. It returns false where the configuration names no such
// folder.
func (l *Loader) LoadSources() (*config.Config, []config.Diagnostic, bool) {
	if l.kept == nil {
		return nil, nil, false
	}
	l.last = l.kept
	c, diagnostics := translate(l.file, l.kept.main, disks{main: l.kept, sources: l.disk, tools: true}).finish()
	return c, diagnostics, true
}

// remembered reads every file and folder once. What the texts cost is bounded by
// maxText, and a router's folders are short.
type remembered struct {
	Files
	main  []byte
	texts map[string]answer[[]byte]
	names map[string]answer[[]string]
	globs map[string]answer[[]string]
}

type answer[T any] struct {
	value T
	err   error
}

func (r *remembered) ReadFile(name string) ([]byte, error) {
	return once(&r.texts, name, r.Files.ReadFile)
}

func (r *remembered) ReadDir(name string) ([]string, error) {
	return once(&r.names, name, r.Files.ReadDir)
}

func (r *remembered) Glob(pattern string) ([]string, error) {
	return once(&r.globs, pattern, r.Files.Glob)
}

// once calls ask for each name only the first time.
func once[T any](known *map[string]answer[T], name string, ask func(string) (T, error)) (T, error) {
	if a, found := (*known)[name]; found {
		return a.value, a.err
	}
	value, err := ask(name)
	if *known == nil {
		*known = make(map[string]answer[T])
	}
	(*known)[name] = answer[T]{value, err}
	return value, err
}
