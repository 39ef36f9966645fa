// Package vmtest starts routers in virtual machines and looks at their clocks:
// a machine has a kernel of its own, so that the daemon may set its time, flash
// that survives a power cut only where it was synced, and no real-time clock
// unless a test wants one. There are only tests here; "make test-vm" runs the
// quick ones, "make test-vm-all" all of them.
//
//	test process, alone with a loopback interface    qemu, one process per boot
//	  NTS servers 192.0.2.1, .2, .3  <-- UDP, TCP -->  eth0 10.0.2.15: ntsd
//	  name server 192.0.2.53                           /etc: ext4 on the flash
//	  commands, clock readings       <---- serial -->  init: vmtest/guest
//
// The truth is the test process's clock, moved by what a scenario wants: the
// servers serve it, and the end state is the guest's clock minus the truth,
// read over the serial line. A power cut is a SIGKILL to the machine's qemu.
//
// All this runs in a namespace of users of its own, in which nobody may set the
// clock of the machine that runs the tests.
//
// It stands above all layers. Non-goals: speed of the daemon (everything is
// emulated, and jitter is some milliseconds), other boards, services of a
// router.
package vmtest
