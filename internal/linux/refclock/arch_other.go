//go:build !386

package refclock

// packed64 says that C structures have 64-bit fields at multiples of four.
const packed64 = false
