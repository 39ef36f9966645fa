package main

import (
	"fmt"
	"os"

	"ntsd/internal/config"
	"ntsd/internal/linux/sandbox"
	"ntsd/internal/store"
)

// changeUser starts this program again as the user of -u, or else of the
// configuration, where it does not run as that one already. Where it is going
// to keep files, it gives him the daemon's own folders first.
func changeUser(o *options, cfg config.Main, keeps bool) error {
	name, from := o.user, "-u"
	if name == "" {
		name, from = cfg.User, "option 'user'"
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

// giveFolders makes the folders that only root can make and gives them to the
// user. Flash that cannot be written is no reason not to start.
func giveFolders(user sandbox.User, cfg config.Main) error {
	if err := store.MakeDir(cfg.RunDir, 0o750); err != nil {
		return err
	}
	if err := user.Own(cfg.RunDir); err != nil {
		return err
	}
	if cfg.StateDir != "" && store.MakeDir(cfg.StateDir, 0o700) == nil {
		_ = user.Own(cfg.StateDir)
	}
	return nil
}
