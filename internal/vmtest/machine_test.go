package vmtest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// Implementation constants. Nothing is asserted by these times: they end what
// hangs.
const (
	bootPatience  = 90 * time.Second
	replyPatience = 90 * time.Second
	// readings of the clock, of which the one with the quickest answer counts.
	readings = 12
)

// machineSpec says which machine is wanted.
type machineSpec struct {
	flash *flash
	// rtc is the time of the real-time clock; a machine has none when zero.
	rtc time.Time
	// unplugged machines have no network until they are plugged in.
	unplugged bool
	// log is a path where all writes to the flash are noted, in order; empty
	// is none.
	log string
}

// drive returns qemu's arguments for the flash. What the machine has written
// is in the file when qemu is killed; that this computer loses power is not the
// test, so nothing is flushed for it.
func (s machineSpec) drive() []string {
	file := "driver=file,cache.no-flush=on,filename="
	if s.log == "" {
		return []string{"-blockdev", file + s.flash.path + ",node-name=d"}
	}
	return []string{
		"-blockdev", file + s.flash.path + ",node-name=f", "-blockdev", file + s.log + ",node-name=l",
		"-blockdev", "driver=blklogwrites,file=f,log=l,node-name=d",
	}
}

// machine is a running virtual machine. It is for one goroutine.
type machine struct {
	t       testing.TB
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	replies chan string
	gone    chan struct{} // closed when qemu has ended
	console *transcript
}

// boot starts a machine and waits until it takes commands.
func boot(t testing.TB, spec machineSpec) *machine {
	t.Helper()
	b := machineParts.board
	kernel, base := "console="+b.serial+" quiet panic=-1 ntsd.guest ", "1970-01-01T00:00:00"
	if spec.rtc.IsZero() {
		kernel += "initcall_blacklist=" + b.chip
	} else {
		base = spec.rtc.UTC().Format("2006-01-02T15:04:05")
	}
	m := &machine{t: t, replies: make(chan string, 16), gone: make(chan struct{}), console: new(transcript)}
	args := []string{
		"-accel", "tcg", "-M", b.machine, "-cpu", b.cpu, "-m", "192", "-nodefaults", "-no-user-config",
		"-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", machineParts.kernel, "-initrd", machineParts.initrd,
		"-rtc", "base=" + base,
		"-device", "virtio-blk-" + b.bus + ",drive=d", "-netdev", "user,id=n", "-device", "virtio-net-" + b.bus + ",netdev=n",
		"-append", kernel,
	}
	if spec.log != "" {
		if err := os.WriteFile(spec.log, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.cmd = exec.Command(b.qemu, append(args, spec.drive()...)...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.cmd.Stderr = os.Stderr
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.cutPower()
		if t.Failed() {
			t.Logf("console:\n%s", m.console)
		}
	})
	go m.listen(stdout)
	if text, err := m.reply(bootPatience); err != nil || text != "ready" {
		t.Fatalf("boot: got %q, %v\n%s", text, err, m.console)
	}
	return m
}

// listen sorts what comes over the serial line.
func (m *machine) listen(r io.Reader) {
	defer close(m.gone)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		// The kernel may have left the beginning of a line.
		if i := strings.Index(line, "@@ "); i >= 0 {
			m.replies <- line[i+len("@@ "):]
			continue
		}
		m.console.add(line)
	}
	_ = m.cmd.Wait() // the tests kill it
}

func (m *machine) reply(limit time.Duration) (string, error) {
	select {
	case line := <-m.replies:
		kind, quoted, _ := strings.Cut(line, " ")
		text, err := strconv.Unquote(quoted)
		switch {
		case err != nil:
			return "", fmt.Errorf("unreadable answer %q", line)
		case kind != "ok":
			return "", fmt.Errorf("guest says: %s", text)
		}
		return text, nil
	case <-m.gone:
		return "", io.ErrUnexpectedEOF
	case <-time.After(limit):
		return "", fmt.Errorf("no answer within %v", limit)
	}
}

// try gives a command and returns the answer.
func (m *machine) try(words ...string) (string, error) {
	if _, err := io.WriteString(m.stdin, strings.Join(words, " ")+"\n"); err != nil {
		return "", err
	}
	return m.reply(replyPatience)
}

// do is try for what must work.
func (m *machine) do(words ...string) string {
	m.t.Helper()
	text, err := m.try(words...)
	if err != nil {
		m.t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return text
}

// seconds is do for a command that answers a number of seconds.
func (m *machine) seconds(words ...string) time.Duration {
	m.t.Helper()
	text := m.do(words...)
	sec, err := strconv.ParseFloat(text, 64)
	if err != nil {
		m.t.Fatalf("%v answered %q", words, text)
	}
	return time.Duration(sec * float64(time.Second))
}

// offset returns the guest's clock minus this computer's, and how far wrong
// that may be.
func (m *machine) offset() (o clock.Offset, bound time.Duration) {
	m.t.Helper()
	for i := range readings {
		before := time.Now()
		text := m.do("clock")
		rtt := time.Since(before)
		sec, frac, _ := strings.Cut(text, ".")
		s, err1 := strconv.ParseInt(sec, 10, 64)
		ns, err2 := strconv.ParseInt(frac, 10, 64)
		if err1 != nil || err2 != nil {
			m.t.Fatalf("clock answered %q", text)
		}
		if i == 0 || rtt/2 < bound {
			o, bound = clock.WallUnix(s, ns).Sub(clock.WallTime(before.Add(rtt/2))), rtt/2
		}
	}
	return o, bound
}

// cutPower ends the machine as a power cut does: what was not synced is gone.
func (m *machine) cutPower() {
	_ = m.cmd.Process.Kill() // it may have ended by itself
	<-m.gone
}

// powerOff shuts the machine down in good order.
func (m *machine) powerOff() {
	m.t.Helper()
	if _, err := io.WriteString(m.stdin, "poweroff\n"); err != nil {
		m.t.Fatal(err)
	}
	select {
	case <-m.gone:
	case <-time.After(replyPatience):
		m.t.Fatalf("no end after power off\n%s", m.console)
	}
}

// write puts a file into the running machine.
func (m *machine) write(path, text string) {
	m.t.Helper()
	m.do("write", path, base64.StdEncoding.EncodeToString([]byte(text)))
}

// timex returns what the guest's kernel says about its clock.
func (m *machine) timex() map[string]int64 {
	m.t.Helper()
	words := strings.Fields(m.do("timex"))
	fields := map[string]int64{}
	for pair := range slices.Chunk(words, 2) {
		v, err := strconv.ParseInt(pair[1], 10, 64)
		if err != nil {
			m.t.Fatalf("timex answered %q", words)
		}
		fields[pair[0]] = v
	}
	return fields
}

// report returns what the daemon says about itself.
func (m *machine) report() *status.Report {
	m.t.Helper()
	var r status.Report
	if err := json.Unmarshal([]byte(m.do("run", "/bin/ntsctl", "report")), &r); err != nil {
		m.t.Fatal(err)
	}
	return &r
}

// transcript is what came over the serial line beside answers. It is safe for
// concurrent use.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

// maxTranscript bounds it, for a machine that does nothing but complain.
const maxTranscript = 4000

func (c *transcript) add(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines) < maxTranscript {
		c.lines = append(c.lines, line)
	}
}

func (c *transcript) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n")
}
