package responder

import "ntsd/internal/server"

// Beside answers a request that came to another socket than the workers': a
// peer's, who may also ask like any client. req.Received is on the kernel's
// scale; nil: there is no reply. It may be called from any goroutine.
func (r *Responder) Beside(req server.Request) []byte {
	r.mu.Lock()
	if r.beside == nil {
		r.beside = newWorker(r, nil)
	}
	w := r.beside
	r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin()
	req.Received, req.At = req.Received.Add(w.shift.Duration()), w.now.Mono
	if wait := w.now.Wall.Sub(req.Received).Duration(); wait < 0 || wait > maxQueued {
		req.Received = w.now.Wall
	}
	w.own.daemonRx++
	reply, v := w.reply(nil, &req, w.now.Wall)
	if !v.Replies() {
		return nil
	}
	return reply
}
