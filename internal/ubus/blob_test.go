package ubus

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestTableRoundTrip(t *testing.T) {
	want := Table{
		"text": "a", "empty": "", "yes": true, "no": false, "small": int64(-5), "large": int64(1) << 40, "real": 2.5,
		"table": Table{"": Table{}}, "list": []any{"x", int64(1), []any{}, Table{"a": "b"}}, "a name of odd length": "y",
	}
	b, err := appendTable(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseTable(b, 0)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	if _, err := appendTable(nil, Table{"wrong": 5}); err == nil {
		t.Error("an int was sent")
	}
}

// nested returns tables in tables.
func nested(depth int) []byte {
	t := Table{}
	for range depth {
		t = Table{"t": t}
	}
	b, _ := appendTable(nil, t)
	return b
}

func TestMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"short":       {0, 0, 0},
		"too long":    {0x83, 0, 0, 200, 0, 0},
		"no length":   {0x83, 0, 0, 0},
		"long name":   {0x83, 0, 0, 8, 0xff, 0xff, 'a', 0},
		"no zero":     {0x03, 0, 0, 5, 'a', 0, 0, 0},
		"short int":   {0x05, 0, 0, 6, 1, 2, 0, 0},
		"empty bool":  {0x07, 0, 0, 4},
		"deep":        nested(maxDepth + 1),
		"short table": {0x02, 0, 0, 6, 1, 2, 0, 0},
	} {
		if _, err := parseTable(b, 0); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want a format error", name, err)
		}
	}
	if _, err := parseTable(nested(maxDepth), 0); err != nil {
		t.Errorf("as deep as allowed: got %v", err)
	}
}

// TestNotifications: what is said to an object without a path, and the end of
// what it subscribed to.
func TestNotifications(t *testing.T) {
	var heard []string
	o := &Object{
		Handle: func(method string, args Table) (Table, error) {
			heard = append(heard, method+" "+args.String("interface"))
			return nil, nil
		},
		Lost: func() { heard = append(heard, "lost") },
	}
	c := &Conn{objects: map[uint32]*Object{7: o}}
	data, err := appendTable(nil, Table{"interface": "wan"})
	if err != nil {
		t.Fatal(err)
	}
	body := appendText(appendNumber(nil, attrObjID, 7), attrMethod, "interface.update")
	body = appendAttr(appendAttr(body, attrNoReply, []byte{1}), attrData, data)
	for _, m := range []struct {
		typ  uint8
		body []byte
	}{{msgInvoke, body}, {msgUnsubscribe, appendNumber(nil, attrObjID, 7)}, {msgUnsubscribe, nil}, {200, body}} {
		if err := c.take(m.typ, 1, 2, m.body); err != nil {
			t.Errorf("type %d: got %v", m.typ, err)
		}
	}
	if got := strings.Join(heard, ", "); got != "interface.update wan, lost" {
		t.Errorf("heard %q", got)
	}
}

func FuzzTable(f *testing.F) {
	b, _ := appendTable(nil, Table{"a": []any{"x", int64(1), true, 2.5, Table{"b": int64(1) << 40}}})
	f.Add(b)
	f.Add(nested(3))
	f.Add([]byte{0x83, 0, 0, 8, 0, 1, 'a', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := attributes(b); err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("attributes: %v", err)
		}
		table, err := parseTable(b, 0)
		if err != nil {
			return
		}
		again, err := appendTable(nil, table)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseTable(again, 0)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		// Compared as bytes: a real number may be none.
		if twice, err := appendTable(nil, parsed); err != nil || !bytes.Equal(twice, again) {
			t.Errorf("got %x, %v, want %x", twice, err, again)
		}
	})
}
