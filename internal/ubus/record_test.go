package ubus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var record = flag.Bool("record", false, "write testdata/conversation anew, with the ubusd that UBUSD names") //nolint:gochecknoglobals // a flag

// conversation is what a client of ours and ubusd said, one message a line,
// ">" for ours. TestConversation records and replays it.
const conversation = "testdata/conversation"

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

// tap passes messages on between a client and ubusd, and writes them down.
func tap(t *testing.T, ubusd string) (socket string, log *bytes.Buffer) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "tap")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
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
	return socket, log
}

// replay plays ubusd's part of the conversation; what we say must be what it
// was then.
func replay(t *testing.T) (socket string) {
	t.Helper()
	text, err := os.ReadFile(conversation)
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

// TestConversation: what we send is what a real ubusd accepted, and what it
// answered we understand: a greeting, an object of ours, a call of it that
// comes back to us through the bus, refusals.
func TestConversation(t *testing.T) {
	var socket string
	var log *bytes.Buffer
	if *record {
		ubusd, _ := startUbusd(t)
		socket, log = tap(t, ubusd)
	} else {
		socket = replay(t)
	}
	ctx := t.Context()
	conn, err := Dial(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	o := &Object{
		Path: "ntsd.test", Methods: map[string]Table{"status": {"verbose": int64(typeInt8)}},
		Handle: func(_ string, args Table) (Table, error) {
			return Table{"verbose": args.Bool("verbose"), "offset": -1.5e-6, "sources": []any{Table{"name": "a", "reach": int64(255)}}}, nil
		},
	}
	if err := conn.Add(ctx, o); err != nil {
		t.Fatal(err)
	}
	got, err := conn.Call(ctx, "ntsd.test", "status", Table{"verbose": true})
	if err != nil || !got.Bool("verbose") || got["offset"] != -1.5e-6 || len(got.List("sources")) != 1 {
		t.Errorf("status: got %v, %v", got, err)
	}
	if _, err := conn.Call(ctx, "ntsd.test", "reboot", nil); !errors.Is(err, StatusMethodNotFound) {
		t.Errorf("reboot: got %v, want %v", err, StatusMethodNotFound)
	}
	if _, err := conn.Call(ctx, "hotplug.ntp", "call", nil); !errors.Is(err, StatusNotFound) {
		t.Errorf("hotplug.ntp: got %v, want %v", err, StatusNotFound)
	}
	conn.Close()
	<-conn.Closed()
	if *record {
		if err := os.WriteFile(conversation, log.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
