package status

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

// The states of a key.
const (
	KeyCurrent = "current" // cookies are sealed with it
	KeyOld     = "old"     // its cookies are still accepted
	KeyNext    = "next"    // another member of the fleet may have begun to use it
)
