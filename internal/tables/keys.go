package tables

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"ntsd/internal/status"
)

// CA writes what one needs to trust the authority.
func CA(w io.Writer, c status.CA, o Options) error {
	b := bufio.NewWriter(w)
	if o.CSV {
		writeCSV(b, []string{c.Subject, c.Fingerprint, c.File, c.NotBefore.String(), c.NotAfter.String(), c.Next.String(), strings.Join(c.Names, " ")})
		return flush(b)
	}
	fmt.Fprintf(b, "Authority   : %s\nSHA-256     : %s\nFile        : %s\n", c.Subject, c.Fingerprint, c.File)
	if len(c.Names) == 0 {
		b.WriteString("Certificate : none before the clock is synchronised\n")
		return flush(b)
	}
	fmt.Fprintf(b, "Certificate : %s to %s, renewed %s\nNames       : %s\n",
		day(c.NotBefore), day(c.NotAfter), day(c.Next), strings.Join(c.Names, ", "))
	if o.Verbose {
		b.WriteString("\nClients trust it with option trustedcerts (chrony: ntstrustedcerts) and the output of\n\"ntsctl ca export\"; they reach this server under the names above.\n")
	}
	return flush(b)
}

// NTSKeys writes a table of the keys.
func NTSKeys(w io.Writer, k status.NTSKeys, o Options) error {
	b := bufio.NewWriter(w)
	if o.CSV {
		for _, key := range k.Keys {
			writeCSV(b, []string{fmt.Sprint(key.ID), key.State, fmt.Sprint(int64(key.AgeS))})
		}
		return flush(b)
	}
	if len(k.Keys) == 0 {
		b.WriteString("No cookie keys: that needs section 'nts_server' and, unless it is not synchronised yet, a section 'allow'.\n")
		return flush(b)
	}
	b.WriteString("  Id        State    Age\n=========================\n")
	for _, key := range k.Keys {
		age := "-"
		if key.State != status.KeyNext {
			age = strings.TrimSpace(since(status.Ago(key.AgeS)))
		}
		fmt.Fprintf(b, "%-10d  %-7s  %4s\n", key.ID, key.State, age)
	}
	switch {
	case k.Waiting:
		b.WriteString("\nNo rotation before the clock is synchronised.\n")
	default:
		fmt.Fprintf(b, "\nNext rotation %s, one every %v.\n", k.Next, time.Duration(k.RotateS*float64(time.Second)))
	}
	if k.Shared != "" {
		fmt.Fprintf(b, "Shared with a fleet by %s.\n", k.Shared)
	}
	if o.Verbose {
		fmt.Fprintf(b, "Files written to flash: %d within a day, %d since the start.\n", k.FlashDay, k.Flash)
	}
	return flush(b)
}
