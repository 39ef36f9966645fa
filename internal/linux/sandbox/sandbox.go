//go:build linux

// Package sandbox makes a daemon that was started as root go on as an ordinary
// user who may do two things more than others: set the clock, and open ports
// below 1024. It belongs to layer 4.
//
// It is for where nothing else does this: under procd's jail and under systemd
// the daemon is started as its user already.
//
// Not its business: namespaces and system call filters, which the service
// manager sets up.
package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// kept lists the capabilities that survive.
func kept() []int { return []int{unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_TIME} }

// User is an account of this machine.
type User struct {
	Name     string
	UID, GID int
}

// Lookup finds an account by its name or number.
func Lookup(name string) (User, error) {
	found, err := user.Lookup(name)
	if err != nil {
		found, err = user.LookupId(name)
	}
	if err != nil {
		return User{}, fmt.Errorf("sandbox: there is no user %q", name)
	}
	uid, uidErr := strconv.Atoi(found.Uid)
	gid, gidErr := strconv.Atoi(found.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return User{}, fmt.Errorf("sandbox: user %q: %w", name, err)
	}
	return User{Name: found.Username, UID: uid, GID: gid}, nil
}

// Current reports whether this process runs as u.
func (u User) Current() bool { return os.Geteuid() == u.UID }

// Own gives u a folder and the plain files right inside it. Symbolic links are
// not followed, and files with a second name are left alone: the folder may
// already belong to u, who must not be able to get at the files of others by
// it. A folder that does not exist is no error.
func (u User) Own(dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("sandbox: read %s: %w", dir, err)
	}
	if err := root.Lchown(".", u.UID, u.GID); err != nil {
		return fmt.Errorf("sandbox: give %s to %s: %w", dir, u.Name, err)
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() || links(fi) != 1 {
			continue
		}
		if err := root.Lchown(e.Name(), u.UID, u.GID); err != nil {
			return fmt.Errorf("sandbox: give %s to %s: %w", filepath.Join(dir, e.Name()), u.Name, err)
		}
	}
	return nil
}

// links returns the number of names that a file has.
func links(fi fs.FileInfo) uint64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(st.Nlink)
}

// Become replaces this process by the same program, with the same arguments,
// run by u with the two capabilities and no way to more. It returns only when
// that failed; the process is then in no state to go on.
//
// Credentials belong to threads. Program execution takes those of the thread
// that asks for it, so one locked thread is enough.
func (u User) Become() error {
	runtime.LockOSThread()
	have, err := permitted()
	if err != nil {
		return fmt.Errorf("sandbox: read capabilities: %w", err)
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"bound the capabilities", boundCapabilities},
		{"keep capabilities", func() error { return unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0) }},
		{"leave the groups", func() error { return unix.Setgroups([]int{u.GID}) }},
		{"change the group", func() error { return unix.Setresgid(u.GID, u.GID, u.GID) }},
		{"change the user", func() error { return unix.Setresuid(u.UID, u.UID, u.UID) }},
		{"set capabilities", func() error { return setCapabilities(have) }},
		{"forbid new privileges", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }},
		{"start again", again},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("sandbox: become %s: %s: %w", u.Name, step.what, err)
		}
	}
	return nil // not reached: execution does not return
}

// again executes this program by its name, which ps and killall show; by what
// it is where the name is gone, as after an upgrade.
func again() error {
	if name, err := os.Executable(); err == nil {
		_ = unix.Exec(name, os.Args, os.Environ()) // it returns only when it failed
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// permitted returns those of the kept capabilities that there are to keep: in a
// container even root may not set the clock.
func permitted() ([]int, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil, err
	}
	var have []int
	for _, c := range kept() {
		if data[c/32].Permitted&(1<<(c%32)) != 0 {
			have = append(have, c)
		}
	}
	return have, nil
}

// boundCapabilities makes every other capability unreachable for this thread
// and what it executes.
func boundCapabilities() error {
	for c := 0; ; c++ {
		if c == unix.CAP_NET_BIND_SERVICE || c == unix.CAP_SYS_TIME {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		switch {
		case errors.Is(err, unix.EINVAL) && c > unix.CAP_SYS_TIME:
			return nil // the kernel knows no more
		case errors.Is(err, unix.EPERM):
			return nil // not ours to bound; who gave them to us did
		case err != nil:
			return err
		}
	}
}

// setCapabilities gives this thread caps and nothing else, so that they survive
// execution (Linux 4.3).
func setCapabilities(caps []int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range caps {
		bit := uint32(1) << (c % 32)
		d := &data[c/32]
		d.Effective |= bit
		d.Permitted |= bit
		d.Inheritable |= bit
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for _, c := range caps {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			return err
		}
	}
	return nil
}
