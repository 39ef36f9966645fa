package terminal

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// maxHistory is how many lines the prompt remembers, in memory only.
const maxHistory = 100

// maxLine is the length of the longest line that can be typed.
const maxLine = 4096

// The keys of the prompt, as terminals send them.
const (
	keyAbandon   = 'C' - '@' // Ctrl-C
	keyEnd       = 'D' - '@'
	keyBackspace = 'H' - '@'
	keyNext      = 'N' - '@'
	keyPrevious  = 'P' - '@'
	keyErase     = 'U' - '@'
	keyEraseWord = 'W' - '@'
	keyEscape    = '[' - '@'
	keyDelete    = 0x7f
)

// Editor reads lines from a terminal: Tab completes, the arrows bring earlier
// lines back. The cursor stays at the end. Between two lines the terminal is as
// it was. It is for one goroutine.
type Editor struct {
	TTY    *os.File
	Keys   *bufio.Reader // what is typed at TTY
	Out    io.Writer     // the same terminal
	Prompt string
	// Candidates are the words that can follow words.
	Candidates func(words []string) []string

	history []string
	line    []byte
	at      int // in history; its length: the new line
}

// Line returns the next line; the error is io.EOF at Ctrl-D, or the terminal's.
func (e *Editor) Line() (string, error) {
	fd := int(e.TTY.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	raw := *before
	raw.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }()
	e.line, e.at = e.line[:0], len(e.history)
	for {
		e.draw()
		key, err := e.Keys.ReadByte()
		if err != nil {
			return "", err
		}
		done, err := e.press(key)
		if done || err != nil {
			fmt.Fprintln(e.Out)
			return e.keep(), err
		}
	}
}

// draw shows the line as it is.
func (e *Editor) draw() { fmt.Fprintf(e.Out, "\r%s%s%s", e.Prompt, e.line, clearLine) }

// keep takes the line into the history and returns it.
func (e *Editor) keep() string {
	line := string(e.line)
	if strings.TrimSpace(line) != "" && (len(e.history) == 0 || e.history[len(e.history)-1] != line) {
		e.history = append(e.history[max(0, len(e.history)-maxHistory+1):], line)
	}
	return line
}

// press does what a key means; done says that the line is complete.
func (e *Editor) press(key byte) (done bool, err error) {
	switch key {
	case '\r', '\n':
		return true, nil
	case keyEnd:
		if len(e.line) == 0 {
			return true, io.EOF
		}
	case keyAbandon:
		fmt.Fprint(e.Out, "^C")
		e.line = e.line[:0]
		return true, nil
	case '\t':
		e.complete()
	case keyDelete, keyBackspace:
		_, size := utf8.DecodeLastRune(e.line)
		e.line = e.line[:len(e.line)-size]
	case keyErase:
		e.line = e.line[:0]
	case keyEraseWord:
		kept := strings.TrimRight(string(e.line), " ")
		e.line = e.line[:strings.LastIndexByte(kept, ' ')+1]
	case keyPrevious:
		e.recall(-1)
	case keyNext:
		e.recall(+1)
	case keyEscape:
		return false, e.sequence()
	default:
		if key >= ' ' && len(e.line) < maxLine {
			e.line = append(e.line, key)
		}
	}
	return false, nil
}

// sequence takes a key that sends several bytes; only two of them mean anything.
func (e *Editor) sequence() error {
	for {
		key, err := e.Keys.ReadByte()
		switch {
		case err != nil:
			return err
		case key == 'A':
			e.recall(-1)
		case key == 'B':
			e.recall(+1)
		case key == '[' || key == 'O' || key < '@':
			continue
		}
		return nil
	}
}

// recall brings a line of the history back.
func (e *Editor) recall(by int) {
	e.at = min(max(0, e.at+by), len(e.history))
	e.line = e.line[:0]
	if e.at < len(e.history) {
		e.line = append(e.line, e.history[e.at]...)
	}
}

// complete adds what all words that fit have in common; where that is nothing,
// it shows them.
func (e *Editor) complete() {
	text := string(e.line)
	start := strings.LastIndexByte(text, ' ') + 1
	fit := slices.DeleteFunc(e.Candidates(strings.Fields(text[:start])), func(w string) bool { return !strings.HasPrefix(w, text[start:]) })
	slices.Sort(fit)
	fit = slices.Compact(fit)
	switch len(fit) {
	case 0:
		return
	case 1:
		e.line = append(append(e.line[:start], fit[0]...), ' ')
		return
	}
	common := fit[0]
	for _, w := range fit {
		for !strings.HasPrefix(w, common) {
			common = common[:len(common)-1]
		}
	}
	if len(common) == len(text)-start {
		fmt.Fprintf(e.Out, "\n%s\n", strings.Join(fit, "  "))
	}
	e.line = append(e.line[:start], common...)
}
