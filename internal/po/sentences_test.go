package po_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ntsd/internal/assoc"
	"ntsd/internal/bootstrap"
	"ntsd/internal/po"
	"ntsd/internal/selection"
)

// The daemon speaks English; LuCI finds its sentences again by their text and says
// them in the language of the page (resources/ntsd/words.js). So a sentence that
// LuCI does not know is one that nobody translates, and this test finds it in the
// sources.

// resources are LuCI's scripts.
const resources = "../../luci/luci-app-ntsd/htdocs/luci-static/resources/ntsd/"

// spoken are the packages whose sentences LuCI shows.
func spoken() []place {
	messages := []string{"fail", "warn", "note", "Message"}
	return []place{
		{folder: "advice", files: "seen"},
		{folder: "assoc", files: "verdict|request|reference"},
		{folder: "bootstrap"},
		{folder: "config", in: messages},
		{folder: "config/value", in: []string{"Want", "letters"}, prefix: "must be "},
		{folder: "daemon", files: "clocks|settings", in: []string{"Reason", "Floor", "FloorFrom"}},
		{folder: "engine", in: []string{"Text"}},
		{folder: "sources", in: []string{"Why", "trouble"}},
		{folder: "linux/refclock", in: []string{"reason"}},
		{folder: "linux/udp", files: "udp", in: []string{"New", "Reason"}},
		{folder: "mac", in: []string{"New", "Errorf"}},
		{folder: "middlebox"},
		{folder: "nts", files: "failure"},
		{folder: "ntske", files: "errors|verify|roots|address"},
		{folder: "probe", files: "desk|lengths|ntp|probe|target"},
		{folder: "refclock"},
		{folder: "resolve"},
		{folder: "selection", files: "state"},
	}
}

// internal are texts of these packages that no page shows, by what they are.
func internal() []string {
	return slices.Concat(
		[]string{ // not for people
			"remote error", "selected unsupported protocol version", "2006-01-02 15:04 MST", "server %s nts %s", "interval %s burst %s leak %s",
			"no randomness: %s", "cipher of key %s: %s", "key %s (%s)", "random generator failed: %s", "and others", "(not shown)", "trust in %s was revoked",
			"verdict %s", "class %s", "stage %s", "remote error:", "not a bound UDP socket of one family", "datagram too long", "send to", "receive from",
		},
		[]string{ // put together again by words.js: "%w (%w)", "a: b", and lists of words
			"%s of that family", "%s (unusable addresses only)", "%s; it has %s", "%s or %s",
			"must be debug, info, warn or error", "must be 30 (AES_128_GCM_SIV), 15 (AES_SIV_CMAC_256), 17 (AES_SIV_CMAC_512) or 16 (AES_SIV_CMAC_384)",
			"line %s: %s", "NTP server %s", "must be %s", "is not known%s", "this section type is not known%s", "server certificate: %s", "%s; left out",
		},
		[]string{ // for ntsctl only
			"%s, for something on the way drops them:", "the shortest with NTS has %s", "at most %s of 7 spare cookies are asked for at once",
			"requests of %s to %s bytes got replies", "; longer ones were not tried, the server answered %s",
		},
	)
}

// elsewhere is what words.js knows though no line of ours says it in one piece.
func elsewhere() []string {
	return []string{
		"connection refused", "network is unreachable", "no route to host", "i/o timeout", "operation not permitted", "permission denied",
		"no such file or directory",                            // the system's
		"open %s: %s", "send to %s: %s", "receive from %s: %s", // udp.OpError
		"no such host of that family", "no such host (unusable addresses only)", "is not known", "is not known; did you mean '%s'?",
		"this section type is not known", "this section type is not known; did you mean '%s'?", "option %s %s", "must be %s or %s", "is missing",
		"must be auto or a time from %s to %s in seconds, or with a unit (us, ms, s, m, h, d, w)", "must be majority or a whole number from %s to %s",
		"must be a truth value, or 'interval N burst N leak N' with interval from %s to %s, burst from %s to %s, leak from %s to %s",
		"error", "warning",
		// Of package foreign what an import in LuCI can bring; the rest is about files
		// that only ntsctl reads.
		"has no equivalent and is ignored", "the keyword %s has no equivalent and is ignored",
	}
}

// place is where sentences stand.
type place struct {
	folder string
	files  string   // without .go, as a regular expression; all
	in     []string // the calls, fields and variables that take them; all
	prefix string   // that somebody else puts before it
}

// TestSentences: whatever the daemon may say in a page, LuCI has it.
func TestSentences(t *testing.T) {
	known := phrases(t)
	for _, p := range spoken() {
		found, err := p.sentences()
		if err != nil || len(found) == 0 {
			t.Errorf("%s: %d sentences, %v", p.folder, len(found), err)
		}
		for _, s := range found {
			is := func(text string) bool { return slices.Contains(known, text) || slices.Contains(internal(), text) }
			if !slices.ContainsFunc(s.texts, is) {
				t.Errorf("%s: LuCI does not know %q: add it to words.js or messages.js and translate it (make po)", s.at, s.texts[0])
			}
		}
	}
	words := []string{}
	for i := range 256 {
		words = append(words, selection.State(i).String(), assoc.Verdict(i).String())
	}
	for _, w := range words {
		if !slices.Contains(known, w) && w != "unknown" && !strings.HasPrefix(w, "verdict ") {
			t.Errorf("LuCI does not know %q", w)
		}
	}
	script, err := os.ReadFile(resources + "words.js")
	for i := bootstrap.RungFloor; i.String() != "rung"; i++ {
		if !strings.Contains(string(script), "\t"+i.String()+": _('") && !strings.Contains(string(script), " "+i.String()+": _('") {
			t.Errorf("LuCI has no word for the rung %q, %v", i, err)
		}
	}
}

// TestNothingStale: whatever LuCI translates, the daemon says.
func TestNothingStale(t *testing.T) {
	said := elsewhere()
	for i := range 256 {
		said = append(said, selection.State(i).String(), assoc.Verdict(i).String())
	}
	for _, p := range spoken() {
		found, err := place{folder: p.folder, prefix: p.prefix}.sentences()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			said = append(said, s.texts...)
		}
	}
	for _, text := range phrases(t) {
		if !slices.Contains(said, text) {
			t.Errorf("nothing says %q any more", text)
		}
	}
}

// phrases are the sentences that LuCI knows, with %s for every placeholder.
func phrases(t *testing.T) []string {
	t.Helper()
	var known []string
	for _, name := range []string{"words.js", "messages.js"} {
		text, err := os.ReadFile(resources + name)
		if err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(string(text), "(function(_) {")
		list, _, _ = strings.Cut(list, "(function(text)")
		messages, err := po.Scan(name, []byte(list))
		if err != nil || len(messages) < 50 {
			t.Fatalf("%s: %d sentences, %v", name, len(messages), err)
		}
		for _, m := range messages {
			known = append(known, strings.ReplaceAll(m.ID, "%d", "%s"))
		}
	}
	return known
}

// sentence is a text of the daemon, with %s for what is put into it, and its
// variants.
type sentence struct {
	texts []string
	at    string
}

// sentences returns what a place says in more than one word.
func (p place) sentences() ([]sentence, error) {
	names, err := filepath.Glob(filepath.Join("..", p.folder, "*.go"))
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	wanted := regexp.MustCompile(`^(` + p.files + `)(_\w+)?\.go$`)
	var found []sentence
	for _, name := range names {
		if base := filepath.Base(name); strings.HasSuffix(base, "_test.go") || p.files != "" && !wanted.MatchString(base) {
			continue
		}
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			return nil, err
		}
		p.walk(f, len(p.in) == 0, func(e ast.Expr, text string) {
			texts := p.variants(text)
			if bare := strings.ReplaceAll(texts[0][min(len(p.prefix), len(texts[0])):], "%s", ""); word.MatchString(bare) && strings.Contains(texts[0], " ") {
				found = append(found, sentence{texts, files.Position(e.Pos()).String()})
			}
		})
	}
	return found, nil
}

// variants are a text with and without what may stand before it: words.js takes
// an error that wraps another one to pieces.
func (p place) variants(text string) []string {
	text = strings.TrimSpace(p.prefix + strings.TrimPrefix(text, path.Base(p.folder)+": "))
	return []string{text, strings.TrimPrefix(text, "%s: "), strings.TrimPrefix(text, "%s")}
}

// walk finds the texts below n; in: n is where they stand.
func (p place) walk(n ast.Node, in bool, tell func(ast.Expr, string)) {
	ast.Inspect(n, func(m ast.Node) bool {
		if m == n {
			return true
		}
		switch m := m.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.CallExpr:
			if !in && p.takes(m.Fun) {
				for _, a := range m.Args {
					p.walk(&ast.ExprStmt{X: a}, true, tell)
				}
				return false
			}
		case *ast.KeyValueExpr:
			if !in && p.takes(m.Key) {
				p.walk(&ast.ExprStmt{X: m.Value}, true, tell)
				return false
			}
		case *ast.AssignStmt:
			if !in && slices.ContainsFunc(m.Lhs, p.takes) {
				for _, x := range m.Rhs {
					p.walk(&ast.ExprStmt{X: x}, true, tell)
				}
				return false
			}
		case *ast.FuncDecl:
			if !in && p.takes(m.Name) {
				p.walk(m.Body, true, tell)
				return false
			}
		case ast.Expr:
			text, ok := template(m)
			if !in || !ok {
				return true
			}
			tell(m, text)
			if sum, ok := m.(*ast.BinaryExpr); ok { // calls in it say something of their own
				ast.Inspect(sum, func(x ast.Node) bool {
					call, ok := x.(*ast.CallExpr)
					if ok {
						p.walk(call, true, tell)
					}
					return !ok
				})
			}
			return false
		}
		return true
	})
}

// takes reports whether e is the name of something that takes sentences.
func (p place) takes(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return slices.Contains(p.in, e.Sel.Name)
	case *ast.Ident:
		return slices.Contains(p.in, e.Name)
	}
	return false
}

// word is one of several letters.
var word = regexp.MustCompile(`[a-zA-Z]{3}`)

// verb is a placeholder of fmt.
var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// template is the text that an expression makes.
func template(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return verb.ReplaceAllString(s, "%s"), err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, isX := template(e.X)
		y, isY := template(e.Y)
		if !isX {
			x = "%s"
		}
		if !isY {
			y = "%s"
		}
		return x + y, e.Op == token.ADD && (isX || isY)
	case *ast.ParenExpr:
		return template(e.X)
	}
	return "", false
}
