//go:build linux

package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ntsd/internal/clock"
)

// ModTime returns when path was last written. statx has 64-bit seconds
// everywhere; os.Stat has 32 on 32-bit machines.
func ModTime(path string) (clock.Wall, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MTIME, &st)
	if errors.Is(err, unix.ENOSYS) { // before Linux 4.11, where 2038 is past help
		var old unix.Stat_t
		if err = unix.Stat(path, &old); err == nil {
			return clock.WallUnix(old.Mtim.Unix()), nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("store: time of %s: %w", path, err)
	}
	return clock.WallUnix(st.Mtime.Sec, int64(st.Mtime.Nsec)), nil
}
