// Package tape records what a client and a real ubusd say to each other, and
// plays ubusd's part again, for tests: what the client says must then be what it
// was.
package tape

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A message is a header of eight bytes, and an attribute whose length stands in
// its first four.
const headerSize, lengthMask = 4, 1<<24 - 1

// message reads one message as it is.
func message(r io.Reader) ([]byte, error) {
	b := make([]byte, 12)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(b[8:])&lengthMask+3) &^ 3
	b = append(b, make([]byte, n-headerSize)...)
	_, err := io.ReadFull(r, b[12:])
	return b, err
}

// Record listens on a socket, passes messages on between the client that connects to it and
// ubusd, and writes them down, one a line, ">" for the client's. end puts them
// into a file.
func Record(t *testing.T, ubusd string) (socket string, end func(file string)) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "tap")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	var mu sync.Mutex
	pass := func(sign string, from, to net.Conn) {
		for {
			b, err := message(from)
			if err != nil {
				to.Close()
				return
			}
			mu.Lock()
			log.WriteString(sign + " " + hex.EncodeToString(b) + "\n")
			mu.Unlock()
			if _, err := to.Write(b); err != nil {
				return
			}
		}
	}
	go func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", ubusd)
		if err != nil {
			client.Close()
			return
		}
		go pass(">", client, server)
		pass("<", server, client)
	}()
	t.Cleanup(func() { l.Close() })
	return socket, func(file string) {
		mu.Lock()
		defer mu.Unlock()
		if err := os.WriteFile(file, log.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Replay plays ubusd's part of a conversation for one client, then hangs up.
func Replay(t *testing.T, file string) (socket string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for line := range strings.Lines(string(text)) {
			sign, digits, _ := strings.Cut(line, " ")
			b, err := hex.DecodeString(strings.TrimSpace(digits))
			if err != nil {
				t.Error(err)
				return
			}
			if sign == "<" {
				if _, err := conn.Write(b); err != nil {
					t.Error(err)
				}
				continue
			}
			if got, err := message(conn); err != nil || !bytes.Equal(got, b) {
				t.Errorf("sent %x, %v\nwant %x", got, err, b)
				return
			}
		}
	}()
	return socket
}
