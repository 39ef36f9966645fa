// Package demo runs NTS servers of our own, with a certificate authority made
// on the spot: for "ntsd demo", which shows the daemon at work without any
// server in the world, and for tests that need a peer whose faults they choose.
//
// It stands above all layers: it wires server, nts and sockets together like
// the daemon does, and nothing but cmd and tests imports it. It serves the time
// of an injected clock and never touches the machine's.
//
// Non-goals: speed, rotation of keys, access control: the demonstration is for
// one viewer on the loopback interface.
package demo
