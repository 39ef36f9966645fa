package mode6

import "strings"

// kernelFlags are the bits of a kernel's status word in ntpq's words.
func kernelFlags() [16]string {
	return [16]string{
		"pll", "ppsfreq", "ppstime", "fll", "ins", "del", "unsync", "freqhold", "ppssignal", "ppsjitter", "ppswander", "ppserror",
		"clockerr", "nano", "mode=fll", "src=B",
	}
}

// Of any Linux: include/linux/timex.h.
const (
	kernelTolerance   = "500"      // ppm
	kernelPrecisionMS = "0.001000" // a microsecond
)

// variables are what ntpq -c kerninfo asks for; none where the kernel was not
// asked. There is no pulse in any kernel that we steer: what concerns it is 0.
func (k *Kernel) variables() []variable {
	if k == nil {
		return nil
	}
	var flags []string
	for i, name := range kernelFlags() {
		if k.Flags>>i&1 != 0 {
			flags = append(flags, name)
		}
	}
	all := []variable{
		{name: "koffset", value: ms(k.Offset.Seconds())},
		{name: "kfreq", value: decimal(k.Frequency.PPM())},
		{name: "kmaxerr", value: ms(k.MaxError.Seconds())},
		{name: "kesterr", value: ms(k.EstError.Seconds())},
		{name: "kstflags", value: quoted(strings.Join(flags, " "))},
		{name: "ktimeconst", value: number(k.Constant)},
		{name: "kprecis", value: kernelPrecisionMS},
		{name: "kfreqtol", value: kernelTolerance},
	}
	for _, name := range []string{"kppsfreq", "kppsstab", "kppsjitter", "kppscalibdur", "kppscalibs", "kppsjitexc", "kppsstbexc", "kppscaliberrs"} {
		all = append(all, variable{name: name, value: "0"})
	}
	return all
}
