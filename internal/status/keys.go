package status

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// CA describes the certificate authority of the LAN and the server's
// certificate under it.
type CA struct {
	Subject     string `json:"subject"`
	Fingerprint string `json:"sha256"`
	File        string `json:"file"` // on the server
	PEM         string `json:"pem"`
	// Of the server's certificate; absent before the first.
	Names     []string `json:"names,omitempty"`
	NotBefore Time     `json:"not_before,omitzero"`
	NotAfter  Time     `json:"not_after,omitzero"`
	Next      Time     `json:"renewed,omitzero"` // when it will be replaced
}

// RenderCA writes what one needs to trust the authority.
func RenderCA(w io.Writer, c CA, o Options) error {
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

// NTSKeys is the state of the cookie keys; the keys themselves stay where they
// are.
type NTSKeys struct {
	Keys     []NTSKey `json:"keys"`                // the newest first
	Shared   string   `json:"keys_file,omitempty"` // of a fleet
	RotateS  float64  `json:"rotate_s"`
	Next     Time     `json:"next,omitzero"` // when the next key is due; zero: when the clock is synchronised
	Waiting  bool     `json:"waiting"`       // for synchronisation
	FlashDay int      `json:"flash_writes_day"`
	Flash    uint64   `json:"flash_writes"`
}

// NTSKey is one of them.
type NTSKey struct {
	ID    uint32  `json:"id"`
	State string  `json:"state"` // current, old, next
	Made  Time    `json:"made,omitzero"`
	AgeS  float64 `json:"age_s"`
}

// RenderNTSKeys writes a table of the keys.
func RenderNTSKeys(w io.Writer, k NTSKeys, o Options) error {
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
		if key.State != KeyNext {
			age = strings.TrimSpace(since(Ago(key.AgeS)))
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

// The states of a key.
const (
	KeyCurrent = "current" // cookies are sealed with it
	KeyOld     = "old"     // its cookies are still accepted
	KeyNext    = "next"    // another member of the fleet may have begun to use it
)
