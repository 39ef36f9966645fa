// Package router tests what lands on an OpenWrt router beside the binary: the
// package's contents, its scripts under busybox's shell, and the default
// configuration. It has no code of its own; testdata/root holds stand-ins for
// the shell libraries of OpenWrt, and standin is their uci, ubus and the rest,
// which write down what they are asked to do. The rules of the firewall and the
// DHCP server's option are tried on real ones, in network namespaces.
//
// Not its business: whether OpenWrt behaves like the stand-ins. They do what its
// documentation and sources say, and the scripts have run on the real thing.
package router
