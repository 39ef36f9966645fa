// Package interop puts programs into network namespaces of their own and lets
// them talk: ours, Debian's chrony and Debian's ntpsec. Only tests use it. They
// take our libraries and servers on their own, and the built ntsd and ntsctl
// (ntsd_*_test.go), with a configuration file as on a router.
//
// A Net is one Ethernet segment, a bridge with hosts on it:
//
//	router          server           attacker
//	192.0.2.1       192.0.2.2        192.0.2.3
//	2001:db8::1     2001:db8::2      2001:db8::3
//	   |eth0           |eth0            |eth0
//	   +---------------+----------------+---- bridge in a namespace of its own
//
// The segment reaches nothing outside and vanishes with the test, even one that
// is killed. Namespaces need root; where that, or a peer, is missing the test is
// skipped with the reason. With NTSD_CI set a skip is a failure.
//
// All namespaces share the machine's clock, which nothing here may touch: every
// program starts without the capability to set it, and Command refuses to start
// any should that not work.
package interop
