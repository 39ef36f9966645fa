// Package responder runs the NTP server: sockets, the workers that read them,
// and what the workers share. It is layer 3: what becomes of a request is
// decided by package server; the sockets, the clock and the interfaces come in
// through the ports that are declared here.
//
// Each worker reads one socket and answers in batches. The kernel spreads the
// clients over the workers' sockets, and a client comes back from another port
// to another worker; so the memory of clients is shared, in stripes of
// addresses with a lock each. What the workers need to know of the clock, of
// the configuration and of the keys is published as one immutable value, once a
// second.
package responder
