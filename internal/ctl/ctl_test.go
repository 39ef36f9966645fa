package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/control"
	"ntsd/internal/status"
	"ntsd/internal/status/captured"
)

// cannedReport is what the tests' daemon tells: the numbers of
// testdata/peer-outputs, with names.
func cannedReport() status.Report {
	return status.Report{
		Time:   status.Time(clock.WallUnix(1795302919, 0)),
		Daemon: status.Daemon{Version: "1.0", PID: 42, UptimeS: 93784},
		Tracking: status.Tracking{
			Synchronised: true, Authenticated: true, ReferenceID: "0A420001", ReferenceName: "ntp1.example.net",
			ReferenceAddress: "10.66.0.1", Stratum: 2, ReferenceTime: status.Time(clock.WallUnix(1795302917, 29233339)),
			CorrectionS: -3.873e-6, LastOffsetS: 3.4e-8, RMSOffsetS: 3.18e-7, FreqPPM: 0.005, SkewPPM: 0.037,
			RootDelayS: 12868e-9, RootDispersionS: 3553e-9, UpdateIntervalS: 16.3, Updates: 8,
		},
		Activity: status.Activity{Online: 2},
		Sources: []status.Source{
			{
				Ident: status.Ident{Name: "ntp1.example.net", Address: "10.66.0.1", Port: 123, Kind: "server"},
				Sample: status.Sample{
					Mark: "*", Online: true, Stratum: 1, PollLog2: 4, Reach: 255, LastRx: 2,
					AdjustedOffsetS: 133e-9, MeasuredOffsetS: 167e-9, ErrorBoundS: 6451e-9,
				},
				Selection: status.Selection{Letter: "*", State: "selected", Score: 1},
				Auth: status.Auth{
					Mode: "nts", KeyID: 1, AEAD: 30, AEADName: "AES-128-GCM-SIV", KeyBits: 128, LastKE: 72, Cookies: 8,
					CookieBytes: 64, NextKE: status.Never,
				},
			},
			{
				Ident: status.Ident{Name: "ntp2.example.net", Address: "10.66.1.1", Port: 123, Kind: "server"},
				Sample: status.Sample{
					Mark: "?", Online: true, Stratum: 1, PollLog2: 4, Reach: 255, LastRx: 18,
					AdjustedOffsetS: -4675e-9, MeasuredOffsetS: -4645e-9, ErrorBoundS: 1418e-9,
				},
				Selection: status.Selection{Letter: "T", State: "not trusted", Why: "authenticated sources are required", Score: 1},
				Auth:      status.Auth{Mode: "none", LastKE: status.Never, NextKE: status.Never},
			},
		},
	}
}

// fakeDaemon answers on a socket and remembers what it was asked.
type fakeDaemon struct {
	socket string

	mu     sync.Mutex
	asked  []string
	report status.Report
	// change is applied to the report before each answer; it gets the number
	// of the question.
	change func(n int, r *status.Report)
}

func startFake(t *testing.T) *fakeDaemon {
	t.Helper()
	f := &fakeDaemon{socket: filepath.Join(t.TempDir(), "ntsd.sock"), report: cannedReport()}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.NewServer(f.answer).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fakeDaemon) answer(_ context.Context, req control.Request) control.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, strings.Join(append([]string{req.Cmd}, req.Args...), " "))
	if req.Cmd == control.CmdReport {
		r := f.report
		if f.change != nil {
			f.change(len(f.asked), &r)
		}
		return control.Reply(r)
	}
	if req.Cmd == control.CmdServerStats {
		return control.Reply(status.ServerStats{Authenticated: 3})
	}
	if req.Cmd == control.CmdClients {
		return control.Reply([]status.Client{})
	}
	cmd, known, err := req.Event()
	switch {
	case err != nil:
		return control.Fail(control.CodeArguments, err.Error())
	case !known && req.Cmd != control.CmdReload && req.Cmd != control.CmdDump && req.Cmd != control.CmdOnOffline:
		return control.Fail(control.CodeUnknown, "no command")
	case cmd.Target == "nobody" || cmd.Target == "nts":
		return control.Fail(control.CodeNoSource, "no source")
	}
	return control.Done()
}

// terminalWidth is what help texts keep to.
const terminalWidth = 80

// testVersion is what the client is told that it is.
const testVersion = "9.8-test"

// ntsctl runs the client against f.
func (f *fakeDaemon) ntsctl(args ...string) (status int, stdout, stderr string) {
	return ntsctl(append([]string{"-h", f.socket}, args...)...)
}

func ntsctl(args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = Main(args, Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Version: testVersion})
	return status, out.String(), errs.String()
}

// TestCompletionOfOtherShells: what chooses the shell can stand in any start
// file.
func TestCompletionOfOtherShells(t *testing.T) {
	_, choice, _ := ntsctl("completion")
	for _, shell := range [][]string{{"busybox", "ash"}, {"dash"}, {"sh"}} {
		path, err := exec.LookPath(shell[0])
		if err != nil {
			continue
		}
		cmd := exec.Command(path, append(shell[1:], "-euc", choice)...)
		cmd.Env = []string{"PATH=/nowhere"}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: got %q, %v", shell, out, err)
		}
	}
	if bash, err := exec.LookPath("bash"); err == nil {
		out, err := exec.Command(bash, "--norc", "-c", "ntsctl() { echo echo \"$@\"; }\n"+choice).CombinedOutput()
		if got := string(out); err != nil || got != "completion bash\n" {
			t.Errorf("bash: got %q, %v", got, err)
		}
	}
	if zsh, err := exec.LookPath("zsh"); err == nil {
		_, script, _ := ntsctl("completion", "zsh")
		if out, err := exec.Command(zsh, "-nc", script).CombinedOutput(); err != nil {
			t.Errorf("zsh: %v: %s", err, out)
		}
	}
	if code, _, errs := ntsctl("completion", "fish"); code != ExitUsage || !strings.Contains(errs, "neither bash nor zsh") {
		t.Errorf("fish: got %d, %s", code, errs)
	}
}

func TestTablesAsChronyc(t *testing.T) {
	f := startFake(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-n", "sources"}, "sources-n"},
		{[]string{"sources", "-n"}, "sources-n"},
		{[]string{"-c", "sources"}, "sources-c"},
		{[]string{"sources", "--csv", "-a"}, "sources-c"},
		{[]string{"authdata", "-n"}, "authdata-n"},
		{[]string{"-nc", "authdata"}, "authdata-c"},
		{[]string{"activity"}, "activity"},
		{[]string{"-c", "activity"}, "activity-c"},
	} {
		code, got, errs := f.ntsctl(c.args...)
		if code != ExitDone || errs != "" {
			t.Errorf("%v: status %d, stderr %q", c.args, code, errs)
		}
		if want := captured.Printed(t, "chronyc-"+c.want); got != want {
			t.Errorf("%v: got\n%swant\n%s", c.args, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	f := startFake(t)
	f.report.Sources[0].Name = "a-name-of-many.letters.example.net"
	for _, c := range []struct{ flag, want string }{
		{"-a", "^* a-name-of-many.letters.e>   "},
		{"-N", "^* a-name-of-many.letters.example.net   1"},
		{"-n", "^* 10.66.0.1   "},
	} {
		if _, got, _ := f.ntsctl("sources", c.flag); !strings.Contains(got, c.want) {
			t.Errorf("%s: got\n%swant a line with %q", c.flag, got, c.want)
		}
	}
	if _, got, _ := f.ntsctl("-c", "-N", "sources"); !strings.HasPrefix(got, "^,*,a-name-of-many.letters.example.net,1,") {
		t.Errorf("-c -N: got %s", got)
	}
}

func TestVerboseSaysWhy(t *testing.T) {
	f := startFake(t)
	f.report.Sources[0].Auth.TLS = &status.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", Group: "X25519MLKEM768", PostQuantum: true, DurationS: 0.031}
	f.report.Sources[0].Auth.Certificate = &status.Certificate{Subject: "CN=ntp1.example.net", Issuer: "CN=Test CA", NotAfter: f.report.Time + 10*86400e9}
	_, got, _ := f.ntsctl("sources", "-v")
	for _, want := range []string{
		"authenticated sources are required", "CN=ntp1.example.net", "10 days left", "TLS 1.3", "AES-128-GCM-SIV", "(post-quantum)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("sources -v lacks %q:\n%s", want, got)
		}
	}
}

func TestJSON(t *testing.T) {
	f := startFake(t)
	for _, command := range []string{"sources", "sourcestats", "selectdata", "authdata", "ntpdata"} {
		_, got, _ := f.ntsctl(command, "--json")
		var list []map[string]any
		if err := json.Unmarshal([]byte(got), &list); err != nil || len(list) != 2 || list[0]["address"] != "10.66.0.1" {
			t.Errorf("%s: %v in\n%s", command, err, got)
		}
	}
	for command, key := range map[string]string{"tracking": "correction_s", "activity": "online", "report": "daemon"} {
		_, got, _ := f.ntsctl(command, "--json")
		var object map[string]any
		if err := json.Unmarshal([]byte(got), &object); err != nil || object[key] == nil {
			t.Errorf("%s: %v, no %q in\n%s", command, err, key, got)
		}
	}
	if code, got, _ := f.ntsctl("online", "--json"); code != ExitDone || got != "{\"ok\": true}\n" {
		t.Errorf("online --json: %d %q", code, got)
	}
}

// TestClientsFlags: -k, -p and -r belong to this command alone.
func TestClientsFlags(t *testing.T) {
	for _, c := range []struct {
		args, asked string
		code        int
	}{
		{"clients", "clients 0", ExitDone},
		{"-n clients -k", "clients 0", ExitDone},
		{"clients -p 5 -k -c", "clients 5", ExitDone},
		{"clients -rp 5", "clients 5 reset", ExitDone},
		{"clients -p", "", ExitUsage},
		{"clients 5", "", ExitUsage},
		{"-k clients", "", ExitUsage},
		{"sources -k", "", ExitUsage},
	} {
		f := startFake(t)
		code, out, errs := f.ntsctl(strings.Fields(c.args)...)
		if code != c.code || strings.Join(f.asked, "; ") != c.asked || (code != ExitDone) != (errs != "") {
			t.Errorf("%s: got status %d, asked %q, stderr %q; want %d, %q", c.args, code, f.asked, errs, c.code, c.asked)
		}
		if title := strings.Contains(out, "NTS-KE"); title != (c.args == "-n clients -k") {
			t.Errorf("%s: got\n%s", c.args, out)
		}
	}
}

func TestActions(t *testing.T) {
	f := startFake(t)
	for _, args := range [][]string{
		{"makestep"},
		{"burst", "4/8"},
		{"burst", "4/8", "10.66.0.1"},
		{"online"},
		{"offline", "ntp1.example.net"},
		{"onoffline"},
		{"refresh"},
		{"rekey", "10.66.0.1"},
		{"reload"},
		{"reload", "sources"},
		{"dump"},
	} {
		f.asked = nil
		code, out, errs := f.ntsctl(args...)
		if code != ExitDone || out != "200 OK\n" || errs != "" {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, code, out, errs)
		}
		if want := strings.Join(args, " "); len(f.asked) != 1 || f.asked[0] != want {
			t.Errorf("asked %q, want %q", f.asked, want)
		}
	}
}

func TestExitStatus(t *testing.T) {
	f := startFake(t)
	for _, c := range []struct {
		args []string
		code int
		text string // in stderr
	}{
		{nil, ExitUsage, "usage: ntsctl"},
		{[]string{"frobnicate"}, ExitUsage, "no command"},
		{[]string{"sources", "-z"}, ExitUsage, "no option -z"},
		{[]string{"sources", "--nosuch"}, ExitUsage, "no option --nosuch"},
		{[]string{"sources", "more"}, ExitUsage, "usage: ntsctl sources"},
		{[]string{"burst"}, ExitUsage, "GOOD/MAX"},
		{[]string{"burst", "8/4"}, ExitUsage, "ntsctl burst 4/8"},
		{[]string{"waitsync", "soon"}, ExitUsage, "not a number"},
		{[]string{"waitsync", "-h"}, ExitUsage, "needs the path"},
		{[]string{"online", "nobody"}, ExitFailed, "no such source"},
		{[]string{"ntpdata", "192.0.2.9"}, ExitFailed, "no source 192.0.2.9"},
		{[]string{"smoothing"}, ExitFailed, "505 Facility not enabled"},
		{[]string{"smoothtime", "x"}, ExitUsage, "activate or reset"},
		{[]string{"help", "frobnicate"}, ExitUsage, "no command"},
		{[]string{"source"}, ExitUsage, "but sources and sourcestats"},
		{[]string{"burst", "8/64"}, ExitUsage, "MAX <= 32, as in"},
		{[]string{"burst", "4/8", "nobody"}, ExitFailed, "burst: nobody: no such source"},
		{[]string{"top", "--json"}, ExitUsage, "ntsctl report"},
		{[]string{"-h", "", "sources"}, ExitUsage, "needs the path"},
		{[]string{"-h", filepath.Dir(f.socket), "sources"}, ExitUnreachable, "is a folder; -h wants the daemon's socket: " + f.socket},
		{[]string{"-h", "192.0.2.1", "sources"}, ExitUnreachable, "of this machine only"},
		{[]string{"-h", "ctl_test.go", "sources"}, ExitUnreachable, "is not a socket"},
		{[]string{"-h", "/" + strings.Repeat("x", 120), "sources"}, ExitUsage, "longer than 107 bytes"},
		{[]string{"online", "\x1b[2J"}, ExitUsage, "unusable argument"},
		{[]string{"ntpdata", "\x1b[2J"}, ExitFailed, "no source ?[2J;"},
		{[]string{"-h", "/nonexistent/ntsd.sock", "sources"}, ExitUnreachable, "not running"},
		{[]string{"-h/nonexistent/ntsd.sock", "online"}, ExitUnreachable, service("start")},
		{[]string{"trakcing"}, ExitUsage, "did you mean 'tracking'?"},
		{[]string{"minpoll", "192.0.2.1", "5"}, ExitUsage, ConfigFolder() + "/ntsd"},
		{[]string{"shutdown"}, ExitUsage, service("stop")},
		{[]string{"offline", "10.66.2.0/24"}, ExitFailed, "no source in 10.66.2.0/24"},
		{[]string{"offline", "255.0.255.0/10.66.2.0"}, ExitUsage, "is no subnet"},
		{[]string{"ntpdata", "nts"}, ExitFailed, "ntpdata: no source nts;"},
		{[]string{"online", "nts"}, ExitFailed, "online: nts: no such source"}, // a name, though a package has it, too
		{[]string{"sourcename", "10.66.9.9"}, ExitFailed, "no source 10.66.9.9"},
		{[]string{"-m"}, ExitUsage, "-m takes commands"},
		{[]string{"-m", "version", "frobnicate", "report"}, ExitUsage, "frobnicate"},
	} {
		code, _, errs := f.ntsctl(c.args...)
		if code != c.code || !strings.Contains(errs, c.text) {
			t.Errorf("%v: got status %d, %q; want %d, %q", c.args, code, errs, c.code, c.text)
		}
		if len(c.args) > 0 && strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: stderr is not one line: %q", c.args, errs)
		}
	}
}

// TestRefusals: what the daemon answers is said without the names of packages.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		resp control.Response
		code int
		want string
	}{
		{control.Fail(control.CodeBusy, "too many clients, try again"), ExitFailed, "too many clients ask the daemon at once; try again"},
		{control.Fail(control.CodeFailed, "daemon: stopped"), ExitFailed, "online: stopped"},
		{control.Fail(control.CodeArguments, "control: wrong arguments: online takes one source"), ExitUsage, "online: online takes one source; see ntsctl help online"},
		{control.Fail(control.CodeUnknown, "no command"), ExitFailed, "online: the running daemon does not know it; restart ntsd if it was upgraded"},
		{control.Fail(control.CodeNoSource, "x"), ExitFailed, "online: a: no such source; ntsctl sources -a lists them"},
	} {
		err := refusal("online", []string{"a"}, c.resp)
		var failure *failure
		if !errors.As(err, &failure) || failure.status != c.code || failure.text != c.want {
			t.Errorf("%+v: got %v", c.resp, err)
		}
	}
}

func TestWaitsync(t *testing.T) {
	f := startFake(t)
	code, out, _ := f.ntsctl("waitsync", "1")
	if want := "try: 1, refid: 0A420001, correction: 0.000003873, skew: 0.037\n"; code != ExitDone || out != want {
		t.Errorf("got %d, %q; want %d, %q", code, out, ExitDone, want)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"1", "0.000001"}, "synchronised, but after 1 try more than 1e-06 s are left to correct"},
		{[]string{"1", "0", "0.01"}, "synchronised, but after 1 try the skew is above 0.01 ppm"},
	} {
		if code, _, errs := f.ntsctl(append([]string{"waitsync"}, c.args...)...); code != ExitFailed || !strings.Contains(errs, c.want) {
			t.Errorf("%v: got %d, %q; want %d, %q", c.args, code, errs, ExitFailed, c.want)
		}
	}
	if code, out, _ := f.ntsctl("waitsync", "--json", "1"); code != ExitDone ||
		out != `{"try":1,"synchronised":true,"reference_id":"0A420001","correction_s":0.000003873,"skew_ppm":0.037}`+"\n" {
		t.Errorf("--json: got %d, %s", code, out)
	}
	f.report.Tracking.Synchronised = false
	if code, _, errs := f.ntsctl("waitsync", "2", "0", "0", "0"); code != ExitFailed || errs !=
		"ntsctl: waitsync: not synchronised after 2 tries: ntp1.example.net: selected, but has not set the clock yet; "+
			"ntp2.example.net: authenticated sources are required; ntsctl sources -v says more\n" {
		t.Errorf("got %d, %q", code, errs)
	}
	f.report.Tracking.Synchronised = true
	f.asked = nil
	f.change = func(n int, r *status.Report) { r.Tracking.Synchronised = n >= 3 }
	if code, out, _ := f.ntsctl("waitsync", "0", "0", "0", "0"); code != ExitDone || strings.Count(out, "try: ") != 3 {
		t.Errorf("got %d, %q; want success at the third try", code, out)
	}
	if code, _, errs := ntsctl("-h", "/nonexistent/s", "waitsync", "1"); code != ExitUnreachable {
		t.Errorf("no daemon: got %d, %q; want %d", code, errs, ExitUnreachable)
	}
	// A daemon that is missing is named once, not with every try.
	if code, _, errs := ntsctl("-h", "/nonexistent/s", "waitsync", "3", "0", "0", "0"); code != ExitUnreachable ||
		strings.Count(errs, "ntsctl: waiting: no daemon answers") != 1 || strings.Count(errs, "\n") != 2 {
		t.Errorf("no daemon: got %d, %q; want %d", code, errs, ExitUnreachable)
	}
}

func TestHelp(t *testing.T) {
	for _, c := range Commands() {
		code, out, _ := ntsctl("help", c.Name)
		if code != ExitDone || !strings.Contains(out, "Example: "+c.example) || c.example == "" || c.what == "" {
			t.Errorf("help %s: %d, %q", c.Name, code, out)
		}
	}
	if code, out, _ := ntsctl("--help"); code != ExitDone || !strings.Contains(out, "  waitsync ...") {
		t.Errorf("--help: %d, %q", code, out)
	}
	for _, args := range [][]string{{"version"}, {"--version"}, {"-v"}} {
		if code, out, _ := ntsctl(args...); code != ExitDone || !strings.Contains(out, testVersion) {
			t.Errorf("%v: %d, %q", args, code, out)
		}
	}
	texts := []string{Summary()}
	for _, c := range Commands() {
		texts = append(texts, c.usage(), c.more)
	}
	for _, line := range strings.Split(strings.Join(texts, "\n"), "\n") {
		if len(line) > terminalWidth {
			t.Errorf("a line of help is too long: %q", line)
		}
	}
}

// What chronyc's table leaves out is named on standard error, and shown with
// -a and -v.
func TestUnresolvedSources(t *testing.T) {
	f := startFake(t)
	f.report.Sources[1] = status.Source{
		Ident: status.Ident{Name: "nowhere.example.net"}, Sample: status.Sample{Mark: "?", LastRx: status.Never},
		Selection: status.Selection{Why: "no such name"},
	}
	_, out, errs := f.ntsctl("sources")
	if strings.Contains(out, "nowhere") || errs != "no address yet for nowhere.example.net: no such name\n" {
		t.Errorf("sources: got %q, stderr %q", out, errs)
	}
	for _, flag := range []string{"-a", "-v"} {
		if _, out, errs := f.ntsctl("sources", flag); !strings.Contains(out, "^? nowhere.example.net") || errs != "" {
			t.Errorf("%s: got %q, stderr %q", flag, out, errs)
		}
	}
	for _, c := range []string{"sourcestats", "selectdata", "authdata"} {
		if _, out, errs := f.ntsctl(c); strings.Contains(out, "nowhere") || !strings.Contains(errs, "no address yet for nowhere") {
			t.Errorf("%s: got %q, stderr %q", c, out, errs)
		}
	}
	if code, out, errs := f.ntsctl("ntpdata", "nowhere.example.net"); code != ExitFailed || out != "" ||
		errs != "ntsctl: ntpdata: nowhere.example.net has no address yet: no such name\n" {
		t.Errorf("ntpdata: got %d, %q, stderr %q", code, out, errs)
	}
	f.report.Sources = nil
	if code, _, errs := f.ntsctl("sources"); code != ExitDone || !strings.Contains(errs, "no sources are configured") {
		t.Errorf("no sources: got %d, stderr %q", code, errs)
	}
}

// TestCompletion has bash complete lines as a person would type them.
func TestCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	_, script, _ := ntsctl("completion", "bash")
	// Stands for the program when the script asks it for the sources. A name is
	// never run as a command.
	script = "ntsctl() { case \"$*\" in *-N*) echo '^,*,ntp1.example.net,1'; echo '^,?,$(echo HACKED >&2),1' ;; *) echo '^,*,10.66.0.1,1' ;; esac; }\n" + script
	for line, want := range map[string]string{
		"ntsctl sou": "sourcename sources sourcestats", "ntsctl -n tr": "tracking", "ntsctl --j": "--json", "ntsctl help way": "",
		"ntsctl help wait": "waitsync", "ntsctl online n": "ntp1.example.net", "ntsctl rekey 10": "10.66.0.1",
		"ntsctl ntpdata ": "10.66.0.1 echoHACKED2 ntp1.example.net", "ntsctl -h /x online nt": "ntp1.example.net", "ntsctl tracking x": "",
		"ntsctl history d": "day", "ntsctl ca ": "export renew", "ntsctl -n smoothtime r": "reset", "ntsctl test n": "ntp1.example.net",
		"ntsctl -h /dev/nul": "/dev/null",
	} {
		words := strings.Split(line, " ")
		var set strings.Builder
		for _, w := range words {
			fmt.Fprintf(&set, " '%s'", w)
		}
		cmd := exec.Command(bash, "--norc", "-c", script+fmt.Sprintf(
			"\nCOMP_WORDS=(%s); COMP_CWORD=%d; _ntsctl; echo \"${COMPREPLY[*]}\"", set.String(), len(words)-1))
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", line, got, err, want)
		}
	}
}

// FuzzFlags: no command line panics, and words that are no flags survive.
func FuzzFlags(f *testing.F) {
	for _, s := range []string{"-n sources", "sources -nNcavy", "-h /x online a", "-h", "--json -- -x", "-hx --csv", "-", "--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		var o options
		words, err := o.parse(args)
		if err == nil && len(words) > len(args) {
			t.Errorf("%q: more words than arguments: %q", args, words)
		}
	})
}

// FuzzWait: waitsync's numbers are bounded or refused.
func FuzzWait(f *testing.F) {
	for _, s := range []string{"60 0.01", "0 0 0 0", "1e9", "-1", "NaN", "Inf", "1 2 3 4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		w, err := parseWait(args[:min(len(args), 4)])
		if err == nil && (w.tries < 0 || w.interval < leastWait) {
			t.Errorf("%q: %+v", args, w)
		}
	})
}

// TestOrMember: who may not talk to the daemon is told of the group that may.
func TestOrMember(t *testing.T) {
	const somebody = 1 // "daemon" everywhere
	dir := t.TempDir()
	gid := os.Getgid()
	if gid == 0 {
		gid = somebody
		if err := os.Chown(dir, 0, gid); err != nil {
			t.Skipf("ctl: root of a namespace that has no other group: %v", err)
		}
	}
	group, err := user.LookupGroupId(strconv.Itoa(gid))
	if err != nil {
		t.Skipf("ctl: this machine has no name for a group: %v", err)
	}
	socket := filepath.Join(dir, SocketName)
	for mode, want := range map[os.FileMode]string{0o750: " or as a member of group " + group.Name, 0o700: ""} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if got := orMember(socket); got != want {
			t.Errorf("%v: got %q, want %q", mode, got, want)
		}
	}
	if got := orMember("/etc/" + SocketName); got != "" {
		t.Errorf("a folder of root's group: got %q", got)
	}
}
