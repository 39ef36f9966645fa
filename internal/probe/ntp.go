package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ntsd/internal/event"
	"ntsd/internal/mac"
	"ntsd/internal/ntptime"
	"ntsd/internal/nts"
	"ntsd/internal/siv"
	"ntsd/internal/status"
	"ntsd/internal/wire"
	"ntsd/internal/wording"
)

// request is one request to the NTP server, and what its reply has to match.
type request struct {
	data     []byte
	transmit ntptime.Timestamp
	uid      nts.UniqueID
	s2c      siv.AEAD // nil: a request without NTS
	key      *mac.Key // nil: without a symmetric key, too
}

// reply is what came back.
type reply struct {
	header         wire.Header
	cookies        [][]byte
	length         int
	sent, received event.Stamp
	kiss           wire.KissCode // 0: none
	authenticated  bool
}

// Reasons for which no reply can be used.
var (
	errNoReply    = errors.New("no reply")
	errNoCookie   = errors.New("no cookie is left")
	errKeyUnknown = errors.New("the server does not know the symmetric key, or another one by that number")
	errPlain      = errors.New("the reply has no NTS fields: something answers that is not the NTS server")
	errForged     = errors.New("the reply is not authentic: it was changed on the way, or is not the server's")
	errExhausted  = errors.New("no more requests in one test")
)

// plain returns a request without NTS, under the symmetric key if there is one.
func (t *test) plain() (*request, error) {
	hdr, err := t.header()
	if err != nil {
		return nil, err
	}
	r := &request{data: hdr.Append(nil), transmit: hdr.Transmit}
	if t.target.Key != nil && !t.target.Source.NTS {
		if r.key, err = mac.New(t.target.Key); err != nil {
			return nil, err
		}
		r.data = r.key.Append(r.data)
	}
	return r, nil
}

// header is that of every request. RFC 8915 §9.1, draft-ietf-ntp-data-minimization:
// nothing but the transmit timestamp, which is random.
func (t *test) header() (wire.Header, error) {
	var b [8]byte
	if _, err := io.ReadFull(t.Rand, b[:]); err != nil {
		return wire.Header{}, fmt.Errorf("no randomness: %w", err)
	}
	b[7] |= 1 // zero would mean "unknown" in the reply
	return wire.Header{
		Version: wire.Version, Mode: wire.ModeClient, Precision: 0x20,
		Transmit: ntptime.Timestamp(binary.BigEndian.Uint64(b[:])),
	}, nil
}

// secured returns a request with a cookie that is spent by it.
func (t *test) secured(placeholders int) (*request, error) {
	hdr, err := t.header()
	if err != nil {
		return nil, err
	}
	r := &request{transmit: hdr.Transmit}
	c2s, err := siv.New(t.session.AEAD, t.session.C2S)
	if err != nil {
		return nil, err
	}
	if r.s2c, err = siv.New(t.session.AEAD, t.session.S2C); err != nil {
		return nil, err
	}
	nonce := make([]byte, t.session.AEAD.NonceSize())
	for _, b := range [][]byte{nonce, r.uid[:]} {
		if _, err := io.ReadFull(t.Rand, b); err != nil {
			return nil, fmt.Errorf("no randomness: %w", err)
		}
	}
	cookie, ok := t.session.TakeCookie()
	if !ok {
		return nil, errNoCookie
	}
	r.data = nts.AppendClientRequest(nil, hdr, r.uid, cookie, placeholders, c2s, nonce)
	return r, nil
}

// exchange sends one request and waits for its reply. errNoReply wraps what the
// network said, if it did.
func (t *test) exchange(ctx context.Context, r *request) (reply, error) {
	if t.sent++; t.sent > maxRequests {
		return reply{}, errExhausted
	}
	socket, err := t.Network.Open(event.Send{To: t.ntp, Interface: t.target.Source.Interface, Data: r.data})
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", errNoReply, err)
	}
	defer socket.Close()
	ctx, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	if err := socket.Send(r.data); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errNoReply, err)
	}
	refusal := errNoReply
	buf := make([]byte, maxDatagram)
	for range maxReplies {
		n, sent, received, err := socket.Receive(buf)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			// An ICMP message can be forged, but nothing more can be heard.
			return reply{}, fmt.Errorf("%w: %w", errNoReply, err)
		}
		got, err := r.match(buf[:n])
		if err == nil {
			got.length, got.sent, got.received = n, sent, received
			return got, nil
		}
		if refusal == errNoReply && !errors.Is(err, errNoReply) {
			refusal = err // the true reply may follow
		}
	}
	return reply{}, refusal
}

// match tells whether data is the reply. errNoReply: it is none at all.
func (r *request) match(data []byte) (reply, error) {
	hdr, err := wire.ParseHeader(data)
	if err != nil || hdr.Mode != wire.ModeServer || hdr.Origin != r.transmit {
		return reply{}, errNoReply
	}
	got := reply{header: hdr}
	got.kiss, _ = hdr.KissCode()
	if r.key != nil {
		switch m := mac.Of(data); {
		case mac.IsNAK(m):
			return reply{}, errKeyUnknown
		case !r.key.Verify(data, m):
			return reply{}, errForged
		}
		got.authenticated = true
	}
	if r.s2c == nil {
		return got, nil
	}
	opened, err := nts.OpenResponse(data, &r.uid, r.s2c)
	switch {
	case err == nil:
		got.header, got.cookies, got.authenticated = opened.Header, opened.Cookies, true
		got.kiss, _ = opened.Header.KissCode()
		return got, nil
	case errors.Is(err, nts.ErrNotNTS):
		return reply{}, errPlain
	case errors.Is(err, nts.ErrUniqueID):
		return reply{}, errNoReply
	}
	if code, ok := nts.UnauthenticatedKiss(data, &r.uid); ok {
		got.kiss = code
		return got, nil
	}
	return reply{}, errForged
}

// first asks for the time, a few times if there is no reply, and returns why it
// did not get it.
func (t *test) first(ctx context.Context) (failure string) {
	t.step("asking " + t.ntp.String() + " for the time")
	why := errNoReply
	for range firstTries {
		r, err := t.next(0)
		if err != nil {
			return wording.Of(err)
		}
		got, err := t.exchange(ctx, r)
		if err == nil && got.kiss == wire.KissNTSN && t.session.UseAlternateKeys() {
			continue // the keys may have been exported the old way: nts.ExporterIDs
		}
		t.count(len(r.data), err == nil, r.s2c != nil)
		if err == nil {
			return t.judge(r, &got)
		}
		why = err
		if ctx.Err() != nil || !t.rest(ctx) {
			break
		}
	}
	if t.target.Source.NTS && errors.Is(why, errNoReply) && ctx.Err() == nil {
		return t.withoutNTS(ctx, why)
	}
	return unanswered(t.ntp.String(), why)
}

// next returns a request with so many placeholders, or a plain one.
func (t *test) next(placeholders int) (*request, error) {
	if t.target.Source.NTS {
		return t.secured(placeholders)
	}
	return t.plain()
}

// withoutNTS finds out whether only long requests get lost: a plain one is as
// short as they come. What it says is not used.
func (t *test) withoutNTS(ctx context.Context, why error) string {
	r, err := t.plain()
	if err != nil {
		return wording.Of(err)
	}
	_, err = t.exchange(ctx, r)
	t.count(len(r.data), err == nil, false)
	t.concludeLengths()
	if err == nil && t.result.SizeLoss != nil && t.result.SizeLoss.Suspected {
		return fmt.Sprintf("%v answers plain NTP, but no NTS request: %s", t.ntp, t.result.SizeLoss.Verdict)
	}
	return unanswered(t.ntp.String(), why)
}

// unanswered says in words that no usable reply came.
func unanswered(addr string, why error) string {
	if !errors.Is(why, errNoReply) {
		return addr + ": " + wording.Of(why)
	}
	if why == errNoReply {
		return addr + " does not answer: UDP may be blocked on the way, or nobody serves NTP there"
	}
	return fmt.Sprintf("%s does not answer: %s", addr, lastCause(why))
}

// lastCause is what the network said, without who says it.
func lastCause(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

// rest waits a moment between two requests; false means that time is up.
func (t *test) rest(ctx context.Context) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// judge writes down what a reply says, and returns why its time cannot be used.
func (t *test) judge(r *request, got *reply) (failure string) {
	t.session.SettleKeys()
	t.session.AddCookies(got.cookies)
	hdr := &got.header
	if got.kiss != 0 {
		t.stopped = got.kiss.String()
		switch got.kiss {
		case wire.KissNTSN:
			return "the server does not know its own cookies: its key establishment and its NTP server have different keys"
		case wire.KissRate:
			return "the server limits how often it is asked (RATE): try again later"
		}
		return fmt.Sprintf("the server refuses to answer (%v)", got.kiss)
	}
	t.measure(r, got)
	switch {
	case hdr.Receive.IsZero() || hdr.Transmit.IsZero():
		return "the server's reply has no timestamps"
	case hdr.Leap == wire.LeapUnknown || hdr.Stratum == 0 || hdr.Stratum >= 16:
		return "the server is not synchronised itself"
	}
	return ""
}

// measure computes offset and delay (RFC 5905 section 8, figure 15).
func (t *test) measure(r *request, got *reply) {
	now := t.Clock.Read()
	hdr := &got.header
	trip, response := got.received.At.Sub(got.sent.At), hdr.Transmit.Sub(hdr.Receive)
	delay := max(trip-response, 0)
	// Where our clock knows nothing, the era of the timestamps is that of the build.
	there := hdr.Receive.Wall(max(now.Wall, t.Floor)).Add(response / 2)
	here := now.Wall.Add(got.sent.At.Add(trip / 2).Sub(now.Mono))
	n := &NTP{
		Address: t.ntp.Addr().String(), Port: int(t.ntp.Port()), Authenticated: got.authenticated,
		Leap: status.Leap(hdr.Leap), Version: int(hdr.Version), Stratum: int(hdr.Stratum),
		ReferenceID: hdr.ReferenceID.Hex(), Reference: reference(hdr), PrecisionLog2: int(hdr.Precision),
		RootDelayS: hdr.RootDelay.Duration().Seconds(), RootDispersionS: hdr.RootDispersion.Duration().Seconds(),
		OffsetS: there.Sub(here).Seconds(), DelayS: delay.Seconds(), ResponseS: response.Seconds(),
		ErrorBoundS:  ((delay+hdr.RootDelay.Duration())/2 + hdr.RootDispersion.Duration()).Seconds(),
		RequestBytes: len(r.data), ReplyBytes: got.length, Cookies: len(got.cookies),
		Sent: status.StampName(got.sent.Kind), Received: status.StampName(got.received.Kind),
	}
	if !hdr.ReferenceTime.IsZero() {
		n.ReferenceTime = status.Time(hdr.ReferenceTime.Wall(there))
	}
	t.result.NTP = n
	t.patience = min(replyTime, leastReply+4*max(trip, 0))
}

// reference is the reference ID as people write it.
func reference(hdr *wire.Header) string {
	if hdr.Stratum <= 1 {
		return hdr.ReferenceID.String()
	}
	b := hdr.ReferenceID
	return fmt.Sprintf("%d.%d.%d.%d", b[0], b[1], b[2], b[3])
}
