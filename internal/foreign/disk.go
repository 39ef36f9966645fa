package foreign

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Disk is the real one.
type Disk struct{}

// ReadFile returns the contents of a file: of a long one a little more than
// counts. It waits for no pipe.
func (Disk) ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeCharDevice != 0: // /dev/null stands where a file is to be left out
		return nil, nil
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is not a file")}
	}
	return io.ReadAll(io.LimitReader(f, maxText+1))
}

// ReadDir returns the names in a folder.
func (Disk) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Glob returns the files whose names match a pattern, sorted. As in a shell a
// name with a dot in front is matched by none without.
func (Disk) Glob(pattern string) ([]string, error) {
	all, err := filepath.Glob(pattern)
	var files []string
	for _, f := range all {
		if strings.HasPrefix(filepath.Base(pattern), ".") || !strings.HasPrefix(filepath.Base(f), ".") {
			files = append(files, f)
		}
	}
	return files, err
}
