// As cmd/ntsd: whoever measures NTS needs what is not in FIPS 140.
//
//go:debug fips140=off

// Command ntsload asks a time server as fast as it answers, or at a given rate,
// and says what a request costs: a developer's tool. Every reply is verified.
//
// Closed loop: each of -inflight requests is followed by the next when its reply
// has come, so the load adapts to the server; what is lost is asked again after
// a timeout. Open loop: -rate requests a second, whether or not they are
// answered. -mode ke makes key establishments instead; -mode probe measures from
// many clients, each once a second, how wrong the time is that they get, and
// -mode plot draws it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"ntsd/internal/nts"
)

// The modes.
const (
	modePlain       = "plain"
	modeInterleaved = "interleaved"
	modeNTS15       = "nts15"
	modeNTS30       = "nts30"
	modeKE          = "ke"
	modeProbe       = "probe"
	modePlot        = "plot"
)

// Implementation constants.
const (
	maxInflight = 1 << slotBits
	maxClients  = 1 << 24
	maxSessions = 1 << 20
	maxThreads  = 64
	defaultKE   = 4460
)

// options are the command line.
type options struct {
	server       netip.AddrPort
	mode         string
	placeholders int
	inflight     int
	rate         int
	clients      int
	sessions     int
	from         netip.Prefix // zero: as the routes want it
	threads      int
	duration     time.Duration
	pid          int
	kePort       int
	name         string
	group        string
	ca           string
	interleaved  bool
	offsets      string
	plot, title  string
	series       []string
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
	work := load
	switch o.mode {
	case modeKE:
		work = loadKE
	case modeProbe:
		work = probe
	case modePlot:
		work = drawOffsets
	}
	if err := work(o, stdout); err != nil {
		fmt.Fprintln(stderr, "ntsload:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("ntsload", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.TextVar(&o.server, "server", netip.MustParseAddrPort("127.0.0.1:123"), "address and port of the server")
	f.StringVar(&o.mode, "mode", modePlain, "plain, interleaved, nts15, nts30, ke, probe or plot")
	f.IntVar(&o.placeholders, "placeholders", 0, "cookie placeholders in each NTS request, 0 to 7")
	f.IntVar(&o.inflight, "inflight", 64, "requests under way at a time, at most, per thread")
	f.IntVar(&o.rate, "rate", 0, "requests per second, answered or not; 0: each reply is followed by a request")
	f.IntVar(&o.clients, "clients", 0, "clients that ask in turn; 0: as many as -inflight")
	f.IntVar(&o.sessions, "sessions", 64, "NTS key establishments; the clients share them")
	f.TextVar(&o.from, "from", netip.Prefix{}, "local addresses that the clients have, in turn")
	f.IntVar(&o.threads, "threads", 1, "threads, each with a port of its own and its share of the clients")
	f.DurationVar(&o.duration, "time", 5*time.Second, "how long")
	f.IntVar(&o.pid, "pid", 0, "process whose CPU time is divided by the replies")
	f.IntVar(&o.kePort, "ke", defaultKE, "TCP port for key establishment")
	f.StringVar(&o.name, "name", "localhost", "name for key establishment; verified only with -ca")
	f.StringVar(&o.group, "group", "x25519", "with -mode ke: x25519, p256 or x25519mlkem768")
	f.StringVar(&o.ca, "ca", "", "with -mode ke: certificate that signs the server's")
	f.BoolVar(&o.interleaved, "interleaved", false, "with -mode probe: in interleaved mode")
	f.StringVar(&o.offsets, "offsets", "", "with -mode probe: file to write every offset to, in ns")
	f.StringVar(&o.plot, "plot", "", "with -mode plot: picture to write, of the files NAME=FILE of -offsets")
	f.StringVar(&o.title, "title", "", "with -mode plot: what stands above it")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.series = f.Args(); o.mode != modePlot && f.NArg() > 0 {
		return nil, fmt.Errorf("%q is not understood", f.Arg(0))
	}
	if o.clients == 0 {
		o.clients = max(o.inflight, 1) * max(o.threads, 1)
	}
	return o, o.check()
}

func (o *options) check() error {
	for _, limit := range []struct {
		name             string
		value, low, high int
	}{
		{"-inflight", o.inflight, 1, maxInflight},
		{"-placeholders", o.placeholders, 0, nts.MaxCookies - 1},
		{"-threads", o.threads, 1, maxThreads},
		{"-clients", o.clients, o.threads, maxClients},
		{"-sessions", o.sessions, 1, maxSessions},
	} {
		if limit.value < limit.low || limit.value > limit.high {
			return fmt.Errorf("%s must be %d to %d", limit.name, limit.low, limit.high)
		}
	}
	switch {
	case !slices.Contains([]string{modePlain, modeInterleaved, modeNTS15, modeNTS30, modeKE, modeProbe, modePlot}, o.mode):
		return fmt.Errorf("no mode %q", o.mode)
	case o.from.IsValid() && o.from.Addr().Is4() != o.server.Addr().Is4():
		return errors.New("-from and -server are of different families")
	}
	return nil
}
