package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ntsd/internal/clock"
	"ntsd/internal/event"
)

// noticeLine says how a notice is logged.
type noticeLine struct {
	level   slog.Level
	message string
}

// noticeLines returns the log line of each notice.
func noticeLines() map[event.NoticeKind]noticeLine {
	info, warn := slog.LevelInfo, slog.LevelWarn
	return map[event.NoticeKind]noticeLine{
		event.NoticeSelected:       {info, "selected source"},
		event.NoticeUnselectable:   {warn, "no source can be selected"},
		event.NoticeSynchronised:   {info, "clock is synchronised"},
		event.NoticeUnsynchronised: {warn, "clock is not synchronised any more"},
		event.NoticeStep:           {warn, "clock was stepped"},
		event.NoticeOffset:         {info, "clock is being corrected"},
		event.NoticeWrongClock:     {warn, "clock is wrong by more than may be stepped; it is slewed. To step it now: ntsctl makestep"},
		event.NoticeInterference:   {warn, "another program moved the clock; is a second time daemon running?"},
		event.NoticeKEDone:         {info, "NTS keys established"},
		event.NoticeKEFailed:       {warn, "NTS key establishment failed"},
		event.NoticeNAK:            {info, "server could not open our cookie; new keys at the next poll"},
		event.NoticeKiss:           {warn, "server sent a kiss of death"},
		event.NoticeResolved:       {info, "name resolved"},
		event.NoticeResolveFailed:  {warn, "name does not resolve"},
		event.NoticeReachable:      {info, "source answers again"},
		event.NoticeUnreachable:    {warn, "source gives no usable reply"},
		event.NoticeReplaced:       {info, "source replaced by another address of its name"},
		event.NoticeFalseticker:    {warn, "source disagrees with the majority"},
		event.NoticeTruechimer:     {info, "source agrees with the majority again"},
		event.NoticeDuplicate:      {warn, "source has the address of another one and is not used"},
		event.NoticeLeap:           {info, "leap second"},
		event.NoticeTentative:      {info, "the time was found on trial; certificates are checked again at that time"},
		event.NoticeTrusted:        {info, "the time is trusted"},
		event.NoticeRevoked:        {slog.LevelError, "TRUST REVOKED: the certificate of a server that helped to find the time is not valid at that time"},
		event.NoticeBootstrap:      {warn, "the first time is still missing; see ntsctl bootstrap"},
		event.NoticeClockFailed:    {warn, "reference clock cannot be read"},
		event.NoticeClockWorks:     {info, "reference clock can be read"},
		event.NoticePathShort:      {warn, "the network drops long NTP packets"},
		event.NoticePathOpen:       {info, "long NTP packets get replies again"},
	}
}

// notice logs what the engine found worth telling.
func (d *Daemon) notice(n event.Notice) {
	line, ok := noticeLines()[n.Kind]
	if !ok {
		line = noticeLine{slog.LevelInfo, fmt.Sprintf("notice %d", n.Kind)}
	}
	if d.saidOfNetwork(n) || n.Kind == event.NoticeSelected && d.selections.often(d.opt.Clock.Read().Mono) {
		line.level = slog.LevelDebug
	}
	d.opt.Log.Log(context.Background(), line.level, line.message, d.attributes(n)...)
}

// saidOfNetwork reports whether n says of another source that the network is
// down, as one did already: every source says so when a router boots.
func (d *Daemon) saidOfNetwork(n event.Notice) bool {
	said := d.networkDown
	switch n.Kind {
	case event.NoticeResolved, event.NoticeKEDone:
		d.networkDown = false
	case event.NoticeResolveFailed, event.NoticeKEFailed:
		// As packages resolve and ntske put it.
		if !strings.HasPrefix(n.Text, "no name server reachable") && !strings.HasPrefix(n.Text, "no route to ") {
			return false
		}
		d.networkDown = true
		return said
	}
	return false
}

// selectionsAnHour bounds the lines about a newly selected source: two that are as
// good may take turns however long one must be better.
const selectionsAnHour = 4

// selections are when the last lines about a selected source were written.
type selections struct {
	at [selectionsAnHour]clock.Mono
	n  int
}

// often reports whether an hour has had its lines; if not, now has one.
func (s *selections) often(now clock.Mono) bool {
	at := &s.at[s.n%selectionsAnHour]
	if s.n >= selectionsAnHour && now.Before(at.Add(time.Hour)) {
		return true
	}
	*at = now
	s.n++
	return false
}

func (d *Daemon) attributes(n event.Notice) []any {
	var attrs []any
	if who := sourceName(n); who != "" {
		attrs = append(attrs, "source", who)
	}
	switch {
	case n.Text == "":
	case n.Kind == event.NoticeResolved:
		attrs = append(attrs, "address", n.Text)
	case n.Kind == event.NoticeKiss:
		attrs = append(attrs, "reason", kissText(n.Text))
	default:
		attrs = append(attrs, "reason", n.Text)
	}
	if n.Offset != 0 {
		attrs = append(attrs, "offset_s", fmt.Sprintf("%.6f", n.Offset.Seconds()))
	}
	if n.KE != nil {
		attrs = append(attrs, keAttributes(n, d.opt.Log.Enabled(context.Background(), slog.LevelDebug))...)
	}
	return attrs
}

// kissText says what a server wants with a kiss-o'-death (RFC 5905 section 7.4).
func kissText(code string) string {
	switch code {
	case "DENY", "RSTR":
		return code + ": it does not serve this address; name another server"
	case "RATE":
		return code + ": it is asked too often; it is asked less often from now on"
	}
	return code
}

// sourceName writes a source as "address (name)", as chrony's users know it.
func sourceName(n event.Notice) string {
	switch {
	case !n.Addr.IsValid():
		return n.Name
	case n.Name == "" || n.Name == n.Addr.String():
		return n.Addr.String()
	}
	return fmt.Sprintf("%s (%s)", n.Addr, n.Name)
}

// keAttributes are what an operator wants to know of an establishment, or all of
// it: three of those lines would fill the window of a router's log.
func keAttributes(n event.Notice, all bool) []any {
	ke := n.KE
	until := ke.NotAfter.Time()
	if !all {
		attrs := []any{"issuer", ke.Issuer, "not_after", until.Format(time.DateOnly)}
		if n.AEAD != "" {
			attrs = append(attrs, "aead", n.AEAD, "cookies", n.Count)
		}
		return attrs
	}
	attrs := []any{
		"tls", ke.TLSVersion, "cipher", ke.CipherSuite, "group", ke.Group,
		"subject", ke.Subject, "issuer", ke.Issuer,
		"not_before", ke.NotBefore.Time().Format(time.RFC3339), "not_after", until.Format(time.RFC3339),
	}
	if n.AEAD != "" {
		attrs = append(attrs, "aead", n.AEAD, "cookies", n.Count, "cookie_bytes", n.Length)
	}
	return append(attrs, "duration_ms", ke.Duration.Milliseconds())
}
