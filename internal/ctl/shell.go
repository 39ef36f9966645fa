package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"ntsd/internal/status"
	"ntsd/internal/terminal"
)

// Implementation constants.
const (
	prompt = "ntsctl> "
	// maxLine is the length of the longest line that is read as a command.
	maxLine = 4096
	// dot is what -e puts below each response, for programs that read them from
	// a pipe, as chronyc does.
	dot = ".\n"
)

// each carries out every line as a command of its own, up to the first that
// fails: -m, as chronyc has it.
func (c *invocation) each(lines []string) error {
	if len(lines) == 0 {
		return failf(ExitUsage, "-m takes commands, each in quotes: ntsctl -m tracking 'sources -v'")
	}
	for _, line := range lines {
		if _, err := c.line(line); err != nil {
			return err
		}
	}
	return nil
}

// session carries out what is typed at a prompt, or stands in standard input
// line by line, until its end or the word quit. A command that fails says so
// and the next one follows; the error is that of the last. commands is how many
// there were.
func (c *invocation) session() (commands int, err error) {
	asks := c.interactive()
	next := c.nextLine
	if asks {
		tty, _ := c.stdin.(*os.File)
		e := terminal.Editor{TTY: tty, Keys: c.input(), Out: c.stdout, Prompt: prompt, Candidates: c.candidates}
		if next = e.Line; os.Getenv("TERM") == "dumb" {
			next = c.asked
		}
		fmt.Fprintf(c.stdout, "ntsctl (ntsd) version %s. help lists the commands, quit ends.\n", c.release)
	}
	for {
		line, ended := next()
		switch {
		case errors.Is(ended, bufio.ErrBufferFull):
			return commands, failf(ExitUsage, "a line of more than %d bytes is no command", maxLine)
		case ended != nil && !errors.Is(ended, io.EOF):
			return commands, failf(ExitFailed, "cannot read commands: %v", ended)
		}
		if word := strings.TrimSpace(line); word == "quit" || word == "exit" {
			return commands + 1, nil
		}
		if done, failed := c.line(line); done {
			commands, err = commands+1, nil
			if failed != nil {
				c.tell(failed)
				err = known{failed}
			}
		}
		if ended != nil { // the end of the input
			return commands, err
		}
	}
}

// known is an error that the user was told.
type known struct{ error }

func (k known) Unwrap() error { return k.error }

// nextLine reads a line.
func (c *invocation) nextLine() (string, error) {
	text, err := c.input().ReadSlice('\n')
	return string(text), err
}

// asked is nextLine after a prompt, for terminals that cannot do more.
func (c *invocation) asked() (string, error) {
	fmt.Fprint(c.stdout, prompt)
	return c.nextLine()
}

// line carries out one line, with the flags of the command line and its own;
// done says that there was a command. A line that begins with #, !, % or ; is a
// comment.
func (c *invocation) line(text string) (done bool, err error) {
	words := strings.Fields(text)
	if len(words) == 0 || strings.Contains("#!%;", words[0][:1]) {
		return false, nil
	}
	one := *c
	one.opts.several = false
	if words, err = one.opts.parse(words); err == nil {
		err = one.command(words)
	}
	return true, c.dotted(err)
}

// dotted ends a response as -e wants it.
func (c *invocation) dotted(err error) error {
	if c.opts.dots {
		if unwritten := c.print(dot); err == nil {
			return unwritten
		}
	}
	return err
}

// input is standard input, of which nothing that was read is lost between two
// commands.
func (c *invocation) input() *bufio.Reader {
	if c.lines == nil {
		c.lines = bufio.NewReaderSize(c.stdin, maxLine)
	}
	return c.lines
}

// sourcename tells how the source at an address is called in the configuration.
func (c *invocation) sourcename(words []string) error {
	r, err := c.client.Report(context.Background())
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Sources, func(s status.Source) bool { return s.Is(words[1]) })
	if i < 0 {
		return failf(ExitFailed, "%s: no source %s; ntsctl sources -a lists them", words[0], words[1])
	}
	return c.print(r.Sources[i].Name + "\n")
}
