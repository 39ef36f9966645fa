// Package acceptance runs the built binary as its users do and checks what the
// guides on NTS promise, by number. It holds tests only, beside the layers.
//
// The servers are those of package demo, on loopback addresses of this test
// process (127.N.x.y), in the process itself so that their faults and counters
// are at hand. Every daemon runs with "clock none" and -x, and where possible
// without the capability to set the clock.
//
// What needs a kernel that may not be there (mount namespaces for a hosts file
// and an empty /var/run) is skipped with the reason; with NTSD_CI set a skip is
// a failure.
//
// Non-goals: other implementations (package interop), accuracy, anything that
// a unit test can see.
package acceptance
