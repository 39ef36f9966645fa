package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"

	"ntsd/internal/config"
	"ntsd/internal/daemon"
)

// given are sockets that systemd opened for us. They stay open, so that nothing
// is lost while the configuration changes.
type given struct {
	listeners []*net.TCPListener
	files     []*os.File // the others
}

// givenSockets takes over the sockets of a socket unit; elsewhere there are
// none.
func givenSockets() (g given) {
	for _, f := range activation.Files(true) {
		if ln, err := net.FileListener(f); err == nil {
			if tcp, ok := ln.(*net.TCPListener); ok {
				g.listeners = append(g.listeners, tcp)
				_ = f.Close() // there is a duplicate
				continue
			}
			_ = ln.Close()
		}
		g.files = append(g.files, f)
	}
	return g
}

// systemdFolders puts the folders that a unit has made (StateDirectory and
// RuntimeDirectory of systemd.exec) in place of the defaults.
func systemdFolders(m *config.Main, getenv func(string) string) {
	usual := config.Default().Main
	for _, f := range []struct {
		folder       *string
		usual, named string
	}{
		{&m.StateDir, usual.StateDir, "STATE_DIRECTORY"},
		{&m.RunDir, usual.RunDir, "RUNTIME_DIRECTORY"},
	} {
		if made := ownFolder(getenv(f.named)); made != "" && *f.folder == f.usual {
			*f.folder = made
		}
	}
}

// ownFolder is the one of several, which colons part, that has our name; else
// the first. systemd orders them by name, whatever order the unit has.
func ownFolder(folders string) string {
	all := strings.Split(folders, ":")
	for _, dir := range all {
		if filepath.Base(dir) == config.PackageName {
			return dir
		}
	}
	return all[0]
}

// notifyLimit is how long systemd may take to make room for a word of ours.
const notifyLimit = time.Second

// notify says a word to systemd (sd_notify(3)), if it listens. One that hangs is
// not waited for, as the library's own function would.
func notify(word string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return
	}
	defer conn.Close()
	if conn.SetWriteDeadline(time.Now().Add(notifyLimit)) == nil {
		_, _ = conn.Write([]byte(word))
	}
}

// tellSystemd says "ready" to the systemd that started us, if one did, and
// feeds its watchdog as long as the daemon's loop answers. It ends with ctx.
// A system without systemd hears nothing.
func tellSystemd(ctx context.Context, d *daemon.Daemon) {
	if d.Ping(ctx) != nil {
		return
	}
	notify(sd.SdNotifyReady)
	defer notify(sd.SdNotifyStopping)
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if d.Ping(ctx) == nil {
				notify(sd.SdNotifyWatchdog)
			}
		case <-ctx.Done():
			return
		}
	}
}
