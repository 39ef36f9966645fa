package mode6

import (
	"context"
	"errors"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/status"
)

// freshFor is how long a view is good for further questions: ntpq -p asks one for
// each source, and whoever asks without end shall not keep the daemon busy.
const freshFor = 200 * time.Millisecond

// Service answers requests from what the daemon and its server say of
// themselves. Its method is for one goroutine.
type Service struct {
	Report func(context.Context) (status.Report, error)
	Server func() status.ServerStats
	Host   Host
	Kernel func() (Kernel, error) // nil: not asked
	// Clients is called for each question about them; nil: there are none.
	Clients func() []status.Client

	view  *View
	taken time.Time
}

// Answer answers a request, with nothing where there is nothing to say: it was
// none, or the daemon has ended.
func (s *Service) Answer(ctx context.Context, request []byte) [][]byte {
	if _, err := ParseRequest(request); errors.Is(err, ErrNoRequest) {
		return nil
	}
	if s.view == nil || time.Since(s.taken) > freshFor {
		report, err := s.Report(ctx)
		if err != nil {
			return nil
		}
		s.view, s.taken = &View{Report: report, Server: s.Server(), Host: s.Host, Clients: s.Clients}, time.Now()
		if s.Kernel != nil {
			if k, err := s.Kernel(); err == nil { // else ntpq says that it does not know
				s.view.Kernel = &k
			}
		}
	}
	v := *s.view
	v.Report.Time = status.Time(clock.Wall(v.Report.Time).Add(time.Since(s.taken)))
	return Answer(request, &v)
}
