package responder

import (
	"bytes"
	"context"

	"ntsd/internal/config"
	"ntsd/internal/server"
)

// maxQuestions is how many questions of mode 6 may wait. A program asks one at a
// time, and waits for the answer.
const maxQuestions = 16

// question is a request of mode 6 (RFC 9327), and where its answer goes.
type question struct {
	port Port
	req  server.Request // with data of its own
}

// answersControl reports whether the configuration wants mode 6 answered.
func (r *Responder) answersControl(cfg *config.Config) bool {
	return cfg.Monitor.NTPQ && r.opt.Control != nil
}

// ask hands a question to the goroutine that answers: a worker must not wait
// for the daemon.
func (w *worker) ask(req *server.Request) {
	q := question{port: w.port, req: *req}
	q.req.Data = bytes.Clone(req.Data)
	select {
	case w.shared.questions <- q:
	default:
		w.own.unasked++
	}
}

// answerQuestions answers until ctx ends.
func (r *Responder) answerQuestions(ctx context.Context) {
	for {
		select {
		case q := <-r.questions:
			for _, reply := range r.opt.Control(ctx, q.req.Data) {
				// An answer in part is worth nothing, and the asker knows.
				if q.port.Send(&q.req, reply) != nil {
					break
				}
			}
		case <-ctx.Done():
			return
		}
	}
}
