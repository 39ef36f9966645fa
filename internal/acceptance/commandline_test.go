package acceptance

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ntsd/internal/ctl"
	"ntsd/internal/interop"
)

// tableRow is one of the tables in testdata.
type tableRow struct {
	line  int
	words []string
	exit  int
	form  string
	want  string // a regular expression
}

// tableRows reads the rows of a table whose columns are parted by " | ".
func tableRows(t *testing.T, file string) (all []tableRow) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.SplitN(line, " | ", 4)
		if len(columns) == 3 && strings.HasSuffix(columns[2], " |") {
			columns = append(columns[:2], strings.TrimSuffix(columns[2], " |"), "")
		}
		exit := 0
		if len(columns) == 4 {
			exit, err = strconv.Atoi(columns[1])
		}
		if len(columns) != 4 || err != nil {
			t.Fatalf("%s:%d: not a row: %q", file, i+1, line)
		}
		all = append(all, tableRow{i + 1, interop.ShellWords(columns[0]), exit, columns[2], columns[3]})
	}
	return all
}

// shape checks the output against the row.
func (r *tableRow) shape(t *testing.T, got result, want string) {
	t.Helper()
	fail := func(what string) {
		t.Helper()
		t.Errorf("line %d: %q: %s\nexit status %d, stdout %q\nstderr %q", r.line, r.words, what, got.exit, got.stdout, got.stderr)
	}
	if got.exit != r.exit {
		fail("want exit status " + strconv.Itoa(r.exit))
		return
	}
	// On a slow machine what takes long tells how it goes.
	got.stderr = regexp.MustCompile(`(?m)^ntsctl: .* \.\.\.\n`).ReplaceAllString(got.stderr, "")
	text := got.stdout
	kind, number, _ := strings.Cut(r.form, " ")
	switch kind {
	case "text":
	case "json":
		if !json.Valid([]byte(text)) {
			fail("want JSON")
		}
	case "csv":
		fields, _ := strconv.Atoi(number)
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(records) == 0 || slices.ContainsFunc(records, func(f []string) bool { return len(f) != fields }) {
			fail("want rows of " + number + " fields")
		}
	case "none":
		if text != "" {
			fail("want nothing")
		}
	case "error":
		if text = got.stderr; got.stdout != "" || strings.Count(text, "\n") != 1 {
			fail("want one line on standard error, and nothing else")
		}
	case "failure":
		text = got.stderr
	case "both":
		text = got.stdout + got.stderr
	default:
		fail("no form " + r.form)
	}
	if r.exit == 0 && got.stderr != "" && kind != "both" && kind != "failure" {
		fail("want nothing on standard error")
	}
	if strings.Contains(text, "\x1b") {
		fail("want no colours where there is no terminal")
	}
	if !regexp.MustCompile(want).MatchString(text) {
		fail("want " + want)
	}
}

// TestCommandLineTable: every command and flag does what the table in testdata
// says, on the built programs beside a daemon with live sources; there is no
// command and no flag that the table does not name.
func TestCommandLineTable(t *testing.T) {
	w := newWorld(t)
	ownInterfaces(t)
	s, plain := w.nts(nil), w.plain(nil)
	ntp, ke := freePort(t), freePort(t)
	d := w.start(w.config(source(s), source(plain), serving(ntp, "127.0.0.0/8"), section("smoothtime", "maxppm", "400", "maxwander", "0.01"), lanNTS(ke)))
	w.write("chrony.conf", "server time.example iburst nts\n")
	w.write("other.uci", section("ntsd 'main'", "clock", "none", "run_dir", filepath.Join(w.dir, "other"), "state_dir", filepath.Join(w.dir, "otherstate"))+source(plain))
	if err := os.Mkdir(filepath.Join(w.dir, "config"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("config/ntsd", w.config(source(s)))
	d.until("replies of both", func(r *report) bool {
		return r.Tracking.Synchronised && find(t, r, host(s)).Counters.Good >= 4 && find(t, r, host(plain)).Counters.Good >= 4
	})
	eventually(t, "the authority", func() bool { return d.ctl("ca").exit == 0 })
	fill := strings.NewReplacer("SERVER", host(s), "PLAIN", host(plain), "FOLDER", w.dir)
	fillWant := strings.NewReplacer("SERVER", regexp.QuoteMeta(host(s)), "PLAIN", regexp.QuoteMeta(host(plain)), "FOLDER", regexp.QuoteMeta(w.dir),
		"/etc/config/ntsd", ctl.ConfigFolder()+"/ntsd") // this machine's
	used := make(map[string]bool)
	for _, r := range tableRows(t, "commandline") {
		args := make([]string, len(r.words)-1)
		for i, word := range r.words[1:] {
			used[r.words[0]+" "+word] = true
			args[i] = fill.Replace(word)
		}
		if slices.Contains(args, "server "+host(plain)) { // its port is not the usual one
			args[len(args)-1] += " port " + strconv.Itoa(int(plain.NTPAddr().Port()))
		}
		if r.words[0] == "ntsctl" && !slices.Contains(args, "-h") {
			args = append([]string{"-h", d.socket}, args...)
		}
		if r.words[0] == "ntsd" && slices.Contains(args, "-u") && os.Geteuid() != 0 {
			continue
		}
		if _, err := os.Stat("/sys/class/rtc/rtc0"); err == nil && slices.Contains(args, "rtcdata") {
			continue // what the table says is of a machine without
		}
		cmd := exec.Command(tool(r.words[0]), args...)
		cmd.Dir = w.dir
		if slices.Contains(args, "top") && r.exit == 0 {
			r.shape(t, oneFrame(t, cmd), fillWant.Replace(r.want))
			continue
		}
		r.shape(t, runProgram(t, cmd), fillWant.Replace(r.want))
	}
	var commands []struct{ Name string }
	if err := json.Unmarshal([]byte(d.ask("help", "--json")), &commands); err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		if !used["ntsctl "+c.Name] {
			t.Errorf("ntsctl %s is not in the table", c.Name)
		}
	}
	flags := regexp.MustCompile(`(?m)^  (-\w|--\w+)\b|  (-\w|--\w+)  `)
	for program, text := range map[string]string{"ntsctl": d.ask("help"), "ntsd": ntsd(t, "-h").stdout} {
		found := flags.FindAllStringSubmatch(text, -1)
		if len(found) < 6 {
			t.Errorf("%s: %d flags in its help", program, len(found))
		}
		for _, m := range found {
			if name := m[1] + m[2]; !used[program+" "+name] {
				t.Errorf("%s %s is not in the table", program, name)
			}
		}
	}
}

// oneFrame runs the live view until it has shown something.
func oneFrame(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(runLimit, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	buf := make([]byte, 64<<10)
	n, err := io.ReadAtLeast(out, buf, 100)
	if err != nil {
		t.Error(err)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(out)
	_ = cmd.Wait()
	return result{stdout: string(bytes.Join([][]byte{buf[:n], rest}, nil)), exit: cmd.ProcessState.ExitCode()}
}
