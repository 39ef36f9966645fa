package mac

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Format is whose file of keys it is.
type Format uint8

// The formats. Both have a line per key: id, type, secret. They differ in how a
// secret is written.
const (
	// FormatChrony: HEX:digits, or ASCII:text, or text as it stands; without a
	// type it is MD5. Comments are whole lines.
	FormatChrony Format = iota
	// FormatNTP is ntpsec's and ntpd's: up to 20 characters are text as it
	// stands, more are hexadecimal. Comments may follow a key.
	FormatNTP
)

// Implementation constants.
const (
	// MaxKeys bounds the keys of one file.
	MaxKeys = 1024
	// maxText is the longest secret of FormatNTP that is no hexadecimal number.
	maxText = 20
)

// LineError is what is wrong with a line of a file of keys.
type LineError struct {
	Line int // from 1
	Err  error
}

// ParseSecret reads a secret as chrony writes it. The error wraps ErrSecret.
func ParseSecret(text string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(text, "HEX:"); ok {
		return parseHex(digits)
	}
	text = strings.TrimPrefix(text, "ASCII:")
	switch {
	case text == "":
		return nil, fmt.Errorf("%w: it is empty", ErrSecret)
	case len(text) > MaxSecret:
		return nil, fmt.Errorf("%w: longer than %d octets", ErrSecret, MaxSecret)
	}
	return []byte(text), nil
}

// parseHex keeps the digits out of its error.
func parseHex(digits string) ([]byte, error) {
	if len(digits) > 2*MaxSecret {
		return nil, fmt.Errorf("%w: longer than %d octets", ErrSecret, MaxSecret)
	}
	b, err := hex.DecodeString(digits)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: not hexadecimal", ErrSecret)
	case len(b) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrSecret)
	}
	return b, nil
}

// ParseFile reads the text of a file of keys. What is wrong with a line stands
// in the errors, and the others count; of an id that stands twice the first
// does.
func ParseFile(text string, f Format) ([]Secret, []LineError) {
	var keys []Secret
	var wrong []LineError
	seen := map[uint32]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := f.words(line)
		if len(words) == 0 {
			continue
		}
		s, err := f.parse(words)
		switch {
		case err == nil && seen[s.ID]:
			err = fmt.Errorf("%w: %d stands twice", ErrID, s.ID)
		case err == nil && len(keys) == MaxKeys:
			return keys, append(wrong, LineError{n, fmt.Errorf("%w: more than %d keys", ErrID, MaxKeys)})
		case err == nil:
			seen[s.ID] = true
			keys = append(keys, s)
			continue
		}
		if len(wrong) < MaxKeys {
			wrong = append(wrong, LineError{n, err})
		}
	}
	return keys, wrong
}

// words returns those of a line, without a comment.
func (f Format) words(line string) []string {
	if f == FormatNTP {
		line, _, _ = strings.Cut(line, "#")
	}
	words := strings.Fields(line)
	if len(words) > 0 && strings.ContainsAny(words[0][:1], "!;#%") {
		return nil
	}
	return words
}

func (f Format) parse(words []string) (s Secret, err error) {
	if f == FormatChrony && len(words) == 2 {
		words = []string{words[0], "MD5", words[1]}
	}
	if len(words) != 3 {
		return s, fmt.Errorf("%w: a line holds id, type and secret", ErrSecret)
	}
	id, err := strconv.ParseUint(words[0], 10, 32)
	if err != nil || id == 0 {
		return s, ErrID
	}
	s.ID = uint32(id)
	if s.Type, err = ParseType(words[1]); err != nil {
		return s, err
	}
	if f == FormatNTP && len(words[2]) > maxText {
		s.Value, err = parseHex(words[2])
	} else if f == FormatNTP {
		s.Value = []byte(words[2])
	} else {
		s.Value, err = ParseSecret(words[2])
	}
	if err != nil {
		return s, err
	}
	return s, s.Check()
}
