package vmtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/interop"
	"ntsd/internal/linetab"
)

// What the environment says.
const (
	// wantedArch is the architecture of the machines, as Go calls it: arm64 if
	// empty, or arm, whose kernel has 32 bits.
	wantedArch = "NTSD_VM_ARCH"
	// wanted is set by those who want machines to be started: "ci" for the
	// quick scenarios, "all" for all.
	wanted = "NTSD_VM"
	// moved marks a process that has namespaces of its own.
	moved = "NTSD_VM_MOVED"
)

// board is a kind of machine.
type board struct {
	arch    string // as Go calls it
	qemu    string
	machine string
	cpu     string
	bus     string // of virtio's devices, as qemu ends their names
	serial  string // the kernel's name for the serial line
	chip    string // the function that starts the real-time clock's driver
}

// boards are those that the tests know; the first is what they take if not told
// otherwise.
func boards() []board {
	return []board{
		{"arm64", "qemu-system-aarch64", "virt", "cortex-a53", "device", "ttyAMA0", "pl031_driver_init"},
		{"arm", "qemu-system-arm", "virt", "cortex-a15", "device", "ttyAMA0", "pl031_driver_init"},
		// Its kernel is yours to build: big endian, with ext4, PCI and virtio
		// built in, as build/vm-mips/vmlinuz. One of 32 bits hangs before it
		// runs anything when its clock chip says 2099.
		{"mips", "qemu-system-mips", "malta", "24Kc", "pci,romfile=", "ttyS0", "cmos_init"},
	}
}

func chooseBoard(arch string) (board, error) {
	for _, b := range boards() {
		if arch == "" || arch == b.arch {
			return b, nil
		}
	}
	return board{}, fmt.Errorf("%s=%s: no such machine", wantedArch, arch)
}

// parts are what machines are made of, the same for all tests.
type parts struct {
	board   board
	kernel  string // path
	initrd  string // path: init, drivers, programs
	builtAt time.Time
}

var machineParts parts //nolint:gochecknoglobals // TestMain has no other way to tell the tests

func TestMain(m *testing.M) {
	if os.Getenv(wanted) == "" {
		os.Exit(m.Run())
	}
	if os.Getenv(moved) == "" {
		os.Exit(moveToOwnWorld())
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmtest:", err)
		code = 1
	}
	os.Exit(code)
}

// moveToOwnWorld runs this program again where it is alone with its loopback
// interface and has no power over the machine's clock.
func moveToOwnWorld() int {
	self := exec.Command(os.Args[0], os.Args[1:]...)
	self.Env = append(os.Environ(), moved+"=1")
	self.Stdin, self.Stdout, self.Stderr = os.Stdin, os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err := self.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "vmtest: a namespace of its own:", err)
	return 1
}

func runTests(m *testing.M) (int, error) {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", network, "dev", "lo"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	dir, err := os.MkdirTemp("", "ntsd-vm-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if machineParts, err = makeParts(dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// makeParts compiles the programs and puts the initial file system together.
func makeParts(dir string) (parts, error) {
	b, err := chooseBoard(os.Getenv(wantedArch))
	if err != nil {
		return parts{}, err
	}
	vm, err := filepath.Abs("../../build/vm-" + b.arch)
	if err != nil {
		return parts{}, err
	}
	p := parts{
		board:  b,
		kernel: filepath.Join(vm, "vmlinuz"),
		initrd: filepath.Join(dir, "initrd"),
		// Of the year before, so that the binary of the last run is found in
		// the cache.
		builtAt: time.Date(time.Now().Year()-1, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	var a archive
	if _, err := os.Stat(p.kernel); err != nil {
		return parts{}, fmt.Errorf("no kernel, scripts/vm-kernel.sh fetches one: %w", err)
	}
	// There are none where the kernel has all built in.
	drivers, err := filepath.Glob(filepath.Join(vm, "modules", "*.ko"))
	if err != nil {
		return parts{}, err
	}
	for _, path := range drivers {
		if err := a.addFile("modules/"+filepath.Base(path), path); err != nil {
			return parts{}, err
		}
	}
	built := fmt.Sprintf("-s -w -X main.version=test -X main.builtAt=%d", p.builtAt.Unix())
	small, err := smallFlags()
	if err != nil {
		return parts{}, err
	}
	for _, program := range []struct {
		name string
		args []string
	}{
		{"init", []string{"build", "-ldflags", "-s -w", "./internal/vmtest/guest"}},
		{"bin/ntsd", append(append([]string{"build", "-ldflags", built}, small...), "./cmd/ntsd")},
		{"bin/sysclock.test", []string{"test", "-c", "./internal/linux/sysclock"}},
		{"bin/udp.test", []string{"test", "-c", "./internal/linux/udp"}},
	} {
		path := filepath.Join(dir, filepath.Base(program.name))
		if err := compile(b.arch, path, program.args); err != nil {
			return parts{}, err
		}
		if program.name == "bin/ntsd" { // as the Makefile does to those for routers
			if err := linetab.BlankFile(path); err != nil {
				return parts{}, err
			}
		}
		if err := a.addFile(program.name, path); err != nil {
			return parts{}, err
		}
	}
	a.addLink("bin/ntsctl", "ntsd")
	// Only for the memory that they cost: without them that is less.
	_ = a.addFile("etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
	return p, os.WriteFile(p.initrd, a.bytes(), 0o644)
}

// smallFlags are those of the Makefile for binaries that routers get.
func smallFlags() ([]string, error) {
	hot, err := os.ReadFile("../../scripts/package/hot")
	if err != nil {
		return nil, err
	}
	flags := []string{"-tags=router", "-gcflags=all=-l"}
	for _, pkg := range strings.Fields(string(hot)) {
		flags = append(flags, "-gcflags="+pkg+"=")
	}
	return flags, nil
}

// compile runs the go command for an architecture.
func compile(arch, path string, args []string) error {
	last := len(args) - 1
	args = append(args[:last:last], "-trimpath", "-buildvcs=false", "-o", path, args[last])
	build := exec.Command("go", args...)
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0", "GOOS=linux", "GOARCH="+arch, "GOARM=7", "GOMIPS=softfloat")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w: %s", args, err, out)
	}
	return nil
}

// need skips the test unless machines are wanted, and fails it where they are
// and cannot be.
func need(t *testing.T) {
	t.Helper()
	if os.Getenv(wanted) == "" {
		t.Skip("starts virtual machines: make test-vm")
	}
	for _, tool := range []string{machineParts.board.qemu, "mke2fs", "debugfs"} {
		if _, err := exec.LookPath(tool); err != nil {
			interop.Unavailable(t, "vmtest: %v", err)
		}
	}
}
