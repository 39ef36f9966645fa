package linetab

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"strconv"
	"strings"
)

// Position returns the file and the line of a place in a program that was not
// blanked, from what a trace of its blanked twin says: the function without its
// arguments, and how far into it (+0x1c). Builds of one version are alike, so the
// program can be built again. A trace names the instruction after a call; the
// line is the call's.
func Position(file []byte, function, into string) (string, error) {
	offset, err := strconv.ParseUint(strings.TrimPrefix(into, "+"), 0, 32)
	if err != nil {
		return "", fmt.Errorf("linetab: %q is not like +0x1c", into)
	}
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return "", fmt.Errorf("linetab: %w", err)
	}
	lines, text := f.Section(".gopclntab"), f.Section(".text")
	if lines == nil || text == nil {
		return "", errForm
	}
	data, err := lines.Data()
	if err != nil {
		return "", fmt.Errorf("linetab: %w", err)
	}
	symbols, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return "", fmt.Errorf("linetab: %w", err)
	}
	fn := symbols.LookupFunc(function)
	if fn == nil {
		return "", fmt.Errorf("linetab: there is no function %s", function)
	}
	name, line, _ := symbols.PCToLine(fn.Entry + max(offset, 1) - 1)
	if name == "" {
		return "", fmt.Errorf("linetab: no lines: that is the blanked program, or %s is shorter than %s", function, into)
	}
	return fmt.Sprintf("%s:%d", name, line), nil
}
