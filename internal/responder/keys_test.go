package responder

import (
	"testing"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/mac"
)

func secretsOf(value string) []mac.Secret {
	return []mac.Secret{{ID: 9, Type: mac.AES128, Value: []byte(value)}}
}

// TestKeysFollowTheConfiguration: every worker has the symmetric keys that are in
// force, and no others.
func TestKeysFollowTheConfiguration(t *testing.T) {
	run(t, 2, func(t *testing.T, b *bed) {
		old, next := secretsOf("0123456789abcdef"), secretsOf("fedcba9876543210")
		answered := func(p *fakePort, secrets []mac.Secret) bool {
			t.Helper()
			k := mac.NewRing(secrets).Find(9)
			req := b.request("198.51.100.7:4000", plain())
			req.Data = k.Append(req.Data)
			r := b.ask(t, p, req)
			if len(r) == 0 {
				return false
			}
			parse(t, r)
			if m := mac.Of(r[0].data); !k.Verify(r[0].data, m) {
				t.Errorf("got % x, which does not verify", r[0].data)
			}
			return true
		}
		inForce := func(secrets []mac.Secret) {
			b.change(func() { b.cfg = configuration(func(c *config.Config) { c.Secrets = secrets }) })
			pass(1500 * time.Millisecond)
		}
		for i, p := range b.ports[123] {
			if answered(p, old) {
				t.Errorf("worker %d answers without keys", i)
			}
		}
		inForce(old)
		for i, p := range b.ports[123] {
			if !answered(p, old) || answered(p, next) {
				t.Errorf("worker %d does not have the key", i)
			}
		}
		inForce(next)
		for i, p := range b.ports[123] {
			if answered(p, old) || !answered(p, next) {
				t.Errorf("worker %d does not have the new key", i)
			}
		}
		s := b.ServerStats()
		if s.Authenticated != 4 || s.Verdicts["answered_mac"] != 4 || s.Verdicts["drop_key"] != 2 || s.Verdicts["drop_mac"] != 4 {
			t.Errorf("got %d authenticated, %v", s.Authenticated, s.Verdicts)
		}
		inForce(nil)
		if answered(b.ports[123][0], next) {
			t.Error("a key that is gone still works")
		}
	})
}

// TestBeside: what a peer asks over its own socket is answered like what comes to
// the server's, under the same policy, and counted.
func TestBeside(t *testing.T) {
	run(t, 1, func(t *testing.T, b *bed) {
		reply := b.Beside(b.request("198.51.100.7:123", plain()))
		if h := parse(t, []fakeReply{{data: reply}}); h.Origin != 77 || h.Stratum != 2 {
			t.Errorf("got %+v", h)
		}
		if reply := b.Beside(b.request("203.0.113.7:123", plain())); reply != nil {
			t.Errorf("not allowed: got % x", reply)
		}
		short := b.request("198.51.100.7:123", plain())
		short.Data = short.Data[:20]
		if reply := b.Beside(short); reply != nil {
			t.Errorf("short: got % x", reply)
		}
		if s := b.ServerStats(); s.Received != 3 || s.Dropped != 2 || s.Verdicts["drop_access"] != 1 {
			t.Errorf("got %+v", s)
		}
	})
}
