// Package cmdmon speaks chrony's command and monitoring protocol, version 6, so
// that chronyc and what is built on it (exporters of metrics, checks) work with
// this daemon as they are. It is layer 3: bytes of a request in, bytes of a
// reply out. Ports are opened by layer 4, the Daemon is asked for what is shown.
//
// A request has a header of 20 bytes and a reply one of 28, both in network
// order:
//
//	request  version(1) type(1)=1 zero(2) command(2) attempt(2) sequence(4) zero(8)
//	reply    version(1) type(1)=2 zero(2) command(2) format(2) status(2) zero(6) sequence(4) zero(8)
//
// Then come the data of the command. A request is padded to the length of the
// longest reply that it can have: what is shorter gets no data, so that nobody
// can use us to send more than he sends himself. Where chrony's releases differ
// in the format of a reply, the padding also tells which one the client knows.
//
// Everything that only shows something is answered. What changes something is
// done for those who may use the unix socket, as far as it harms nothing; what
// would bend the configuration is refused as not authorised. By UDP only that
// is answered which chrony shows everybody.
//
// Non-goals: to configure the daemon by this protocol (add, delete, allow,
// local, the limits of sources), and its versions before 6.
package cmdmon
