package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretFiles: a file of keys that all may read or others change, that is missing or no
// file is refused in one clear line; no secret is ever printed.
func TestSecretFiles(t *testing.T) {
	const secret = "00112233445566778899aabbccddeeff"
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("HEX:"+secret+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	good := write("good", 0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{good, ""},
		{write("group", 0o640), ""}, // as Debian's chrony has its chrony.keys
		{write("written", 0o620), "cannot be read: others may read it, or its group change it: chmod 640"},
		{write("world", 0o604), "cannot be read: others may read it, or its group change it: chmod 640"},
		{link, "cannot be read: symbolic link"},
		{dir, "cannot be read: not a regular file"},
		{filepath.Join(dir, "none"), "cannot be read: no such file or directory"},
	} {
		file := filepath.Join(dir, "ntsd")
		text := "config server\n\toption hostname 192.0.2.1\n\toption key 7\nconfig key\n\toption id 7\n\toption secret_file '" + c.path + "'\n" +
			"config key\n\toption id 8\n\toption secret 'HEX:" + secret + "'\nconfig server\n\toption hostname 192.0.2.2\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out, complaints bytes.Buffer
		code := printConfig(options{file: file}, &out, &complaints)
		if (code == exitDone) != (c.want == "") || !strings.Contains(complaints.String(), c.want) {
			t.Errorf("%s: exit %d, %s; want %q", c.path, code, complaints.String(), c.want)
		}
		if kept := strings.Contains(out.String(), "192.0.2.1"); kept != (c.want == "") {
			t.Errorf("%s: the source that wants the key stays: %v", c.path, kept)
		}
		if strings.Contains(out.String()+complaints.String(), secret) {
			t.Errorf("%s: the secret is shown:\n%s\n%s", c.path, out.String(), complaints.String())
		}
	}
}
