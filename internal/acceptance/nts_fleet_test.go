package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/demo"
	"ntsd/internal/interop"
	"ntsd/internal/nts"
	"ntsd/internal/server"
	"ntsd/internal/siv"
	"ntsd/internal/status"
	"ntsd/internal/store"
)

// fleetRotate is how long a key of these fleets lives, untilRotation how soon
// its end comes.
const (
	fleetRotate   = 10 * time.Minute
	untilRotation = 8 * time.Second
	// farAhead is as far as NTP can say it: less than 2^31 seconds.
	farAhead = 65 * 365 * 24 * time.Hour
)

// member starts a server of a fleet whose clock is that much ahead.
func (w *world) member(name string, ahead time.Duration, fleet server.Rotation) *ntsServer {
	w.t.Helper()
	m := &world{t: w.t, dir: filepath.Join(w.dir, name), ca: w.ca}
	m.run = filepath.Join(m.dir, "run")
	keys := filepath.Join(m.dir, "fleet")
	err := os.Mkdir(m.dir, 0o755)
	if err == nil {
		err = store.SaveCookieKeys(keys, fleet)
	}
	if err == nil {
		err = w.ca.WritePEM(m.caFile())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	up := m.plain(func(c *demo.ServerConfig) { c.Offset = clock.Offset(ahead) })
	s := &ntsServer{w: m, ke: newPort(w.t), ntp: freePort(w.t)}
	cert, key := m.keyPair()
	s.daemon = m.start(m.config(source(up), serving(s.ntp, "127.0.0.0/8"), m.ntsSection(s.ke, cert, key)+
		fmt.Sprintf("\toption keys_file '%s'\n\toption rotate '%d'\n", keys, int(fleetRotate.Seconds()))))
	s.ready()
	return s
}

// key returns the number of the key that is in use.
func (s *ntsServer) key() uint32 {
	s.t.Helper()
	var got status.NTSKeys
	if err := json.Unmarshal([]byte(s.ask("ntskeys", "--json")), &got); err != nil {
		s.t.Fatal(err)
	}
	for _, k := range got.Keys {
		if k.State == status.KeyCurrent {
			return k.ID
		}
	}
	return 0
}

// acceptEachOther has a client of each member ask each member.
func acceptEachOther(t *testing.T, when string, members map[string]*ntsServer) {
	t.Helper()
	for from, m := range members {
		session := m.establish(siv.AESSIVCMAC256)
		for to, n := range members {
			at := *session
			at.NTPAddr = onLoopback(n.ntp)
			at.Cookies = [][]byte{session.Cookies[0]}
			session.Cookies = session.Cookies[1:]
			if got, err := interop.Exchange(&at, limit); err != nil || got.Header.Stratum == 0 {
				t.Errorf("%s, a cookie of %s at %s: got %+v, %v", when, from, to, got.Header, err)
			}
		}
	}
}

// TestFleet: servers that began with one file of keys serve each other's
// cookies while they replace the keys, each by its own clock: minutes ahead,
// minutes behind, and one decades ahead, which burns no keys.
func TestFleet(t *testing.T) {
	w := newWorld(t)
	made := time.Now().Add(untilRotation - fleetRotate)
	fleet := server.Rotation{Made: clock.WallTime(made), Keys: []nts.CookieKey{{ID: 7, Key: [nts.CookieKeyLen]byte{1, 2, 3}}}}
	members := map[string]*ntsServer{
		"right":  w.member("right", 0, fleet),
		"ahead":  w.member("ahead", 2*time.Minute, fleet),
		"behind": w.member("behind", -2*time.Minute, fleet),
		"mad":    w.member("mad", farAhead, fleet),
	}
	members["mad"].untilLog("older than can be caught up with, or this clock is mad")
	eventually(t, "the key of the one ahead", func() bool { return members["ahead"].key() == 8 })
	acceptEachOther(t, "before the rotation", members)
	eventually(t, "the rotation", func() bool { return members["right"].key() == 8 })
	acceptEachOther(t, "after the rotation", members)
	for name, want := range map[string]uint32{"right": 8, "ahead": 8, "behind": 7, "mad": 7} {
		if got := members[name].key(); got != want {
			t.Errorf("%s: key %d, want %d", name, got, want)
		}
		if got := members[name].stats(); got.Verdicts["nak"] != 0 {
			t.Errorf("%s: refused %d cookies", name, got.Verdicts["nak"])
		}
	}
}
