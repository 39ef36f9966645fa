package router

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// feed is the package's Makefile for OpenWrt's own feed.
const feed = "../../openwrt/net/ntsd-go/Makefile"

// TestFeedMakefile: the package that OpenWrt builds is the one that we build: the
// same scripts, user, dependencies, configuration files and build settings.
func TestFeedMakefile(t *testing.T) {
	text, err := os.ReadFile(feed)
	if err != nil {
		t.Fatal(err)
	}
	makefile := string(text)
	define := func(name string) string {
		m := regexp.MustCompile(`(?s)\ndefine Package/ntsd-go/` + name + `\n(.*?)\nendef\n`).FindStringSubmatch(makefile)
		if m == nil {
			t.Fatalf("no %s", name)
		}
		return strings.ReplaceAll(m[1], "$$", "$") + "\n"
	}
	for _, name := range []string{"prerm", "postrm"} {
		want, err := os.ReadFile(control + "/" + name + "-pkg")
		if err != nil {
			t.Fatal(err)
		}
		if got := define(name); got != string(want) {
			t.Errorf("%s: got\n%s\nwant that of %s-pkg", name, got, name)
		}
	}
	if strings.Contains(makefile, "/postinst") {
		t.Error("postinst: what is to do is in uci-defaults, which images run too")
	}
	feedFiles(t, define("install"))
	if got := define("conffiles"); got != "/etc/config/ntsd\n" {
		t.Errorf("conffiles: got %s", got)
	}
	ours, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	fips := regexp.MustCompile(`GOFIPS140 := (\S+)`).FindStringSubmatch(string(ours))
	for _, part := range []string{"USERID:=ntp=123:ntp=123", "+ca-bundle", "CGO_ENABLED=0 GOFIPS140=" + fips[1], "main.builtAt=$(SOURCE_DATE_EPOCH)", "scripts/package/hot", "GO_PKG_TAGS:=router"} {
		if !strings.Contains(makefile, part) {
			t.Errorf("no %q", part)
		}
	}
}

// feedFiles compares what the recipe installs, and with which mode, with the
// golden list of what our package has.
func feedFiles(t *testing.T, recipe string) {
	t.Helper()
	golden, err := os.ReadFile("testdata/contents")
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{"BIN": "-rwxr-xr-x", "CONF": "-rw-------", "DATA": "-rw-r--r--"}
	var got, want []string
	for _, m := range regexp.MustCompile(`\$\(INSTALL_(BIN|CONF|DATA)\) \$\((\w+)\)(\S+) \$\(1\)(\S+)`).FindAllStringSubmatch(recipe, -1) {
		got = append(got, modes[m[1]]+" "+m[4])
		if m[2] == "ROUTER_FILES" && m[3] != m[4] {
			t.Errorf("%s becomes %s", m[3], m[4])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(-\S+) 0/0 \.(/(?:etc|lib|usr)/\S+)$`).FindAllStringSubmatch(string(golden), -1) {
		want = append(want, m[1]+" "+m[2])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the feed's package has\n%s\nours\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
