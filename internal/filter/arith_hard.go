//go:build !(mips.softfloat || mipsle.softfloat || (arm && !arm.6))

package filter

// The operations of the hot path. The conversion keeps a product from
// being fused with a sum.

func mul(x, y float64) float64 { return float64(x * y) }
func add(x, y float64) float64 { return x + y }
func sub(x, y float64) float64 { return x - y }
func less(x, y float64) bool   { return x < y }
func fromInt(n int64) float64  { return float64(n) }
