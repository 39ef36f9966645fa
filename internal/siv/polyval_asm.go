//go:build (amd64 || arm64) && !purego

package siv

import "golang.org/x/sys/cpu"

// carryless reports whether the processor has the instruction that
// polyvalBlocks needs (PCLMULQDQ, PMULL).
func carryless() bool { return cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasPMULL }

// polyvalBlocks adds n whole blocks, n at least 1, to running: for each group
// of up to aggregate blocks b1..bk, running becomes
// dot(running+b1, powers[k-1]) + ... + dot(bk, powers[0]). Only as many powers
// as the largest group has are read. Nothing needs to be aligned.
//
//go:noescape
func polyvalBlocks(running *block, powers *[aggregate]block, data *byte, n int)
