package linetab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"ntsd/internal/interop"
)

// crash builds crash as the daemon is built for routers.
func crash(t *testing.T, arch string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crash")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-gcflags=all=-l", "-o", path, "./crash")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOMIPS=softfloat", "GOFLAGS=-trimpath")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// TestBlank: a blanked program does what the runtime's tables are for (collections,
// stacks that grow, recover), and of the trace of its crash the line can be found.
func TestBlank(t *testing.T) {
	emulators := map[string][]string{
		"arm64": {"qemu-aarch64-static"},
		"mips":  {"qemu-mips-static", "-cpu", "24Kc"},
	}
	emulators[runtime.GOARCH] = nil // which may be one of those
	for arch, emulator := range emulators {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			if arch != runtime.GOARCH {
				if _, err := exec.LookPath(emulator[0]); err != nil {
					interop.Unavailable(t, "%v", err)
				}
			}
			path := crash(t, arch)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			after := bytes.Clone(before)
			if err := Blank(after); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, after, 0o755); err != nil {
				t.Fatal(err)
			}
			args := append(emulator[:len(emulator):len(emulator)], path)
			out, _ := exec.Command(args[0], args[1:]...).CombinedOutput() // it crashes
			text := string(out)
			if !strings.HasPrefix(text, "sound\n") || strings.Contains(text, ".go:") {
				t.Errorf("got\n%s", text)
			}
			m := regexp.MustCompile(`(?m)^main\.third\(.*\n\t\?:0 (\+0x[0-9a-f]+)`).FindStringSubmatch(text)
			if m == nil {
				t.Fatalf("no trace with main.third:\n%s", text)
			}
			if got, err := Position(before, "main.third", m[1]); err != nil || !strings.HasSuffix(got, theCrash(t)) {
				t.Errorf("Position = %q, %v, want %s", got, err, theCrash(t))
			}
			if got, err := Position(after, "main.third", m[1]); err == nil {
				t.Errorf("blanked: Position = %q, want an error", got)
			}
		})
	}
}

// theCrash is where the program crashes: main.go:LINE.
func theCrash(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("crash/main.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), "// the crash")
	if !ok {
		t.Fatal("no line is marked")
	}
	return fmt.Sprintf("main.go:%d", 1+strings.Count(before, "\n"))
}

// section is one with a function that has tables of both sorts: its line at 1, its
// stack pointer at 6.
func section(order binary.AppendByteOrder) []byte {
	var b []byte
	b = order.AppendUint32(b, magic)
	b = append(b, 0, 0, 4, 4)
	const head = 8 + 4*headWords
	for _, v := range []uint32{1, 1, 0, head, head + 8, head + 12, head + 20, head + 32} {
		b = order.AppendUint32(b, v)
	}
	b = append(b, "main.f\x00\x00unit\x00a.go\x00\x00\x00"...)
	b = append(b, 0, 2, 10, 2, 20, 0, 4, 0x82, 1, 0, 0, 0)
	for _, v := range []uint32{0, 12, 64} { // the entry, and the end
		b = order.AppendUint32(b, v)
	}
	for _, v := range []uint32{0, 0, 0, 0, 6, 1, 1, 0, 3, 17, 0} { // the description
		b = order.AppendUint32(b, v)
	}
	return b
}

func TestBlankedSection(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := section(order)
		tab, err := parse(b, order.(binary.ByteOrder))
		if err != nil {
			t.Fatal(err)
		}
		if err := tab.blank(); err != nil {
			t.Fatal(err)
		}
		if want := []byte{0, 0, 0, 0, 0, 0, 4, 0x82, 1, 0, 0, 0}; !bytes.Equal(tab.pcs, want) {
			t.Errorf("%v: tables % x, want % x", order, tab.pcs, want)
		}
		if d := tab.funcs[12:]; tab.word(d[funcStackPointer:]) != 6 || tab.word(d[funcFile:]) != 0 || tab.word(d[funcLine:]) != 0 {
			t.Errorf("%v: description % x", order, d)
		}
		if bytes.Contains(b, []byte("a.go")) || !bytes.Contains(b, []byte("main.f")) {
			t.Errorf("%v: names %q", order, b)
		}
	}
}

// TestOtherForm: what is not as expected is refused and left as it is.
func TestOtherForm(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"magic":                func(b []byte) []byte { b[0]++; return b },
		"word size":            func(b []byte) []byte { b[7] = 2; return b },
		"too short":            func(b []byte) []byte { return b[:20] },
		"parts out of order":   func(b []byte) []byte { b[8+4*headPCs]++; b[8+4*headUnits] += 50; return b },
		"a field more":         func(b []byte) []byte { b[len(b)-1] = 1; return b },
		"a gap":                func(b []byte) []byte { b[8+4*headWords+32+4]++; return b },
		"a table without end":  func(b []byte) []byte { b[8+4*headWords+20+9] = 0x80; return b },
		"a table outside":      func(b []byte) []byte { b[8+4*headWords+32+12+funcStackPointer] = 99; return b },
		"more functions":       func(b []byte) []byte { b[8] = 9; return b },
		"many kinds of tables": func(b []byte) []byte { b[8+4*headWords+32+12+funcTables] = 200; return b },
	} {
		b := change(section(binary.LittleEndian))
		was := bytes.Clone(b)
		tab, err := parse(b, binary.LittleEndian)
		if err == nil {
			err = tab.blank()
		}
		if err == nil || !bytes.Equal(b, was) {
			t.Errorf("%s: %v, changed: %v", name, err, !bytes.Equal(b, was))
		}
	}
	if err := Blank([]byte("no program")); err == nil {
		t.Error("a text was taken for a program")
	}
}

// FuzzSection: no section makes it panic or write elsewhere.
func FuzzSection(f *testing.F) {
	f.Add(section(binary.LittleEndian), false)
	f.Add(section(binary.BigEndian), true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		order := binary.ByteOrder(binary.LittleEndian)
		if big {
			order = binary.BigEndian
		}
		tab, err := parse(b, order)
		if err != nil {
			return
		}
		head := bytes.Clone(b[:8+headWords*tab.align])
		_ = tab.blank() // it may be refused
		if !bytes.Equal(head, b[:len(head)]) {
			t.Error("the header was changed")
		}
	})
}
