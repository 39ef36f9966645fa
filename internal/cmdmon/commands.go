package cmdmon

import (
	"context"
	"encoding/binary"
	"fmt"

	"ntsd/internal/control"
	"ntsd/internal/status"
)

// simple translates the commands that mean no source in particular.
func simple(q *question) (control.Request, bool) {
	switch q.command {
	case cmdMakeStep:
		return control.Request{Cmd: control.CmdMakeStep}, true
	case cmdRefresh:
		return control.Request{Cmd: control.CmdRefresh}, true
	case cmdOnOffline:
		return control.Request{Cmd: control.CmdOnOffline}, true
	case cmdDump:
		return control.Request{Cmd: control.CmdDump}, true
	case cmdReloadSources:
		return control.Request{Cmd: control.CmdReload, Args: []string{control.ReloadSources}}, true
	case cmdRekey: // chrony's rekey reads the files of keys again
		return control.Request{Cmd: control.CmdReload}, true
	case cmdSmoothTime:
		if what := binary.BigEndian.Uint32(q.data); what <= 1 {
			return control.Request{Cmd: control.CmdSmoothTime, Args: []string{[]string{"reset", "activate"}[what]}}, true
		}
	}
	return control.Request{}, false
}

// do has the daemon carry out one command.
func (h *Handler) do(ctx context.Context, req control.Request) result {
	answer := h.Daemon.Answer(ctx, req)
	switch {
	case answer.OK:
		return success
	case answer.Code == control.CodeNoSource:
		return noSuchSource
	case req.Cmd == control.CmdSmoothTime:
		return notEnabled
	}
	return failed
}

// steer carries out a command for the sources that a network holds, or for all.
//
//	mask(20) address(20) and of burst good(4) total(4)
func (h *Handler) steer(ctx context.Context, q *question) result {
	mask, at := parseAddress(q.data), parseAddress(q.data[addressLength:])
	req := control.Request{Cmd: control.CmdOnline}
	switch q.command {
	case cmdOffline:
		req.Cmd = control.CmdOffline
	case cmdBurst:
		good := binary.BigEndian.Uint32(q.data[networkLength:])
		total := binary.BigEndian.Uint32(q.data[networkLength+4:])
		total = min(max(total, 1), control.MaxBurst)
		req.Cmd, req.Args = control.CmdBurst, []string{fmt.Sprintf("%d/%d", min(max(good, 1), total), total)}
	}
	if at == (address{}) {
		return h.do(ctx, req)
	}
	report, err := h.Daemon.Report(ctx)
	if err != nil {
		return failed
	}
	res := noSuchSource
	for i := range report.Sources {
		s := &report.Sources[i]
		if s.Kind == status.KindRefClock || !within(place(i, s), at, mask) {
			continue
		}
		one := req
		one.Args = append(req.Args[:len(req.Args):len(req.Args)], target(s))
		if done := h.do(ctx, one); res == noSuchSource || done == success {
			res = done
		}
	}
	return res
}

// target is what the daemon calls a source.
func target(s *status.Source) string {
	if s.Address != "" {
		return s.Address
	}
	return s.Name
}

// within reports whether a is b as far as the mask goes; one of another family
// is none.
func within(a, b, mask address) bool {
	if b.ip.IsValid() {
		b.ip = b.ip.Unmap()
	}
	if !a.ip.IsValid() || a.ip.BitLen() != b.ip.BitLen() {
		return a == b
	}
	if mask.ip.BitLen() != a.ip.BitLen() {
		return a.ip == b.ip
	}
	x, y, m := a.ip.AsSlice(), b.ip.AsSlice(), mask.ip.AsSlice()
	for i := range m {
		if (x[i]^y[i])&m[i] != 0 {
			return false
		}
	}
	return true
}
