package wording_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/wording"
)

// spoken is an error that knows its words.
type spoken struct{}

func (spoken) Error() string  { return "udp: send to 192.0.2.1:123: EHOSTUNREACH" }
func (spoken) Reason() string { return "no route to 192.0.2.1:123" }

func TestOf(t *testing.T) {
	inner := errors.New("nts: cookie expired")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{inner, "cookie expired"},
		{errors.New("cookie expired"), "cookie expired"},
		{fmt.Errorf("ntske: %w", inner), "cookie expired"},
		{fmt.Errorf("store: /run/ntsd/drift: refused: %w", inner), "/run/ntsd/drift: refused: cookie expired"},
		{fmt.Errorf("ubus: no answer (%w)", inner), "no answer (cookie expired)"},
		{fmt.Errorf("ntske: server certificate: a.pem: %w", errors.New("tls: no key")), "server certificate: a.pem: no key"},
		{errors.Join(inner, errors.New("store: read folder: gone")), "cookie expired; read folder: gone"},
		{&fs.PathError{Op: "store: open", Path: "/etc/keys", Err: fs.ErrPermission}, "open /etc/keys: permission denied"},
		{spoken{}, "no route to 192.0.2.1:123"},
		{fmt.Errorf("first: %w; second", spoken{}), "first: no route to 192.0.2.1:123; second"},
		// What is not ours stays: names, addresses, words that packages are called by.
		{errors.New("open [2001:db8::1]:123: refused"), "open [2001:db8::1]:123: refused"},
		{errors.New("the daemon: stopped"), "the daemon: stopped"},
		{errors.New("server: gone"), "server: gone"},
		{errors.New("nts"), "nts"},
		{errors.New("read: nts"), "read: nts"},
		{errors.New("ntsd: nts.example: gone"), "ntsd: nts.example: gone"},
	} {
		if got := wording.Of(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

// silent are packages whose errors reach nobody but a developer: tests and their
// worlds, programs that are not on a router, and server, which only panics.
const silent = " acceptance archtest guest interop linetab plot po router scenario server sim standin vmtest "

// TestEveryPackage: whichever package begins its errors with its name, people do
// not read that.
func TestEveryPackage(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil || strings.Contains(silent, " "+file.Name.Name+" ") {
			return err
		}
		prefix := file.Name.Name + ": "
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil || !strings.HasPrefix(text, prefix) {
				return true
			}
			found++
			if got := wording.Plain(text + "x"); strings.HasPrefix(got, prefix) {
				t.Errorf("%s: %q keeps its package's name: add it to isPackage, or to silent", path, text)
			}
			return true
		})
		return nil
	})
	if err != nil || found < 100 {
		t.Errorf("%d texts with a package's name, %v", found, err)
	}
}
