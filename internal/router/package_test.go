package router

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ntsd/internal/config"
	"ntsd/internal/event"
)

var update = flag.Bool("update", false, "write testdata/contents anew") //nolint:gochecknoglobals // a flag

// built is the folder of packages that the tests share.
var built struct { //nolint:gochecknoglobals // made once, by the first test that wants it
	once sync.Once
	dir  string
	err  error
}

// packages returns a folder of packages that were made of a binary that is none,
// the .apk by a stand-in for apk-tools, which may not be installed here.
func packages(t *testing.T) string {
	t.Helper()
	built.once.Do(func() { built.dir, built.err = pack(filepath.Dir(standins)) })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func pack(dir string) (string, error) {
	for _, arch := range []string{"mips", "amd64", "arm64"} {
		if err := os.WriteFile(filepath.Join(dir, "ntsd-"+arch), []byte("binary for "+arch+"\n"), 0o755); err != nil {
			return "", err
		}
	}
	tool, err := os.ReadFile("testdata/apktool")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "bin")
	if err := errors.Join(os.Mkdir(bin, 0o755), os.WriteFile(filepath.Join(bin, "apk"), tool, 0o755)); err != nil {
		return "", err
	}
	cmd := exec.Command("../../scripts/package.sh", "1.2.3-r1", "mips=mips_24kc")
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1234567890", "BUILD="+dir, "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "packages"), nil
}

// members returns the contents of a gzipped tar archive by name, and a line for
// each: mode, owner, name.
func members(t *testing.T, archive []byte) (contents map[string][]byte, list string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	contents = make(map[string][]byte)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return contents, list
		}
		if err != nil {
			t.Fatal(err)
		}
		if contents[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 1234567890 {
			t.Errorf("%s: time %v, want that of the commit", h.Name, h.ModTime)
		}
		line := fmt.Sprintf("%s %d/%d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Name)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		list += line + "\n"
	}
}

// TestPackage: what is in the .ipk, who owns it, what opkg is told of it; and
// the same bytes when it is built again.
func TestPackage(t *testing.T) {
	dir := packages(t)
	const name = "mips_24kc/ntsd-go_1.2.3-r1_mips_24kc.ipk"
	ipk, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	outer, list := members(t, ipk)
	got := list
	for _, part := range []string{"./control.tar.gz", "./data.tar.gz"} {
		_, list := members(t, outer[part])
		got += "\n" + part + "\n" + list
	}
	control, _ := members(t, outer["./control.tar.gz"])
	got += "\n" + string(control["./control"])
	compare(t, "testdata/contents", got)
	second, err := pack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(second, name))
	if err != nil || !bytes.Equal(again, ipk) {
		t.Errorf("built again: %d bytes, %v, want the same %d bytes", len(again), err, len(ipk))
	}
}

// TestFeed: opkg finds the package by the index, with its size and hash.
func TestFeed(t *testing.T) {
	dir := filepath.Join(packages(t), "mips_24kc")
	index, err := os.ReadFile(filepath.Join(dir, "Packages"))
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(filepath.Join(dir, "ntsd-go_1.2.3-r1_mips_24kc.ipk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Package: ntsd-go", "Version: 1.2.3-r1", "Depends: ca-bundle", "Architecture: mips_24kc", "Require-User: ntp=123:ntp=123",
		"Filename: ntsd-go_1.2.3-r1_mips_24kc.ipk", fmt.Sprintf("Size: %d", fi.Size()),
	} {
		if !strings.Contains("\n"+string(index), "\n"+line+"\n") {
			t.Errorf("no %q in\n%s", line, index)
		}
	}
}

// TestShippedConfig: what the packages bring along is sound, asks three
// operators with NTS, trusts no plain source more, and serves the LAN only.
func TestShippedConfig(t *testing.T) {
	text, err := os.ReadFile(files + "/etc/config/ntsd")
	if err != nil {
		t.Fatal(err)
	}
	c, diagnostics := config.Load("/etc/config", func(string) ([]byte, error) { return text, nil })
	if len(diagnostics) > 0 {
		t.Errorf("got diagnostics %v", diagnostics)
	}
	operators := make(map[string]bool)
	for _, s := range c.Sources {
		if !s.NTS || s.NoVal || s.Family != event.FamilyAny {
			t.Errorf("%s: got %+v, want NTS by both address families", s.Name, s)
		}
		operators[s.Operator] = true
	}
	if len(operators) < 3 {
		t.Errorf("got operators %v, want three", operators)
	}
	if c.Selection.AuthMode != config.AuthMix || c.Bootstrap.Mode != config.BootstrapLadder || c.DHCP == nil {
		t.Errorf("got %s, %s, DHCP %v", c.Selection.AuthMode, c.Bootstrap.Mode, c.DHCP)
	}
	if len(c.Allow) != 1 || len(c.Allow[0].Interfaces) != 1 || c.Allow[0].Interfaces[0] != "lan" {
		t.Errorf("got allow %v, want the LAN", c.Allow)
	}
}

// compare holds a text against a golden file.
func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
	}
}
