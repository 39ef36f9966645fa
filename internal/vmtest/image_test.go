package vmtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// archive is an initial file system in the kernel's "newc" format
// (Documentation/driver-api/early-userspace/buffer-format.rst). The zero value
// is empty.
type archive struct {
	buf     bytes.Buffer
	folders map[string]bool
	inode   int
}

// Modes of the archive's entries.
const (
	modeFolder = 0o040755
	modeFile   = 0o100755
	modeLink   = 0o120777
)

func (a *archive) addFile(name, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	a.addFolder(filepath.Dir(name))
	a.add(name, modeFile, data)
	return nil
}

func (a *archive) addLink(name, target string) { a.add(name, modeLink, []byte(target)) }

func (a *archive) addFolder(name string) {
	if name == "." || a.folders[name] {
		return
	}
	if a.folders == nil {
		a.folders = map[string]bool{}
	}
	a.folders[name] = true
	a.add(name, modeFolder, nil)
}

func (a *archive) add(name string, mode int, data []byte) {
	a.inode++
	a.buf.WriteString("070701")
	for _, field := range []int{a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
		fmt.Fprintf(&a.buf, "%08X", field)
	}
	a.buf.WriteString(name + "\x00")
	a.pad()
	a.buf.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}

// bytes returns the whole archive, with its end.
func (a *archive) bytes() []byte {
	a.addFolder("dev")
	a.add("TRAILER!!!", 0, nil)
	return a.buf.Bytes()
}

// flash is a disk image with an ext4 file system: the router's /etc.
type flash struct {
	t    testing.TB
	path string
}

// flashFile is a file that the flash has from the start.
type flashFile struct {
	path string
	data string
	at   time.Time
}

// newFlash makes an image of some megabytes with the files.
func newFlash(t testing.TB, megabytes int, files ...flashFile) *flash {
	t.Helper()
	root, image := t.TempDir(), newImage(t)
	for _, f := range files {
		path := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.data), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, f.at, f.at); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-d", root, image, fmt.Sprintf("%dM", megabytes)).CombinedOutput()
	if err != nil {
		t.Fatalf("mke2fs: %v: %s", err, out)
	}
	return &flash{t: t, path: image}
}

// newImage returns the path of an image to be. The test's name is not in it:
// qemu takes commas for the end of a path.
func newImage(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ntsd-flash-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "flash")
}

// copy returns a copy of the image as it is now, checked and repaired as a
// kernel would at the next start.
func (f *flash) copy() *flash {
	f.t.Helper()
	data, err := os.ReadFile(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	c := &flash{t: f.t, path: newImage(f.t)}
	c.become(data)
	return c
}

// become gives the image another content and repairs it.
func (f *flash) become(data []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path, data, 0o644); err != nil {
		f.t.Fatal(err)
	}
	out, err := exec.Command("e2fsck", "-p", f.path).CombinedOutput()
	var status *exec.ExitError
	// 1: something was repaired, as the journal is after a power cut.
	if err != nil && !(errors.As(err, &status) && status.ExitCode() == 1) {
		f.t.Fatalf("e2fsck: %v: %s", err, out)
	}
}

// The log of writes that qemu makes is that of dm-log-writes (the kernel's
// Documentation/admin-guide/device-mapper/log-writes.rst): a superblock, then
// entries with their data, each on a sector boundary, little-endian.
const (
	sectorSize  = 512
	logMagic    = 0x6a736677736872
	logDiscard  = 4
	logEntryLen = 32
)

// replay calls f with the flash as it was after each of the writes in the log,
// and how long the log was by then. It returns their number.
func (f *flash) replay(log string, each func(at int64, cut *flash)) int {
	f.t.Helper()
	image, err := os.ReadFile(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		f.t.Fatal(err)
	}
	if len(b) < sectorSize || binary.LittleEndian.Uint64(b) != logMagic {
		f.t.Fatalf("%s: no log of writes in %d bytes", log, len(b))
	}
	n := 0
	cut := &flash{t: f.t, path: newImage(f.t)}
	for at := sectorSize; at+sectorSize <= len(b); {
		entry := b[at : at+logEntryLen]
		sector, sectors := binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint64(entry[8:])
		flags, size := binary.LittleEndian.Uint64(entry[16:]), int(sectors)*sectorSize
		at += sectorSize
		if flags&logDiscard != 0 || sectors == 0 {
			continue
		}
		if at+size > len(b) || int(sector)*sectorSize+size > len(image) {
			f.t.Fatalf("%s: broken at %d", log, at)
		}
		copy(image[sector*sectorSize:], b[at:at+size])
		at += size
		n++
		cut.become(image)
		each(int64(at), cut)
	}
	return n
}

// read returns the content of a file, or nothing where there is none. The image
// must not be in use.
func (f *flash) read(path string) string {
	f.t.Helper()
	out, err := exec.Command("debugfs", "-R", "cat "+path, f.path).Output()
	if err != nil {
		f.t.Fatalf("debugfs: %v", err)
	}
	return string(out)
}
