package event

import (
	"net/netip"

	"ntsd/internal/clock"
)

// NoticeKind says what happened. The daemon turns notices into log lines and
// router events; the core itself never logs.
type NoticeKind uint8

// The notices. Each is given once per change, never once per packet.
const (
	NoticeSelected       NoticeKind = iota + 1 // Name, Addr: the reference source changed
	NoticeUnselectable                         // Text: why no source can be selected
	NoticeSynchronised                         // first synchronisation, or again after a loss
	NoticeUnsynchronised                       // Text: why
	NoticeStep                                 // Offset: the clock was stepped
	NoticeOffset                               // Offset: larger than logchange
	NoticeWrongClock                           // Offset: measured, and larger than may be stepped
	NoticeInterference                         // Offset: somebody else moved the clock
	NoticeKEDone                               // KE: keys established
	NoticeKEFailed                             // Text: why; once per reason
	NoticeNAK                                  // the server could not open our cookie
	NoticeKiss                                 // Text: the kiss code
	NoticeResolved                             // Text: the addresses, when a name first resolves
	NoticeResolveFailed                        // Text: why; once per reason
	NoticeReachable                            // replies come again
	NoticeUnreachable                          // Text: why the last replies were refused or missing
	NoticeReplaced                             // Addr took over; Text: the address that was given up
	NoticeFalseticker                          // the source disagrees with the majority
	NoticeTruechimer                           // it agrees again
	NoticeDuplicate                            // Text: the name that already uses this address
	NoticeLeap                                 // Text: a leap second is announced or withdrawn
	NoticeTentative                            // Text: who agreed on a time that certificates must still confirm
	NoticeTrusted                              // Text: who agreed on a time under strict certificates
	NoticeRevoked                              // Text: why a source lost the trust it had on trial
	NoticeBootstrap                            // Text: what the first time still waits for
	NoticeClockFailed                          // Text: why a reference clock cannot be read; once per reason
	NoticeClockWorks                           // it can
	NoticePathShort                            // Text: from which length on requests get no reply
	NoticePathOpen                             // those get replies again
)

// Notice is something people may want to know.
type Notice struct {
	Kind   NoticeKind
	Source SourceID
	Name   string // the configured name
	Addr   netip.Addr
	Offset clock.Offset
	Text   string
	KE     *KEInfo
	AEAD   string // with NoticeKEDone
	Count  int    // with NoticeKEDone: cookies received
	Length int    // with NoticeKEDone: their length in bytes
}
