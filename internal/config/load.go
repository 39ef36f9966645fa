package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"ntsd/internal/uci"
)

// Load reads and checks the file ntsd in the folder dir. read is os.ReadFile,
// or what stands for it. Where the file as a whole cannot be read there is no
// Config and one diagnostic, an Error: the caller keeps what it had.
func Load(dir string, read func(name string) ([]byte, error)) (*Config, []Diagnostic) {
	return LoadFile(filepath.Join(dir, PackageName), read)
}

// LoadFile is Load for a file of any name.
func LoadFile(file string, read func(name string) ([]byte, error)) (*Config, []Diagnostic) {
	var digest string
	p, diagnostics := parseFile(file, func(name string) ([]byte, error) {
		text, err := read(name)
		digest = Digest(text)
		return text, err
	})
	if p == nil {
		return nil, diagnostics
	}
	c, diagnostics := FromUCI(p)
	c.Digest = digest
	if c.Main.UseSystemServers {
		diagnostics = append(diagnostics, addSystem(c, file, read)...)
	}
	return c, diagnostics
}

// Digest tells texts of configurations apart: whoever has the text can see whether
// it is the one in force.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// parseFile reads a UCI file; without a Package there is one diagnostic, an Error.
func parseFile(file string, read func(name string) ([]byte, error)) (*uci.Package, []Diagnostic) {
	text, err := read(file)
	if err != nil {
		return nil, []Diagnostic{{Severity: Error, File: file, Message: "cannot be read: " + reason(err)}}
	}
	p, err := uci.Parse(file, text)
	if err != nil {
		return nil, []Diagnostic{Malformed(file, text, err)}
	}
	return p, nil
}

// Marked reports whether a text begins with a byte order mark, in UTF-8 or in
// UTF-16: as editors on other systems save, and uci does not read.
func Marked(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
}

// Malformed says what package uci has against the text of a file, in words for
// people: those of libuci are not.
func Malformed(file string, text []byte, err error) Diagnostic {
	d := Diagnostic{Severity: Error, File: file, Message: err.Error()}
	var syntax *uci.SyntaxError
	if !errors.As(err, &syntax) {
		return d
	}
	d.Line = syntax.Line
	quote, unterminated := strings.CutPrefix(syntax.Reason, "EOF with unterminated ")
	switch {
	case Marked(text):
		d.Message = "the file begins with a byte order mark: save it as UTF-8 without one"
	case unterminated: // where one is missing, all that follow change their part
		d.Message = "a quote " + quote + " opens here and never closes, or one is missing on a line before"
	case syntax.Reason == "invalid command":
		d.Message = "a line begins with config, option or list"
	case syntax.Reason == "too many arguments":
		d.Message = "here stands more than a name and a value; a value with blanks needs quotes"
	default:
		d.Message = syntax.Reason
	}
	return d
}

// reason returns what lies below the operation and the path, which the
// diagnostic names itself.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
