package router

import (
	"os"
	"regexp"
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
	for name, file := range map[string]string{"postinst": "postinst-pkg", "prerm": "prerm-pkg"} {
		want, err := os.ReadFile(control + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if got := define(name); got != string(want) {
			t.Errorf("%s: got\n%s\nwant that of %s", name, got, file)
		}
	}
	if got := define("conffiles"); got != "/etc/config/ntsd\n" {
		t.Errorf("conffiles: got %s", got)
	}
	ours, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	fips := regexp.MustCompile(`GOFIPS140 := (\S+)`).FindStringSubmatch(string(ours))
	for _, part := range []string{"USERID:=ntp=123:ntp=123", "+ca-bundle", "CGO_ENABLED=0 GOFIPS140=" + fips[1], "main.builtAt=$(SOURCE_DATE_EPOCH)", "scripts/package/cold"} {
		if !strings.Contains(makefile, part) {
			t.Errorf("no %q", part)
		}
	}
}
