//go:build (!amd64 && !arm64) || purego

package siv

// carryless reports that there is no polyvalBlocks here.
func carryless() bool { return false }

// polyvalBlocks exists elsewhere; carryless says so.
func polyvalBlocks(running *block, powers *[aggregate]block, data *byte, n int) {
	panic("siv: no carry-less multiplication here")
}
