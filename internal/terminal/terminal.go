// Package terminal is the terminal that a person sits at: whether there is one, what
// suits it, a screen that is redrawn in place while keys are read, and lines that
// are typed with completion and history. It is layer 3.
//
// Non-goals: what is drawn, what a key means to the screen, and what a line says (ctl).
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Implementation constants: what every terminal since the VT100 understands.
const (
	// Another screen, no cursor, no wrapping of long lines.
	screenEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	screenLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"

	// keyPollMS is how often the keyboard's reader looks whether it should
	// end.
	keyPollMS = 100
	// keyBuffer holds keys that are pressed while a report is fetched; more
	// are dropped.
	keyBuffer = 16
)

// Screen is where frames go: a terminal that is redrawn in place, or a stream. Make
// it with Open, close it to give the terminal back.
type Screen struct {
	Live bool      // it is redrawn in place
	Keys chan byte // pressed by the person

	out      io.Writer
	tty      *os.File // nil when out is no terminal
	frames   int
	keyboard *os.File
	before   *unix.Termios // the keyboard's state to restore; nil: untouched
	stop     chan struct{}
	reader   sync.WaitGroup
}

// Open takes the terminal over, if out is one that can be redrawn. What
// it cannot have (a keyboard that is no terminal) it does without.
func Open(out io.Writer, keyboard *os.File) *Screen {
	s := &Screen{out: out, Keys: make(chan byte, keyBuffer), stop: make(chan struct{})}
	if !Is(out) || os.Getenv("TERM") == "dumb" {
		return s
	}
	s.tty, _ = out.(*os.File)
	s.Live = true
	_, _ = io.WriteString(out, screenEnter)
	if keyboard != nil {
		s.openKeyboard(keyboard)
	}
	return s
}

// openKeyboard has keys arrive at once and unseen. Ctrl-C stays a signal.
func (s *Screen) openKeyboard(f *os.File) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	raw := *before
	raw.Lflag &^= unix.ICANON | unix.ECHO
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(fd, unix.TCSETS, &raw) != nil {
		return
	}
	s.keyboard, s.before = f, before
	s.reader.Go(func() { s.readKeys(fd) })
}

// readKeys passes keys on until the screen closes or the terminal is gone.
func (s *Screen) readKeys(fd int) {
	var buf [8]byte
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, keyPollMS)
		if err == unix.EINTR || n == 0 && err == nil {
			continue
		}
		if err != nil || fds[0].Revents&unix.POLLIN == 0 {
			return
		}
		got, err := unix.Read(fd, buf[:])
		if err != nil || got == 0 {
			return
		}
		for _, key := range buf[:got] {
			select {
			case s.Keys <- key:
			default: // see keyBuffer
			}
		}
	}
}

// Draw shows one frame: over the last one on a terminal, below it otherwise.
// On a terminal lines are cut to its width; where it is not high enough the
// footer stays, and the lines before it are cut.
func (s *Screen) Draw(frame string, footer []string) error {
	s.frames++
	lines := strings.Split(strings.TrimRight(frame, "\n"), "\n")
	if len(footer) > 0 {
		lines = append(lines, "")
	}
	if !s.Live {
		if s.frames > 1 {
			lines = append([]string{""}, lines...)
		}
		_, err := io.WriteString(s.out, strings.Join(append(lines, footer...), "\n")+"\n")
		return failed(err)
	}
	cols, rows := s.Size()
	if rows > 0 {
		footer = footer[max(0, len(footer)-rows+1):] // at least one line of the frame
		lines = lines[:min(len(lines), rows-len(footer))]
	}
	lines = append(lines, footer...)
	for i := range lines {
		lines[i] = fit(lines[i], cols)
	}
	_, err := io.WriteString(s.out, screenHome+strings.Join(lines, clearLine+"\r\n")+clearLine+clearBelow)
	return failed(err)
}

// fit cuts a line to cols columns, 0 meaning no limit: terminals that do not
// wrap write what is too long into their last column. Colours stay whole.
func fit(line string, cols int) string {
	if cols <= 0 {
		return line
	}
	var b strings.Builder
	shown, escape := 0, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			escape = true
			b.WriteRune(r)
		case escape:
			escape = r != 'm'
			b.WriteRune(r)
		case shown < cols:
			shown++
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Wrap breaks a text between words into lines of at most cols columns, 0
// meaning no limit; those after the first are indented.
func Wrap(text string, cols int) string {
	const indent = "  "
	var b strings.Builder
	room := cols
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case cols > 0 && n+1 > room:
			b.WriteString("\n" + indent)
			room = cols - len(indent)
		default:
			b.WriteByte(' ')
			room--
		}
		b.WriteString(word)
		room -= n
	}
	return b.String() + "\n"
}

func failed(err error) error {
	if err != nil {
		return fmt.Errorf("terminal: draw: %w", err)
	}
	return nil
}

// Size is the terminal's width and height, 0 where it does not say.
func (s *Screen) Size() (cols, rows int) {
	if s.tty == nil {
		return 0, 0
	}
	size, err := unix.IoctlGetWinsize(int(s.tty.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}

// Close gives the terminal back as it was.
func (s *Screen) Close() {
	close(s.stop)
	s.reader.Wait()
	if s.before != nil {
		_ = unix.IoctlSetTermios(int(s.keyboard.Fd()), unix.TCSETS, s.before)
	}
	if s.Live {
		_, _ = io.WriteString(s.out, screenLeave)
	}
}

// Is reports whether a person reads what is written to w.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Colorful reports whether colours suit what is written to w: a terminal, and
// nobody said otherwise (https://no-color.org).
func Colorful(w io.Writer) bool {
	return Is(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
