// Package sim runs the very engine that the daemon runs in a world of virtual
// time: oscillators that wander, links that queue and lose, servers that are
// right, wrong or dead, and a checker that knows true time. One seed decides
// everything, so every failure can be run again. It is for tests and for
// cmd/ntssim; the shipped binary does not hold it.
//
// Non-goals: it models no kernel (a step or a rate is in force at once) and no
// TLS (a key establishment takes a round trip and succeeds or not).
package sim
