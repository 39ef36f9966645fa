package vmtest

import (
	"testing"
	"time"
)

// starts are those where everybody is honest and the network works.
func starts() []scenario {
	return []scenario{
		{"strict, clock nearly right", true, strictNearTruth},
		{"first boot ever", true, firstBootEver},
		{"clean reboot", true, cleanReboot},
		{"clean reboot, no sysfixtime", false, cleanRebootIn1970},
		{"power cut right after sync", true, cutAfterSync},
		{"power cut, an hour off", false, cutForAnHour},
		{"100 days off, new certificates, dead cookies", true, offFor100Days},
		{"cookie keys rotated while off", false, keysRotated},
		{"cookie keys lost while off", false, keysLost},
		{"real-time clock in 2099", true, bogusChip},
		{"real-time clock in 2000", false, deadBattery},
		{"set by decades while it runs", false, setByHand},
	}
}

// strictNearTruth is what every machine with a good clock chip does.
func strictNearTruth(t *testing.T) *world {
	w := newWorld(t, 4, 0)
	w.configure("config bootstrap\n\toption mode 'strict'\nconfig nts\n\toption systemcerts 'yes'\n")
	r := w.boot()
	r.setClock(-20 * time.Second)
	r.startDaemon()
	r.wantSync(4, 0)
	// STA_PLL, STA_UNSYNC and leap seconds are off.
	if x := r.timex(); x["status"]&0x71 != 0 || x["offset"] != 0 {
		t.Errorf("the kernel says about its clock: %v", x)
	}
	for _, s := range r.report().Sources {
		if s.NTP == nil || s.NTP.Sent != "Kernel" || s.NTP.Received != "Kernel" {
			t.Errorf("%s: timestamps are not the kernel's: %+v", s.Name, s.NTP)
		}
	}
	r.wantMemory(10_000, 12_000)
	return w
}

// firstBootEver has a clock in 1970 and no state.
func firstBootEver(t *testing.T) *world {
	w := newWorld(t, 3, 0)
	w.configure()
	r := w.boot()
	r.startDaemon()
	r.wantSync(6, 0)
	return w
}

// setByHand has somebody set a clock that was right: forward, beyond the end of
// 32-bit seconds, back before any certificate, and by minutes. It is stepped back
// each time, without new keys.
func setByHand(t *testing.T) *world {
	w := newWorld(t, 3, 0)
	w.configure("config makestep\n\toption threshold '1'\n\toption limit '-1'\n")
	r := w.boot()
	r.startDaemon()
	r.wantSync(6, 0)
	r.awaitKE(6) // the last of the strict ones may come after that
	for _, by := range []time.Duration{14 * 365 * 24 * time.Hour, -25 * 365 * 24 * time.Hour, 5 * time.Minute, -5 * time.Minute} {
		r.setClock(by)
		r.do("run", "/bin/ntsctl", "burst", "4/4")
		r.measure()
		r.told += by.Abs() // the kernel could not be told of that
		r.wantTime(tolerance)
	}
	if f := w.figures; f.ke != 6 || f.bad != 0 {
		t.Errorf("%d key establishments, %d failed; want 6 and none: no more than at the start", f.ke, f.bad)
	}
	return w
}

// lived is a world whose router had the time some while ago, and was switched
// off in good order or by a power cut.
func lived(t *testing.T, servers int, ago time.Duration, cut bool) *world {
	t.Helper()
	w := newWorld(t, servers, -ago)
	w.configure()
	r := w.boot()
	r.do("sysfixtime")
	r.startDaemon()
	r.await()
	r.wantTime(tolerance)
	if cut {
		r.cutPower()
	} else {
		r.awaitKE(2 * servers)
		r.off()
	}
	w.setAhead(0)
	return w
}

// again boots the router of a world and waits for the time.
func again(w *world, ke, bad int) *router {
	w.t.Helper()
	r := w.boot()
	r.do("sysfixtime")
	r.startDaemon()
	r.wantSync(ke, bad)
	return r
}

// A reboot has cookies set aside: one round trip and no key establishment.
func cleanReboot(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	again(w, 0, 0)
	return w
}

func cleanRebootIn1970(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	r := w.boot()
	r.startDaemon()
	r.wantSync(0, 0)
	return w
}

// cutAfterSync may have the state of the first synchronisation or not: both
// must do.
func cutAfterSync(t *testing.T) *world {
	w := lived(t, 3, 0, true)
	again(w, 6, 0)
	return w
}

func cutForAnHour(t *testing.T) *world {
	w := lived(t, 3, time.Hour, true)
	again(w, 6, 0)
	return w
}

// offFor100Days finds servers that have other cookie keys and certificates.
func offFor100Days(t *testing.T) *world {
	w := lived(t, 3, 100*day, false)
	for _, h := range w.servers {
		w.certify(h, -20*day, 70*day)
		w.restart(h)
	}
	again(w, 6, 0)
	return w
}

// keysRotated: the servers still know the keys of before.
func keysRotated(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	for _, h := range w.servers {
		if err := h.RotateKeys(); err != nil {
			t.Fatal(err)
		}
	}
	again(w, 0, 0)
	return w
}

// keysLost: the servers say NAK, and the router goes on to new keys at once.
func keysLost(t *testing.T) *world {
	w := lived(t, 3, 0, false)
	for _, h := range w.servers {
		if err := h.LoseKeys(); err != nil {
			t.Fatal(err)
		}
	}
	again(w, 6, 0)
	return w
}

// bogusChip has a real-time clock that says 2099, and sets it right.
func bogusChip(t *testing.T) *world {
	return withChip(t, time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC))
}

func deadBattery(t *testing.T) *world {
	return withChip(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
}

func withChip(t *testing.T, chip time.Time) *world {
	t.Helper()
	w := newWorld(t, 3, 0)
	w.configure()
	r := w.bootWith(machineSpec{rtc: chip})
	if o, _ := r.offset(); o.Abs() < 300*day {
		t.Errorf("the clock that the chip set is only off by %v", o.Duration())
	}
	r.startDaemon()
	r.wantSync(6, 0)
	r.wantChip()
	return w
}
