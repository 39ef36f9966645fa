// Package server turns a client's NTP request into a reply (RFC 5905 section
// 9.2, RFC 8915 section 5.7). It is layer 2: bytes in, bytes and a verdict
// out; it opens no socket, reads no clock, takes no lock and logs nothing.
//
// The caller brings the request with the moment it arrived, what the system
// may say about its clock, and the moment at which the reply leaves. It sends
// what comes back to the request's sender, from the address that was asked.
//
// Who is answered is the Policy's: addresses that are allowed, interfaces,
// a limit on the rate of each client. What is remembered of clients is in
// Clients, of bounded size, which workers may share.
//
// Two bounds hold for every reply: one per request, and never longer than the
// request (RFC 8915 section 8.4), so a forged source address gains an attacker
// nothing.
//
// Non-goals: NTP's modes 6 and 7, broadcasting, symmetric associations (a
// symmetric active request is answered, but nothing is remembered), symmetric
// keys.
package server
