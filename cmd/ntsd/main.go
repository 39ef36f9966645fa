// On routers every megabyte counts: the FIPS module is built in its small
// version (see Makefile) and stays switched off; NTS needs algorithms that are
// not in it.
//
//go:debug fips140=off

// Command ntsd is a time daemon for routers: it takes authenticated time from
// NTS servers and keeps the clock. Called as ntsctl it is its own command-line
// client; "ntsd demo" shows it at work.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"ntsd/internal/clock"
	"ntsd/internal/ctl"
	"ntsd/internal/logbook"
	"ntsd/internal/wording"
)

// Exit statuses; ntsctl's are the same.
const (
	exitDone   = ctl.ExitDone
	exitFailed = ctl.ExitFailed
	exitUsage  = ctl.ExitUsage
)

// version is set by the linker.
var version = "dev" //nolint:gochecknoglobals // the linker can set nothing else

// builtAt is the time of the build in seconds since 1970, set by the linker.
var builtAt = "" //nolint:gochecknoglobals // likewise

// buildTime returns builtAt, or 1970 where the linker was not told. No true
// time lies before it.
func buildTime() clock.Wall {
	sec, err := strconv.ParseInt(builtAt, 10, 64)
	if err != nil || sec < 0 || sec > maxBuildTime {
		return 0
	}
	return clock.WallUnix(sec, 0)
}

// maxBuildTime keeps a mistaken SOURCE_DATE_EPOCH from locking a router out of
// the present: 2100-01-01.
const maxBuildTime = 4102444800

func main() {
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run chooses by the name it was called under, then by the first argument.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	name, args := filepath.Base(args[0]), args[1:]
	client := ctl.Program{Stdin: stdin, Stdout: stdout, Stderr: stderr, Version: version, Test: testAlone}
	switch {
	case name == "ntsctl":
		return ctl.Main(args, client)
	case len(args) > 0 && args[0] == "ctl":
		return ctl.Main(args[1:], client)
	case len(args) > 0 && args[0] == "demo":
		return demoMain(args[1:], stdout, stderr)
	}
	return daemonMain(args, stdout, stderr)
}

// fail prints one line about what went wrong, errors in words for people, and returns status.
func fail(stderr io.Writer, status int, format string, args ...any) int {
	for i, a := range args {
		if err, ok := a.(error); ok {
			args[i] = wording.Of(err)
		}
	}
	if logbook.IsJournal(stderr, os.Getenv) {
		format = logbook.ErrorPrefix + format
	} else {
		format = "ntsd: " + format
	}
	fmt.Fprintf(stderr, format+"\n", args...)
	return status
}
