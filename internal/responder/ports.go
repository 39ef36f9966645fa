package responder

import "slices"

// open closes the ports that are no longer wanted and opens those that are. A
// port that cannot be opened is tried again at the next survey; the log has it
// once.
func (r *Responder) open(wanted []uint16) {
	for port := range r.workers {
		if !slices.Contains(wanted, port) {
			r.close(port)
			r.opt.Log.Info("no longer serving", "port", port)
		}
	}
	for _, port := range wanted {
		if len(r.workers[port]) > 0 {
			continue
		}
		sockets, err := r.opt.Listen(port, r.opt.Workers)
		if err != nil {
			if !r.failing[port] {
				r.opt.Log.Warn("cannot serve time to the network; will try again", "port", port, "reason", err)
			}
			r.failing[port] = true
			continue
		}
		delete(r.failing, port)
		r.start(port, sockets)
		r.opt.Log.Info("serving", "port", port)
	}
}

func (r *Responder) start(port uint16, sockets []Port) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range sockets {
		w := newWorker(r, s)
		r.workers[port] = append(r.workers[port], w)
		r.joined.Go(w.run)
	}
}

// close ends the workers of a port and keeps what they counted.
func (r *Responder) close(port uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers[port] {
		_ = w.port.Close() // nothing can be lost with it
		w.tally(&r.past)
	}
	delete(r.workers, port)
}

func (r *Responder) closeAll() {
	for port := range r.workers {
		r.close(port)
	}
}
