// Command world runs the time servers of the browser tests: one on the loopback
// interface for every server in the configuration under -dir, whose clocks and
// tempers the standard input orders about, a line each:
//
//	offset N SECONDS   server N (from 0) is so far ahead
//	pause N, resume N  it is as good as switched off, and on again
//	losekeys N         it forgets its cookie keys: its clients get a NAK
//	ask N HOST:PORT    N plain requests are sent there, as a client would
//
// It ends with its input, so that it never outlives the test.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/ctl"
	"ntsd/internal/demo"
	"ntsd/internal/rpcd"
)

func main() {
	dir := flag.String("dir", "", "folder with the configuration; gets the authority's certificate")
	method := flag.String("call", "", "answer one call as rpcd's plugin would on a router whose /etc/config is -dir, and end")
	flag.Parse()
	if *method != "" {
		if err := plugin(*dir).Call(context.Background(), *method, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "world:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*dir, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}

// plugin is what answers rpcd, of a router that lies in dir.
func plugin(dir string) *rpcd.Plugin {
	client := control.Client{Path: filepath.Join(dir, "run", ctl.SocketName)}
	return &rpcd.Plugin{
		Ask: func(ctx context.Context, req control.Request) (control.Response, error) {
			resp, err := client.Do(ctx, req)
			if err == nil && !resp.OK {
				err = errors.New(resp.Message)
			}
			return resp, err
		},
		ReadFile: func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, filepath.Base(name))) },
	}
}

func run(dir string, in io.Reader, out io.Writer) error {
	cfg, diagnostics := config.Load(dir, os.ReadFile)
	if config.HasErrors(diagnostics) {
		return fmt.Errorf("%v", diagnostics[0])
	}
	fleet, err := demo.StartFor(context.Background(), cfg.Sources, dir, nil)
	if err != nil {
		return err
	}
	defer fleet.Close()
	// All are right until told otherwise.
	for _, s := range fleet.Servers {
		s.SetOffset(0)
	}
	fmt.Fprintln(out, "ready")
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := order(fleet, strings.Fields(lines.Text())); err != nil {
			return err
		}
		fmt.Fprintln(out, "done")
	}
	return lines.Err()
}

// order carries out one line.
func order(fleet *demo.Fleet, words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("%q: want a word and a number", words)
	}
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	if words[0] == "ask" && len(words) == 3 {
		return ask(words[2], n)
	}
	if n < 0 || n >= len(fleet.Servers) {
		return fmt.Errorf("%q: there are %d servers", words, len(fleet.Servers))
	}
	s := fleet.Servers[n]
	switch words[0] {
	case "pause":
		s.Pause()
	case "resume":
		s.Resume()
	case "losekeys":
		return s.LoseKeys()
	case "offset":
		if len(words) != 3 {
			return errors.New("offset: want seconds")
		}
		d, err := time.ParseDuration(words[2] + "s")
		if err != nil {
			return err
		}
		s.SetOffset(clock.Offset(d))
	default:
		return fmt.Errorf("no order %q", words[0])
	}
	return nil
}

// ask sends n bare NTPv4 requests to addr and waits for as many replies.
func ask(addr string, n int) error {
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := make([]byte, 48)
	request[0] = 4<<3 | 3 // RFC 5905 section 7.3: version 4, mode 3
	reply := make([]byte, 512)
	for i := range n {
		request[47] = byte(i)
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
			return err
		}
		if _, err := conn.Read(reply); err != nil {
			return err
		}
	}
	return nil
}
