//go:build mips.softfloat || mipsle.softfloat || (arm && !arm.6)

package filter

import "math"

// The operations of the hot path, where there is no floating point unit.

func mul(x, y float64) float64 { return softMul(x, y) }
func add(x, y float64) float64 { return softAdd(x, y) }
func sub(x, y float64) float64 { return softAdd(x, softNeg(y)) }
func less(x, y float64) bool   { return softLess(x, y) }

func fromInt(n int64) float64 { return softInt(n) }

func softNeg(x float64) float64 { return math.Float64frombits(math.Float64bits(x) ^ 1<<63) }
