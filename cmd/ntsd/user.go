package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ntsd/internal/cmdmon"
	"ntsd/internal/config"
	"ntsd/internal/linux/sandbox"
	"ntsd/internal/store"
)

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
		return fmt.Errorf("%s %s: %w", from, name, err)
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
// user. Flash that cannot be written is no reason not to start.
func giveFolders(user sandbox.User, cfg *config.Config) error {
	if err := store.MakeDir(cfg.Main.RunDir, 0o750); err != nil {
		return err
	}
	if err := user.Own(cfg.Main.RunDir); err != nil {
		return err
	}
	if dir := cfg.Main.StateDir; dir != "" && store.MakeDir(dir, 0o700) == nil {
		_ = user.Own(dir)
	}
	for i := range cfg.RefClocks { // those that are there; a later one is hotplug's affair
		if r := &cfg.RefClocks[i]; r.Driver == "PPS" || r.Driver == "PHC" {
			path, _, _ := strings.Cut(r.Parameter, ":")
			if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeCharDevice != 0 {
				_ = os.Lchown(path, user.UID, user.GID)
			}
		}
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
