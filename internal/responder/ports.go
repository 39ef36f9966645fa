package responder

import (
	"slices"

	"ntsd/internal/config"
)

// open closes the ports that are no longer wanted and opens those that are. A
// port that cannot be opened is tried again at the next survey; the log has it
// once.
func (r *Responder) open(wanted []spot) {
	for s := range r.workers {
		if !slices.Contains(wanted, s) {
			r.close(s)
			r.opt.Log.Info("no longer serving", "port", s.port)
		}
	}
	for _, s := range wanted {
		if len(r.workers[s]) > 0 {
			continue
		}
		sockets, err := r.listen(s)
		if err != nil {
			if !r.failing[s] {
				r.opt.Log.Warn("cannot serve time to "+s.whom()+"; will try again", "port", s.port, "reason", err)
			}
			r.failing[s] = true
			continue
		}
		delete(r.failing, s)
		r.start(s, sockets)
		r.opt.Log.Info("serving"+s.only(), "port", s.port)
	}
}

// spot is where workers listen.
type spot struct {
	port  uint16
	local bool // on the loopback addresses only
}

func (s spot) whom() string {
	if s.local {
		return "this machine"
	}
	return "the network"
}

func (s spot) only() string {
	if s.local {
		return " this machine only"
	}
	return ""
}

func (r *Responder) listen(s spot) ([]Port, error) {
	if s.local {
		return r.opt.ListenLocal(s.port)
	}
	return r.opt.Listen(s.port, r.opt.Workers)
}

// wantedSpots returns where to listen: for the network, if somebody is allowed to
// ask, and for ntpq on this machine.
func (r *Responder) wantedSpots(cfg *config.Config) []spot {
	var all []spot
	for _, port := range wantedPorts(cfg) {
		all = append(all, spot{port: port})
	}
	if r.answersControl(cfg) && !slices.Contains(all, spot{port: ntpPort}) {
		all = append(all, spot{ntpPort, true})
	}
	return all
}

func (r *Responder) start(s spot, sockets []Port) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range sockets {
		w := newWorker(r, p)
		r.workers[s] = append(r.workers[s], w)
		r.joined.Go(w.run)
	}
}

// close ends the workers of a port and keeps what they counted.
func (r *Responder) close(s spot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers[s] {
		_ = w.port.Close() // nothing can be lost with it
		w.tally(&r.past)
	}
	delete(r.workers, s)
}

func (r *Responder) closeAll() {
	for s := range r.workers {
		r.close(s)
	}
}
