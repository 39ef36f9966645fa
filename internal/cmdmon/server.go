package cmdmon

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"ntsd/internal/config"
	"ntsd/internal/control"
	"ntsd/internal/status"
)

// Implementation constants.
const (
	// NoSocket is chrony's way to say that there shall be none.
	NoSocket = "/"
	// reportFor is how long a report answers: whoever asks in a circle costs
	// the daemon's own goroutine 50 reports a second, not thousands; and the
	// many questions of one chronyc sources are about the same moment.
	reportFor = 20 * time.Millisecond
	// answerTimeout bounds the daemon's thinking. chronyc asks again after 1 s,
	// then 2 s, then 4 s.
	answerTimeout = 2 * time.Second
	// lookAgain is how often ports that could not be opened, or have failed, are
	// opened anew.
	lookAgain = time.Minute
)

// Port is where requests come in. Serve calls answer for each, with room for
// the reply, and sends what it returns; it never waits for a client, and
// returns when the port is closed (nil) or fails.
type Port interface {
	Serve(answer func(request, room []byte) []byte) error
	Close() error
}

// Options are what a Server is made of.
type Options struct {
	Daemon Daemon
	// InForce returns the configuration as it is now.
	InForce func(context.Context) (*config.Config, error)
	// Socket opens the unix socket, Loopback the UDP port on the addresses of
	// loopback.
	Socket   func(path string) (Port, error)
	Loopback func(port uint16) (Port, error)
	Log      *slog.Logger
}

// Server answers on the ports that the configuration wants.
type Server struct {
	opt     Options
	changed chan struct{} // room for one
	open    map[string]*opened
	closed  map[string]string // why a port is not open, as the log has it
	serving sync.WaitGroup

	mu      sync.Mutex // of what follows
	handler Handler
	report  status.Report
	taken   time.Time // zero: there is none
}

// opened is a port that is served; ended is closed when it no longer is.
type opened struct {
	Port
	ended chan struct{}
}

// New returns a server that opens its ports when it runs.
func New(o Options) *Server {
	s := &Server{opt: o, changed: make(chan struct{}, 1), open: make(map[string]*opened)}
	s.handler.Daemon = recent{o.Daemon, s}
	return s
}

// Nudge says that the configuration may have changed. It never waits.
func (s *Server) Nudge() {
	select {
	case s.changed <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) {
	defer s.serving.Wait()
	defer func() {
		for _, p := range s.open {
			_ = p.Close()
		}
	}()
	for {
		cfg, err := s.opt.InForce(ctx)
		if err != nil {
			return // the daemon has ended
		}
		s.follow(ctx, cfg)
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-time.After(lookAgain):
		}
	}
}

// SocketPath returns where the socket shall be: one that is not named lies in
// the run-time folder, wherever that is.
func SocketPath(cfg *config.Config) string {
	path, usual := cfg.Monitor.ChronySocket, config.Default().Monitor.ChronySocket
	if path == usual {
		return filepath.Join(cfg.Main.RunDir, filepath.Base(usual))
	}
	return path
}

// site is a port that is wanted.
type site struct {
	door Door
	open func() (Port, error)
}

// wanted returns the ports by the names that the log gives them.
func (s *Server) wanted(cfg *config.Config) map[string]site {
	all := make(map[string]site)
	if path := SocketPath(cfg); path != NoSocket {
		all[path] = site{Socket, func() (Port, error) { return s.opt.Socket(path) }}
	}
	if port := cfg.Monitor.ChronyPort; port != 0 {
		all[fmt.Sprintf("UDP port %d", port)] = site{Loopback, func() (Port, error) { return s.opt.Loopback(port) }}
	}
	return all
}

// follow opens and closes ports as the configuration wants it.
func (s *Server) follow(ctx context.Context, cfg *config.Config) {
	wanted := s.wanted(cfg)
	for name, p := range s.open {
		_, stays := wanted[name]
		select {
		case <-p.ended: // it has failed
			stays = false
		default:
		}
		if stays {
			delete(wanted, name)
			continue
		}
		_ = p.Close()
		<-p.ended
		delete(s.open, name)
	}
	closed := make(map[string]string)
	for name, at := range wanted {
		p, err := at.open()
		if err != nil {
			closed[name] = err.Error()
			if s.closed[name] != err.Error() {
				s.opt.Log.Warn("chronyc cannot be answered", "at", name, "reason", err)
			}
			continue
		}
		s.serve(ctx, name, at.door, p)
	}
	s.closed = closed
}

func (s *Server) serve(ctx context.Context, name string, door Door, p Port) {
	o := &opened{Port: p, ended: make(chan struct{})}
	s.open[name] = o
	s.serving.Go(func() {
		defer close(o.ended)
		err := p.Serve(func(request, room []byte) []byte { return s.answer(ctx, door, request, room) })
		if err != nil {
			s.opt.Log.Warn("chronyc is not answered any more", "at", name, "reason", err)
		}
	})
}

// answer answers one request.
func (s *Server) answer(ctx context.Context, door Door, request, room []byte) []byte {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handler.Reply(ctx, door, request, room)
}

// recent is a Daemon whose reports are taken at most every reportFor. It is used
// under the server's lock.
type recent struct {
	Daemon
	s *Server
}

// Report returns one that is not older than reportFor.
func (r recent) Report(ctx context.Context) (status.Report, error) {
	if s := r.s; s.taken.IsZero() || time.Since(s.taken) > reportFor {
		report, err := r.Daemon.Report(ctx)
		if err != nil {
			return status.Report{}, err
		}
		s.report, s.taken = report, time.Now()
	}
	return r.s.report, nil
}

// Answer carries out a command. What was reported before is no longer so.
func (r recent) Answer(ctx context.Context, req control.Request) control.Response {
	r.s.taken = time.Time{}
	return r.Daemon.Answer(ctx, req)
}
