package interop

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"ntsd/internal/demo"
	"ntsd/internal/nts"
	"ntsd/internal/server"
)

// startDemo runs a server of our own on the host, at the standard ports.
func (h *Host) startDemo(ca *demo.CA) (s *demo.Server) {
	h.t.Helper()
	err := h.Do(func() (err error) {
		s, err = demo.Start(h.t.Context(), demo.ServerConfig{
			KEAddr:  netip.AddrPortFrom(h.IPv4, nts.DefaultPort),
			NTPAddr: netip.AddrPortFrom(h.IPv4, ntpPort),
			Cert:    h.Certificate(ca),
		})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.Close)
	return s
}

// waitStats waits until what a server on the host has seen satisfies ok.
func (h *Host) waitStats(s *demo.Server, what string, ok func(demo.Stats) bool) {
	h.t.Helper()
	h.waitFor(what, func() bool { return ok(s.Stats()) })
}

func (h *Host) writeCA(ca *demo.CA) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, "ca.pem")
	if err := ca.WritePEM(path); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// "chronyd -Q" prints the offset and leaves the clock alone.
func TestChronyQuery(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	peers, ca := FindPeers(t), newTestCA(t)
	client, srv := n.Host("chrony"), n.Host("server")
	s := srv.startDemo(ca)
	cmd := client.Command(t.Context(), peers.Chronyd, "-x", "-Q", "-t", "20", "-u", "root",
		"pidfile "+filepath.Join(client.Dir, "chronyd.pid"), "cmdport 0", "bindcmdaddress /",
		"ntstrustedcerts "+client.writeCA(ca),
		"server "+srv.IPv4.String()+" nts iburst maxsamples 1")
	cmd.Env = peers.Env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "System clock wrong by") {
		t.Errorf("chronyd -Q: %v\n%s", err, out)
	}
	if st := s.Stats(); st.KEDone != 1 || st.NAKs != 0 || st.Verdicts[server.AnsweredNTS] == 0 {
		t.Errorf("our server: got %+v, want one key establishment and NTS replies", st)
	}
}

// chronyd as a client of ours takes its time, and new keys after a NAK.
func TestChronyClient(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	peers, ca := FindPeers(t), newTestCA(t)
	client, srv := n.Host("chrony"), n.Host("server")
	s := srv.startDemo(ca)
	proc := client.StartChronyd(peers, "ntstrustedcerts "+client.writeCA(ca),
		"server "+srv.IPv4.String()+" nts iburst minpoll -4 maxpoll -2")
	proc.WaitLog("Selected source " + srv.IPv4.String())
	if err := s.LoseKeys(); err != nil {
		t.Fatal(err)
	}
	srv.waitStats(s, "NAK", func(st demo.Stats) bool { return st.NAKs > 0 })
	srv.waitStats(s, "second key establishment", func(st demo.Stats) bool { return st.KEDone > 1 })
	answered := s.Stats().Verdicts[server.AnsweredNTS]
	srv.waitStats(s, "reply with the new keys", func(st demo.Stats) bool {
		return st.Verdicts[server.AnsweredNTS] > answered
	})
}

// ntpsec as a client of ours.
func TestNTPsecClient(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	peers, ca := FindPeers(t), newTestCA(t)
	client, srv := n.Host("ntpsec"), n.Host("server")
	s := srv.startDemo(ca)
	proc := client.StartNTPsec(peers,
		"server "+srv.IPv4.String()+" nts iburst minpoll 3 maxpoll 3 ca "+client.writeCA(ca))
	proc.WaitLog("NTSc: Got 8 cookies")
	srv.waitStats(s, "burst of NTS replies", func(st demo.Stats) bool {
		return st.Verdicts[server.AnsweredNTS] >= 3
	})
	if st := s.Stats(); st.NAKs != 0 || st.KEDone != 1 {
		t.Errorf("our server: got %+v, want one key establishment and no NAK", st)
	}
}

// What an attacker changes on the way is nothing to us: tampered replies do not
// count, and the next genuine one does.
func TestTamperedReply(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	ca := newTestCA(t)
	client, srv := n.Host("client"), n.Host("server")
	s := srv.startDemo(ca)
	session, err := client.session(ca, srv.IPv4, supported()...)
	if err != nil {
		t.Fatal(err)
	}
	s.Tamper(1)
	if _, err := client.exchange(&session, wait); err == nil {
		t.Error("tampered reply: got a sample, want an error")
	}
	if _, err := client.exchange(&session, wait); err != nil {
		t.Errorf("genuine reply: %v", err)
	}
}
