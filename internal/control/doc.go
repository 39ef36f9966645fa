// Package control is the daemon's local control channel: a Unix socket on
// which a client sends one JSON object per line and gets one per line back.
// It is layer 3. It frames, bounds and validates; what a command does is the
// Handler's affair, and what a report looks like is package status's.
//
// Who may connect is decided by the file system: the socket has mode 0660 in a
// folder that only the daemon's user and its group can enter. Whoever gets in
// may steer the clock.
//
//	client  {"cmd":"burst","args":["4/8","192.0.2.1"]}
//	server  {"ok":true}
//	client  {"cmd":"report"}
//	server  {"ok":true,"body":{...}}
//	client  {"cmd":"online","args":["nobody"]}
//	server  {"ok":false,"code":"no_source","message":"no source nobody"}
package control
