// Package statlog keeps files of statistics: what was measured, and how the
// clock was set by it, a line each, in the formats of ntpd and of chrony, so that
// what people have for these can read ours. It is layer 3.
//
// The daemon's goroutine hands over values and never waits; one goroutine makes
// lines of them and writes. A file has a day in its name, and the name without a
// day means today's. All files together have a bound, for on a router they lie
// in memory: the oldest day makes room, and where there is none left to go,
// nothing more is written.
//
// Not here: the files themselves, which are behind the interface Folder, and
// what the numbers mean to people: see ntsd.conf(5).
package statlog
