package assoc

import (
	"slices"

	"ntsd/internal/event"
	"ntsd/internal/middlebox"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/wire"
)

// appendLength appends a request that is as long as the path lets through, as
// far as is known. Where nothing has come back to new keys it may be one without
// a cookie: its reply is never believed, but it came.
func (a *Assoc) appendLength(hdr wire.Header, out []event.Action) (data []byte, _ []event.Action) {
	k := &a.keys.session
	held, cookie := len(k.Cookies)-1, k.Cookies[0]
	w := middlebox.Want{
		Placeholders: nts.Placeholders(held, cookie, nts.MaxCookies), Step: nts.PlaceholderLen(cookie),
		Last: held == 0, Fresh: !a.keys.proven && !a.keys.restored,
	}
	if a.way.Undecided() {
		var coin [1]byte
		a.random(coin[:])
		w.Coin = coin[0]
	}
	c := a.way.Next(w)
	if a.request.bare = c.Bare; c.Bare {
		data = hdr.Append(nil)
	} else {
		a.env.NTS.Sent++
		data, out = a.appendNTS(hdr, c.Placeholders, out)
	}
	a.way.Sent(len(data))
	return data, out
}

// shortAnswered notes the reply to a request without a cookie. It tells no time,
// but that the server is there, and so is worth asking again soon.
func (a *Assoc) shortAnswered(out []event.Action) ([]event.Action, Verdict) {
	a.request.answered, a.doubtful = true, true
	a.schedule(a.request.asked)
	return a.closeSocket(a.lengthPassed(out)), VerdictShort
}

// lengthPassed notes that something came back for the last request.
func (a *Assoc) lengthPassed(out []event.Action) []event.Action {
	a.way.Answered()
	return a.tellPath(out)
}

// lengthLost notes that nothing did. What the network refused does not count,
// nor does what was answered, but not as it should be.
func (a *Assoc) lengthLost(out []event.Action) []event.Action {
	if !a.cfg.NTS || a.request.problem != "" || a.request.verdict != VerdictAccepted {
		return out
	}
	a.way.Lost()
	return a.tellPath(out)
}

// tellPath says once what became known of the path, and has new keys
// established if their packets may be shorter.
func (a *Assoc) tellPath(out []event.Action) []event.Action {
	f := a.way.Finding()
	if f.Found() == a.wayTold {
		return out
	}
	a.wayTold = f.Found()
	if !a.wayTold {
		return append(out, a.notice(event.NoticePathOpen, ""))
	}
	if !a.shorter && a.keys.session.AEAD != siv.AES128GCMSIV && !slices.Equal(a.offered(), a.cfg.AEADs) {
		a.shorter, a.keys.rekey = true, true
	}
	return append(out, a.notice(event.NoticePathShort, f.String()))
}

// offered are the algorithms for a key establishment. Where long packets get
// lost the one with the shortest cookies comes first.
func (a *Assoc) offered() []siv.Algorithm {
	i := slices.Index(a.cfg.AEADs, siv.AES128GCMSIV)
	if i <= 0 || !a.way.Finding().Found() {
		return a.cfg.AEADs
	}
	rest := slices.Delete(slices.Clone(a.cfg.AEADs), i, i+1)
	return append([]siv.Algorithm{siv.AES128GCMSIV}, rest...)
}

// FollowPath goes on with what a dead address of the same server has led to
// suspect.
func (a *Assoc) FollowPath(dead *Assoc) { a.way.Follow(&dead.way) }

// PathClosed reports that only requests without NTS get replies.
func (a *Assoc) PathClosed() bool { return a.way.Finding().Closed }
