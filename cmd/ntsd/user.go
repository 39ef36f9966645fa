package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ntsd/internal/cmdmon"
	"ntsd/internal/config"
	"ntsd/internal/linux/sandbox"
	"ntsd/internal/store"
	"ntsd/internal/wording"
)

// misuse is an error of whoever wrote the command line.
type misuse struct{ error }

// statusOf is the exit status that an error ends with.
func statusOf(err error) int {
	if errors.As(err, new(misuse)) {
		return exitUsage
	}
	return exitFailed
}

// changeUser starts this program again as the user of -u, or else of the
// configuration, where it does not run as that one already. Where it is going
// to keep files, it gives him the daemon's own folders first.
func changeUser(o *options, cfg *config.Config, keeps bool) error {
	name, from := o.user, "-u"
	if name == "" {
		name, from = cfg.Main.User, "option 'user'"
	}
	if name == "" {
		return nil
	}
	user, err := sandbox.Lookup(name)
	if err != nil {
		err = fmt.Errorf("%s %s: %s; name one that is in /etc/passwd", from, name, wording.Of(err))
		if o.user != "" {
			return misuse{err}
		}
		return err
	}
	switch {
	case user.Current():
		return nil
	case os.Geteuid() != 0:
		return fmt.Errorf("%s %s: only root can change its user, and this is user %d; start ntsd as root or as %s",
			from, name, os.Geteuid(), user.Name)
	}
	if keeps {
		if err := giveFolders(user, cfg); err != nil {
			return fmt.Errorf("%s %s: %w", from, name, err)
		}
	}
	return user.Become()
}

// chronyDirMode lets the group bind sockets beside ours.
const chronyDirMode = 0o770

// giveFolders makes the folders that only root can make and gives them to the
// user. A file system that cannot be written is no reason not to start.
func giveFolders(user sandbox.User, cfg *config.Config) error {
	err := store.MakeDir(cfg.Main.RunDir, 0o750)
	if err == nil {
		err = user.Own(cfg.Main.RunDir)
	}
	if err != nil && !passing(err) {
		return err
	}
	if dir := cfg.Main.StateDir; dir != "" && store.MakeDir(dir, 0o700) == nil {
		_ = user.Own(dir)
	}
	for i := range cfg.RefClocks {
		giveClock(user, cfg, &cfg.RefClocks[i])
	}
	giveChronyFolder(user, filepath.Dir(cmdmon.SocketPath(cfg)))
	return nil
}

// giveChronyFolder makes a folder for chronyc's socket alone, in a place like
// that where chronyc looks: only if nobody has it, and not through links.
func giveChronyFolder(user sandbox.User, dir string) {
	above, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return
	}
	defer above.Close()
	name := filepath.Base(dir)
	if above.Mkdir(name, chronyDirMode) == nil {
		_ = above.Lchown(name, user.UID, user.GID)
		_ = above.Chmod(name, chronyDirMode) // whatever the mask is; without it, root's chronyc works
	}
}

// giveClock gives the user a device that is there; a later one is hotplug's
// affair. A socket in a folder of root's is made in ours, and a link leads there:
// other programs have its name built in. What cannot be done is told when the
// clock is read.
func giveClock(user sandbox.User, cfg *config.Config, r *config.RefClock) {
	path, _, _ := strings.Cut(r.Parameter, ":")
	info, err := os.Lstat(path)
	switch r.Driver {
	case "PPS", "PHC":
		if err == nil && info.Mode()&os.ModeCharDevice != 0 {
			_ = os.Lchown(path, user.UID, user.GID)
		}
	case "SOCK":
		folder, ferr := os.Stat(filepath.Dir(path))
		old := err == nil && info.Mode()&(os.ModeSocket|os.ModeSymlink) != 0
		if ferr != nil || err == nil && !old || folder.Mode().Perm()&0o002 != 0 {
			return
		}
		if own, ok := folder.Sys().(*syscall.Stat_t); !ok || own.Uid != 0 {
			return
		}
		if old {
			_ = os.Remove(path)
		}
		_ = os.Symlink(filepath.Join(cfg.Main.RunDir, filepath.Base(path)), path)
	}
}
