package acceptance

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// option is a row of the table of options.
type option struct {
	sections  []string
	name      string
	standard  string // "-": none
	good, bad string
}

// optionRows reads the table of options.
func optionRows(t *testing.T) (all []option) {
	t.Helper()
	text, err := os.ReadFile("testdata/configuration")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		c := strings.Split(strings.NewReplacer(`\t`, "\t", `\x01`, "\x01").Replace(line), " | ")
		if len(c) != 5 {
			t.Fatalf("not a row: %q", line)
		}
		all = append(all, option{strings.Fields(c[0]), c[1], c[2], c[3], c[4]})
	}
	return all
}

// needed is what a section of that type must have beside one option to make
// sense.
func needed(typ, name string) map[string]string {
	more := make(map[string]string)
	switch typ {
	case "server", "pool", "peer":
		more["hostname"] = "time.example.net"
		if typ == "peer" {
			more["key"] = "7"
		}
	case "key":
		more["id"], more["secret"] = "8", "HEX:00112233445566778899aabbccddeeff"
		if name == "secret_file" {
			delete(more, "secret")
		}
	case "keyfile":
		more["file"] = "/etc/ntp.keys"
	case "refclock":
		more["driver"], more["parameter"] = "PPS", "/dev/pps0"
	case "nts_server":
		more["cert"], more["key"] = "/etc/ssl/a.crt", "/etc/ssl/a.key"
	}
	if slices.Contains([]string{"ntsport", "trustedcerts", "aead", "noval"}, name) && typ != "nts" && typ != "peer" {
		more["nts"] = "yes"
	}
	delete(more, name)
	return more
}

// with returns a file in which each section of the row has the option.
func (o *option) with(value string) string {
	file := section("server 'base'", "hostname", "127.0.0.1") + section("key", "id", "7", "secret", "HEX:00112233445566778899aabbccddeeff")
	for _, typ := range o.sections {
		var pairs []string
		more := needed(typ, o.name)
		for _, name := range slices.Sorted(maps.Keys(more)) {
			pairs = append(pairs, name, more[name])
		}
		file += section(typ, append(pairs, o.name, value)...)
	}
	return file
}

// TestConfigurationTable: every section and option is in the table,
// described in the manual, taken with a good value, and refused with a bad one,
// saying where, which and what is allowed.
func TestConfigurationTable(t *testing.T) {
	w := newWorld(t)
	var schema []struct {
		Type    string
		Options []struct {
			Name, Default, Allowed string
		}
	}
	if err := json.Unmarshal([]byte(runProgram(t, exec.Command(tool("ntsctl"), "options", "--json")).stdout), &schema); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "cmd", "ntsd", "ntsd.conf.5"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := make(map[string]string) // by "section.option"
	rows := optionRows(t)
	for _, s := range schema {
		for _, o := range s.Options {
			key := s.Type + "." + o.Name
			allowed[key] = o.Allowed
			i := slices.IndexFunc(rows, func(r option) bool { return r.name == o.Name && slices.Contains(r.sections, s.Type) })
			switch {
			case i < 0:
				t.Errorf("%s is not in testdata/configuration", key)
			case strings.Trim(rows[i].standard, "-") != o.Default:
				t.Errorf("%s: got the default %q, the table has %q", key, o.Default, rows[i].standard)
			case !regexp.MustCompile(`(?m)^\.It Cm ` + o.Name + `\b`).Match(page):
				t.Errorf("%s is not in ntsd.conf.5", key)
			}
		}
	}
	key := w.write("key", "HEX:00112233445566778899aabbccddeeff\n")
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		o := &rows[i]
		o.good = strings.ReplaceAll(o.good, "FOLDER/key", key)
		path := w.write("good", o.with(o.good))
		got := ntsd(t, "-p", "-f", path)
		if got.exit != 0 || strings.Contains(got.stderr, "ntsd: error") || o.name != "disabled" && o.sections[0] != "peer" && !strings.Contains(got.stdout, " "+o.name+" '") {
			t.Errorf("%v %s %q: exit status %d, %s", o.sections, o.name, o.good, got.exit, got.stderr)
		}
		path = w.write("bad", o.with(o.bad))
		got = ntsd(t, "-p", "-f", path)
		if got.exit != 1 {
			t.Errorf("%v %s %q: exit status %d\n%s", o.sections, o.name, o.bad, got.exit, got.stderr)
		}
		for _, typ := range o.sections {
			key := typ + "." + o.name
			if _, known := allowed[key]; !known {
				t.Errorf("there is no option %s", key)
				continue
			}
			o.refused(t, path, typ, allowed[key], got.stderr)
		}
	}
}

// refused checks that the complaint says all there is to say.
func (o *option) refused(t *testing.T, path, typ, allowed, complaints string) {
	t.Helper()
	value := " '" + strings.NewReplacer("\t", `\t`, "\x01", `\x01`).Replace(o.bad) + "'"
	if o.name == "secret" {
		value = "" // it is never repeated
	}
	want := regexp.MustCompile(fmt.Sprintf(`(?m)^ntsd: error: %s:\d+: @?%s\b[^:]*: option '%s'%s: .*$`, regexp.QuoteMeta(path), typ, o.name, regexp.QuoteMeta(value)))
	line := want.FindString(complaints)
	if !strings.Contains(line, allowed) {
		t.Errorf("%s.%s %q: got %q\nwant a line with %v and %q", typ, o.name, o.bad, complaints, want, allowed)
	}
}
