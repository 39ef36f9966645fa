//go:build !purego

#include "textflag.h"

// func polyvalBlocks(running *block, powers *[aggregate]block, data *byte, n int)
//
// Registers: V0 running sum; V1, V2, V3 the low, high and middle part of the
// products of a group, added up unreduced; V7 the modulus' upper terms; V31
// zero. Loads of single octets need no alignment.
TEXT ·polyvalBlocks(SB), NOSPLIT, $0-32
	MOVD running+0(FP), R0
	MOVD powers+8(FP), R1
	MOVD data+16(FP), R2
	MOVD n+24(FP), R3
	VLD1 (R0), [V0.B16]
	VEOR V31.B16, V31.B16, V31.B16

	// x^127+x^126+x^121 of the modulus, in the lower half.
	MOVD $0xc200000000000000, R4
	VMOV R4, V7.D[0]

group:
	// R5 = min(n, 4) blocks; R6 points to the highest power they need.
	MOVD $4, R5
	CMP  R5, R3
	CSEL LT, R3, R5, R5
	SUB  R5, R3
	SUB  $1, R5, R6
	ADD  R6<<4, R1, R6
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16

block:
	VLD1.P  16(R2), [V4.B16]
	VEOR    V0.B16, V4.B16, V4.B16     // the running sum goes to the first block
	VEOR    V0.B16, V0.B16, V0.B16
	VLD1    (R6), [V5.B16]
	SUB     $16, R6
	VPMULL  V4.D1, V5.D1, V6.Q1        // low times low
	VEOR    V6.B16, V1.B16, V1.B16
	VPMULL2 V4.D2, V5.D2, V6.Q1        // high times high
	VEOR    V6.B16, V2.B16, V2.B16
	VEXT    $8, V5.B16, V5.B16, V5.B16 // halves swapped: crosswise
	VPMULL  V4.D1, V5.D1, V6.Q1
	VEOR    V6.B16, V3.B16, V3.B16
	VPMULL2 V4.D2, V5.D2, V6.Q1
	VEOR    V6.B16, V3.B16, V3.B16
	SUB     $1, R5
	CBNZ    R5, block

	// V2:V1 = the 256-bit sum.
	VEXT $8, V3.B16, V31.B16, V4.B16
	VEOR V4.B16, V1.B16, V1.B16
	VEXT $8, V31.B16, V3.B16, V4.B16
	VEOR V4.B16, V2.B16, V2.B16

	// Divide by x^128: twice add the lowest word times the modulus, which
	// clears that word, and drop it.
	VPMULL V7.D1, V1.D1, V4.Q1
	VEXT   $8, V1.B16, V1.B16, V1.B16
	VEOR   V4.B16, V1.B16, V1.B16
	VPMULL V7.D1, V1.D1, V4.Q1
	VEXT   $8, V1.B16, V1.B16, V1.B16
	VEOR   V4.B16, V1.B16, V1.B16
	VEOR   V2.B16, V1.B16, V0.B16

	CBNZ R3, group
	VST1 [V0.B16], (R0)
	RET
