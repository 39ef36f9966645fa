//go:build !purego

#include "textflag.h"

// func polyvalBlocks(running *block, powers *[aggregate]block, data *byte, n int)
//
// Registers: X0 running sum; X1, X2, X3 the low, high and middle part of the
// products of a group, added up unreduced; X7 the modulus' upper terms.
// Every load from memory is MOVOU: the fields of a packet start anywhere.
TEXT ·polyvalBlocks(SB), NOSPLIT, $0-32
	MOVQ  running+0(FP), DI
	MOVQ  powers+8(FP), SI
	MOVQ  data+16(FP), DX
	MOVQ  n+24(FP), CX
	MOVOU (DI), X0

	// x^127+x^126+x^121 of the modulus, in the upper half.
	MOVQ   $0xc200000000000000, AX
	MOVQ   AX, X7
	PSLLDQ $8, X7

group:
	// BX = min(n, 4) blocks; R8 points to the highest power they need.
	MOVQ    $4, BX
	CMPQ    CX, BX
	CMOVQLT CX, BX
	SUBQ    BX, CX
	MOVQ    BX, R8
	SHLQ    $4, R8
	LEAQ    -16(SI)(R8*1), R8
	PXOR    X1, X1
	PXOR    X2, X2
	PXOR    X3, X3

block:
	MOVOU     (DX), X4
	PXOR      X0, X4          // the running sum goes to the first block
	PXOR      X0, X0
	MOVOU     (R8), X5
	MOVO      X4, X6
	PCLMULQDQ $0x00, X5, X6   // low times low
	PXOR      X6, X1
	MOVO      X4, X6
	PCLMULQDQ $0x11, X5, X6   // high times high
	PXOR      X6, X2
	MOVO      X4, X6
	PCLMULQDQ $0x10, X5, X6   // crosswise
	PXOR      X6, X3
	PCLMULQDQ $0x01, X5, X4
	PXOR      X4, X3
	ADDQ      $16, DX
	SUBQ      $16, R8
	DECQ      BX
	JNZ       block

	// X2:X1 = the 256-bit sum.
	MOVO   X3, X4
	PSLLDQ $8, X4
	PXOR   X4, X1
	PSRLDQ $8, X3
	PXOR   X3, X2

	// Divide by x^128: twice add the lowest word times the modulus, which
	// clears that word, and drop it.
	MOVO      X1, X4
	PCLMULQDQ $0x10, X7, X4
	PSHUFD    $78, X1, X1
	PXOR      X4, X1
	MOVO      X1, X4
	PCLMULQDQ $0x10, X7, X4
	PSHUFD    $78, X1, X1
	PXOR      X4, X1
	PXOR      X2, X1
	MOVO      X1, X0

	TESTQ CX, CX
	JNZ   group
	MOVOU X0, (DI)
	RET
