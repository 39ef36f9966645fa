package control

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdleAndDeafClients: a client that asks nothing, or half of something, and one
// that does not read its answer, are hung up on in time.
func TestIdleAndDeafClients(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                        idleTimeout,
		`{"cmd":"rep`:             idleTimeout + writeTimeout, // it is told, if it reads
		`{"cmd":"report"}` + "\n": writeTimeout,
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			begin, ended := time.Now(), make(chan struct{})
			go func() {
				defer close(ended)
				NewServer(func(context.Context, Request) Response { return Done() }).ServeConn(t.Context(), ours)
			}()
			if _, err := theirs.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			<-ended
			if got := time.Since(begin); got != want {
				t.Errorf("%q: hung up on after %v, want %v", text, got, want)
			}
		})
	}
}
