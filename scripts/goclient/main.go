// Command goclient asks an NTP server as programs in Go do, with the package
// that most of them use. It is a client for the tests of package interop, and a
// module of its own: the daemon does not depend on it.
// usage: goclient ADDRESS
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/beevik/ntp"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: goclient ADDRESS")
		os.Exit(2)
	}
	for version := 3; version <= 4; version++ {
		r, err := ntp.QueryWithOptions(os.Args[1], ntp.QueryOptions{Timeout: 5 * time.Second, Version: version})
		if err == nil {
			err = r.Validate()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "version %d: %v\n", version, err)
			os.Exit(1)
		}
		fmt.Printf("version %d stratum %d leap %d offset %v\n", version, r.Stratum, r.Leap, r.ClockOffset)
	}
}
