//go:build linux

// Command guest is the first process of the virtual machines that vmtest
// starts: it makes the machine a small router, with the flash as /etc, and then
// does what the test says over the serial line. It decides nothing: what
// happens in which order stands in the test. It is built for the tests alone.
//
// A command is one line of words. The answer is one line "@@ ok TEXT" or
// "@@ error TEXT", where TEXT is quoted as in Go. What programs print comes
// in between, as lines "@| TEXT".
//
// Non-goals: services, users, security.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// serialPort is the line to the test, which the kernel uses as its console.
const serialPort = "/dev/console"

// maxLine bounds a command.
const maxLine = 1 << 16

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the first process of a virtual machine, and nothing else")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Println("@@ error", err)
	}
	powerOff()
}

// run sets the machine up and carries out commands until the line ends.
func run() error {
	if err := mountKernel(); err != nil {
		return err
	}
	port, err := openSerial()
	if err != nil {
		return err
	}
	if err := setUp(); err != nil {
		port.reply("", err)
		return err
	}
	m := &machine{port: port, programs: map[string]*program{}}
	port.reply("ready", nil)
	lines := bufio.NewScanner(port.file)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		text, err := m.do(words[0], words[1:])
		port.reply(text, err)
	}
	return lines.Err()
}

// powerOff ends the machine in good order.
func powerOff() {
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) // the first process must not end
	select {}
}
