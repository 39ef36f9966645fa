package ntpq

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"ntsd/internal/status"
	"ntsd/internal/tables"
)

// Implementation constants.
const (
	// ntpq gives names 15 columns, and up to 39 where the terminal has them; here
	// they get what the longest needs.
	leastName = 15
	mostName  = 39
	refWidth  = 15
)

// Render writes ntpq's peers. Of the options Numeric, NamesOnly, CSV and Color
// count. CSV has the same fields in the same units: milliseconds, and seconds
// for when, which is -1 where there was nothing.
func Render(w io.Writer, peers []Peer, o tables.Options) error {
	if o.CSV {
		return renderCSV(w, peers, o)
	}
	b := bufio.NewWriter(w)
	width := leastName
	for i := range peers {
		width = max(width, len([]rune(name(&peers[i], o))))
	}
	if !o.NamesOnly {
		width = min(width, mostName)
	}
	header := fmt.Sprintf("%-*s       refid      st t when poll reach   delay   offset   jitter", width, "     remote")
	fmt.Fprintf(b, "%s\n%s\n", header, strings.Repeat("=", len(header)))
	for i := range peers {
		p := &peers[i]
		remote := []rune(name(p, o))
		if len(remote) > width {
			remote = remote[:width]
		}
		line := fmt.Sprintf("%s%-*s %-*s %2d %s %4s %4s  %3o %s %s %s", p.Tally, width, string(remote), refWidth, dotted(p.RefID),
			p.Stratum, p.Type, when(p.When), interval(p.Poll), p.Reach,
			Milliseconds(p.DelayS), Milliseconds(p.OffsetS), Milliseconds(p.JitterS))
		fmt.Fprintln(b, o.Paint(p.Tally, line))
	}
	return flush(b)
}

func renderCSV(w io.Writer, peers []Peer, o tables.Options) error {
	c := csv.NewWriter(w)
	for i := range peers {
		p := &peers[i]
		remote := p.Name
		if !o.NamesOnly && p.Address != "" {
			remote = p.Address
		}
		if err := c.Write([]string{
			p.Tally, remote, p.RefID, strconv.Itoa(p.Stratum), p.Type, strconv.FormatInt(int64(p.When), 10),
			strconv.FormatInt(p.Poll, 10), strconv.FormatInt(int64(p.Reach), 8), ms(p.DelayS), ms(p.OffsetS), ms(p.JitterS),
		}); err != nil {
			return fmt.Errorf("ntpq: write: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("ntpq: write: %w", err)
	}
	return nil
}

func flush(b *bufio.Writer) error {
	if err := b.Flush(); err != nil {
		return fmt.Errorf("ntpq: write: %w", err)
	}
	return nil
}

func name(p *Peer, o tables.Options) string {
	if o.Numeric && p.Address != "" {
		return p.Address
	}
	return p.Name
}

// dotted sets letters between dots, as ntpq does with what is no address.
func dotted(id string) string {
	if strings.ContainsAny(id, ".:") {
		return id
	}
	return "." + id + "."
}

// ms shows seconds in milliseconds with six decimals.
func ms(seconds float64) string { return strconv.FormatFloat(seconds*1e3, 'f', 6, 64) }

// Milliseconds shows seconds in milliseconds, in eight columns with as many
// decimals as there is room for, four at most.
func Milliseconds(seconds float64) string {
	x := math.Round(seconds*1e9) / 1e6 // the number nearest to so many nanoseconds
	room := 1e8
	if x < 0 {
		room = 1e7 // the sign takes a column
	}
	for decimals, limit := 4, room/1e5; decimals > 0; decimals, limit = decimals-1, limit*10 {
		if x < limit && -x < limit {
			return fmt.Sprintf("%8.*f", decimals, x)
		}
	}
	return fmt.Sprintf("%8d", int64(max(min(x, 99999999), -9999999)))
}

// when shows how long ago something was.
func when(a status.Ago) string {
	if a == status.Never {
		return "-"
	}
	return interval(int64(a))
}

// interval shows seconds in four columns at most, in ntpq's units and with its
// rounding.
func interval(seconds int64) string {
	const inSeconds, inMinutes, inHours = 2048, 300, 96
	if seconds <= 0 {
		return "-"
	}
	if seconds <= inSeconds {
		return strconv.FormatInt(seconds, 10)
	}
	n := (seconds + 29) / 60
	if n <= inMinutes {
		return strconv.FormatInt(n, 10) + "m"
	}
	if n = (n + 29) / 60; n <= inHours {
		return strconv.FormatInt(n, 10) + "h"
	}
	return strconv.FormatInt((n+11)/24, 10) + "d"
}
