// Command ntsload asks a time server as fast as it answers and says what a
// request costs: a developer's tool. Each of -inflight clients sends its next
// request when the reply to the one before has come and was verified, so the
// load adapts to the server; what is lost is sent again after a timeout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"ntsd/internal/nts"
	"ntsd/internal/ntske"
	"ntsd/internal/siv"
)

// Implementation constants.
const (
	maxInflight = 4096
	// patience is how long a reply is waited for before it counts as lost.
	patience  = 200 * time.Millisecond
	defaultKE = 4460
)

// options are the command line.
type options struct {
	server       netip.AddrPort
	mode         string
	placeholders int
	inflight     int
	duration     time.Duration
	pid          int
	kePort       int
	name         string
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit status: 0 done, 1 no reply or a wrong one, 2 used
// wrongly.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "ntsload:", err)
		return 2
	}
	if err := load(o, stdout); err != nil {
		fmt.Fprintln(stderr, "ntsload:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("ntsload", flag.ContinueOnError)
	f.SetOutput(stderr)
	server := f.String("server", "127.0.0.1:123", "address and port of the server")
	f.StringVar(&o.mode, "mode", "plain", "plain, interleaved, nts15 or nts30")
	f.IntVar(&o.placeholders, "placeholders", 0, "cookie placeholders in each NTS request, 0 to 7")
	f.IntVar(&o.inflight, "inflight", 64, "clients, each with one request under way")
	f.DurationVar(&o.duration, "time", 5*time.Second, "how long")
	f.IntVar(&o.pid, "pid", 0, "process whose CPU time is divided by the replies")
	f.IntVar(&o.kePort, "ke", defaultKE, "TCP port for key establishment")
	f.StringVar(&o.name, "name", "localhost", "name for key establishment; it is not verified")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.server, err = netip.ParseAddrPort(*server); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%q is not understood", f.Arg(0))
	case !slices.Contains([]string{"plain", "interleaved", "nts15", "nts30"}, o.mode):
		return o, fmt.Errorf("no mode %q", o.mode)
	case o.inflight < 1 || o.inflight > maxInflight:
		return o, fmt.Errorf("-inflight must be 1 to %d", maxInflight)
	case o.placeholders < 0 || o.placeholders >= nts.MaxCookies:
		return o, fmt.Errorf("-placeholders must be 0 to %d", nts.MaxCookies-1)
	}
	return o, nil
}

// load runs the clients and prints what they found.
func load(o options, stdout io.Writer) error {
	clients := make([]*client, o.inflight)
	for i := range clients {
		c, err := newClient(o)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		clients[i] = c
	}
	before, err := cpuTime(o.pid)
	if err != nil {
		return err
	}
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() { c.ask(start.Add(o.duration)) })
	}
	wg.Wait()
	took := time.Since(start)
	after, err := cpuTime(o.pid)
	if err != nil {
		return err
	}
	var all tally
	for _, c := range clients {
		all.add(&c.tally)
	}
	all.print(stdout, took, o.pid != 0, after.minus(before))
	switch {
	case all.replies == 0:
		return errors.New("no reply")
	case all.wrong > 0:
		return fmt.Errorf("%d replies are wrong", all.wrong)
	}
	return nil
}

// newClient opens a socket and, for NTS, establishes keys.
func newClient(o options) (*client, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(o.server))
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, interleaved: o.mode == "interleaved", placeholders: o.placeholders}
	alg := map[string]siv.Algorithm{"nts15": siv.AESSIVCMAC256, "nts30": siv.AES128GCMSIV}[o.mode]
	if alg == 0 {
		return c, nil
	}
	result, err := ntske.NewClient().Exchange(context.Background(), ntske.Request{
		Name: o.name, Addr: netip.AddrPortFrom(o.server.Addr(), uint16(o.kePort)), AEADs: []siv.Algorithm{alg}, NoVal: true,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := c.secure(&result.Session); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}
