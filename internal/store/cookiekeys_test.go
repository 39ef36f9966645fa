//go:build linux

package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ntsd/internal/clock"
	"ntsd/internal/nts"
	"ntsd/internal/server"
)

func someKeys() server.Rotation {
	r := server.Rotation{Made: clock.WallUnix(2_300_000_000, 5)}
	for i := range uint32(3) {
		k := nts.CookieKey{ID: 4_000_000_000 - i}
		k.Key[0], k.Key[31] = byte(i+1), 0xff
		r.Keys = append(r.Keys, k)
	}
	return r
}

func TestCookieKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ntskeys")
	want := someKeys()
	if err := SaveCookieKeys(path, want); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v (%v), want 0600", info.Mode(), err)
	}
	got, err := LoadCookieKeys(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	var refused *RefusedError
	if _, err := LoadCookieKeys(path); !errors.As(err, &refused) || refused.Reason != TooOpen {
		t.Errorf("readable by the group: got %v, want a refusal", err)
	}
}

func TestCookieKeysRefused(t *testing.T) {
	good := string(AppendCookieKeys(nil, someKeys()))
	body := good[:strings.LastIndex(good, "sum ")]
	lines := strings.SplitAfter(body, "\n")
	for name, text := range map[string]string{
		"no sum":    body,
		"cut":       good[:len(good)/2],
		"no key":    string(appendSum([]byte(lines[0] + lines[1]))),
		"no time":   string(appendSum([]byte(lines[0] + lines[2]))),
		"twice":     string(appendSum([]byte(body + lines[2]))),
		"short key": string(appendSum([]byte(lines[0] + lines[1] + "key 1 00ff\n"))),
		"wide id":   string(appendSum([]byte(strings.Replace(body, "key 4000000000", "key 5000000000", 1)))),
	} {
		if r, err := ParseCookieKeys([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, r)
		} else if strings.Contains(err.Error(), "ff") {
			t.Errorf("%s: the error shows a key: %v", name, err)
		}
	}
}

func FuzzParseCookieKeys(f *testing.F) {
	f.Add(AppendCookieKeys(nil, someKeys()))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseCookieKeys(appendSum(bytes.Clone(b)))
		if err != nil {
			return
		}
		again, err := ParseCookieKeys(AppendCookieKeys(nil, r))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("got %+v (%v), want %+v", again, err, r)
		}
	})
}
