package ubus

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// The types of named values.
const (
	typeArray  = 1
	typeTable  = 2
	typeString = 3
	typeInt64  = 4
	typeInt32  = 5
	typeInt16  = 6
	typeInt8   = 7 // also bool
	typeDouble = 8
)

// Implementation limits. ubusd itself drops messages above 1 MiB.
const (
	maxMessage = 1 << 20
	maxDepth   = 32
)

const (
	extended   = 1 << 31
	lengthMask = 1<<24 - 1
	headerSize = 4
)

// Table is the named values of a call. Values are string, bool, int64, float64,
// Table and []any.
type Table map[string]any

// appendAttr appends an attribute with its padding.
func appendAttr(b []byte, id uint8, contents []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(id)<<24|uint32(headerSize+len(contents)))
	b = append(b, contents...)
	return pad(b)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// attributes splits what an attribute holds into the attributes by id.
func attributes(b []byte) (map[uint8][]byte, error) {
	all := make(map[uint8][]byte)
	for len(b) > 0 {
		id, _, contents, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		all[id], b = contents, rest
	}
	return all, nil
}

// next returns the first attribute of b.
func next(b []byte) (id uint8, named bool, contents, rest []byte, err error) {
	if len(b) < headerSize {
		return 0, false, nil, nil, fmt.Errorf("%w: %d bytes for an attribute", ErrFormat, len(b))
	}
	head := binary.BigEndian.Uint32(b)
	n := int(head & lengthMask)
	if n < headerSize || n > len(b) {
		return 0, false, nil, nil, fmt.Errorf("%w: attribute of %d bytes in %d", ErrFormat, n, len(b))
	}
	padded := min((n+3)&^3, len(b))
	return uint8(head >> 24 & 0x7f), head&extended != 0, b[headerSize:n], b[padded:], nil
}

// appendNamed appends a named value. Maps go out in the order of their names.
func appendNamed(b []byte, name string, value any) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	b = append(b, name...)
	b = pad(append(b, 0))
	var typ uint8
	switch v := value.(type) {
	case string:
		typ = typeString
		b = append(append(b, v...), 0)
	case bool:
		typ = typeInt8
		b = append(b, 0)
		if v {
			b[len(b)-1] = 1
		}
	case int64:
		if v == int64(int32(v)) {
			typ = typeInt32
			b = binary.BigEndian.AppendUint32(b, uint32(v))
			break
		}
		typ = typeInt64
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	case float64:
		typ = typeDouble
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	case Table:
		typ = typeTable
		var err error
		if b, err = appendTable(b, v); err != nil {
			return nil, err
		}
	case []any:
		typ = typeArray
		for _, e := range v {
			var err error
			if b, err = appendNamed(b, "", e); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("ubus: %s: a value of type %T cannot be sent", name, value)
	}
	binary.BigEndian.PutUint32(b[start:], extended|uint32(typ)<<24|uint32(len(b)-start)&lengthMask)
	return pad(b), nil
}

// appendTable appends the values of a table.
func appendTable(b []byte, t Table) ([]byte, error) {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var err error
		if b, err = appendNamed(b, name, t[name]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// parseTable reads named values. Of two with one name the last counts.
func parseTable(b []byte, depth int) (Table, error) {
	t := make(Table)
	err := eachNamed(b, depth, func(name string, value any) { t[name] = value })
	return t, err
}

// eachNamed calls f with the named values in b.
func eachNamed(b []byte, depth int, f func(name string, value any)) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d levels", ErrFormat, maxDepth)
	}
	for len(b) > 0 {
		id, named, contents, rest, err := next(b)
		if err != nil {
			return err
		}
		b = rest
		var name string
		if named {
			if name, contents, err = cutName(contents); err != nil {
				return err
			}
		}
		value, err := parseValue(id, contents, depth)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if value != nil {
			f(name, value)
		}
	}
	return nil
}

// cutName takes the name off the contents of a named value.
func cutName(b []byte) (name string, rest []byte, err error) {
	if len(b) < 2 {
		return "", nil, fmt.Errorf("%w: no name", ErrFormat)
	}
	n := int(binary.BigEndian.Uint16(b))
	padded := (2 + n + 1 + 3) &^ 3
	if padded > len(b) {
		return "", nil, fmt.Errorf("%w: name of %d bytes in %d", ErrFormat, n, len(b))
	}
	return string(b[2 : 2+n]), b[padded:], nil
}

// parseValue reads a value; nil is one of a type that we do not know.
func parseValue(typ uint8, b []byte, depth int) (any, error) {
	size, isNumber := map[uint8]int{typeInt64: 8, typeInt32: 4, typeInt16: 2, typeInt8: 1, typeDouble: 8}[typ]
	if isNumber && len(b) != size {
		return nil, fmt.Errorf("%w: number of %d bytes", ErrFormat, len(b))
	}
	switch typ {
	case typeString:
		if len(b) == 0 || b[len(b)-1] != 0 {
			return nil, fmt.Errorf("%w: text without an end", ErrFormat)
		}
		return string(b[:len(b)-1]), nil
	case typeInt64:
		return int64(binary.BigEndian.Uint64(b)), nil
	case typeInt32:
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	case typeInt16:
		return int64(int16(binary.BigEndian.Uint16(b))), nil
	case typeInt8:
		return b[0] != 0, nil
	case typeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case typeTable:
		return parseTable(b, depth+1)
	case typeArray:
		list := []any{}
		err := eachNamed(b, depth+1, func(_ string, value any) { list = append(list, value) })
		return list, err
	}
	return nil, nil //nolint:nilnil // a type of the future is skipped
}

// String, Bool, List and Sub return the value of that name and type, or its
// zero value.
func (t Table) String(name string) string { s, _ := t[name].(string); return s }

// Bool is said at String.
func (t Table) Bool(name string) bool { v, _ := t[name].(bool); return v }

// List is said at String.
func (t Table) List(name string) []any { l, _ := t[name].([]any); return l }

// Sub is said at String.
func (t Table) Sub(name string) Table { s, _ := t[name].(Table); return s }

// Int is said at String.
func (t Table) Int(name string) int64 { v, _ := t[name].(int64); return v }
