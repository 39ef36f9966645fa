package foreign

import (
	"strconv"
	"strings"

	"ntsd/internal/config"
)

// maxRange bounds the ids of one range in trustedkey.
const maxRange = 256

// keyFile handles chrony's keyfile and ntpd's keys: they name a file of
// symmetric keys, whose lines config reads.
func (t *translator) keyFile(name string, args []string) {
	if len(args) != 1 {
		t.note(config.Error, name, "takes 1 argument, not "+strconv.Itoa(len(args)))
		return
	}
	i := t.once("keyfile")
	t.add(i, "file", args[0])
	if name == "keys" {
		t.add(i, "format", string(config.KeysNTP))
	}
}

// trustedKeys handles trustedkey: ids, and ranges as in (1 ... 9).
func (t *translator) trustedKeys(args []string) {
	words := strings.Fields(strings.NewReplacer("(", " ", ")", " ", "...", " ... ").Replace(strings.Join(args, " ")))
	var last uint64
	for i := 0; i < len(words); i++ {
		isRange := words[i] == "..." && i+1 < len(words) && last > 0
		if isRange {
			i++
		}
		id, err := strconv.ParseUint(words[i], 10, 32)
		if err != nil || id == 0 || isRange && (id <= last || id-last > maxRange) {
			t.note(config.Error, "trustedkey", "takes key ids, and ranges of them as in (1 ... 9)")
			return
		}
		if !isRange {
			last = id - 1
		}
		for last < id {
			last++
			t.add(t.once("keyfile"), "trusted", strconv.FormatUint(last, 10))
		}
	}
}

// finishKeys drops a file whose keys ntpd would not use.
func (t *translator) finishKeys() {
	for i := range t.pkg.Sections {
		s := &t.pkg.Sections[i]
		if s.Type != "keyfile" || s.Option("trusted") != nil && s.Option("file") != nil {
			continue
		}
		t.line = s.Line
		if s.Option("file") == nil {
			t.note(config.Warning, "trustedkey", "names keys of no file: keys is missing")
		} else {
			t.note(config.Warning, "keys", "none of them is trusted: trustedkey is missing")
		}
		t.drop(i)
		return
	}
}

// noBroadcast answers who asks for it.
func (t *translator) noBroadcast(name string) {
	t.note(config.Warning, name, "is not offered: nobody can authenticate or measure the delay of a broadcast")
}
