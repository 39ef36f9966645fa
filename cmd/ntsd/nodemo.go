//go:build router

package main

import "io"

const demoUsage = ""

// demoMain stands for the demonstration, whose servers and certificates would be
// 40 kB of a router's flash.
func demoMain(_ []string, _, stderr io.Writer) int {
	return fail(stderr, exitUsage, "the demonstration is not part of the packages; make run shows it, where the sources are")
}
