// Package tables shows a status.Report, and what the server tells beside it, to
// people: chronyc's tables and lists, byte for byte, chronyc's comma-separated
// values, and with Verbose what they mean in words. It is layer 3 and decides
// nothing: a report goes in, text comes out. Signs are those of the report, whose
// package explains them; JSON is that package's too. It reads no clock and opens
// no file.
package tables
