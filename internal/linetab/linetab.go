// Package linetab takes out of a program in Go what only the stack trace of a
// crash needs: the line of each instruction and the values of arguments. They are
// a tenth of a packed program. What is left in a trace is each function and how
// far into it, from which Position finds the line, given the program as it was
// built. It belongs to the tests and tools: no daemon imports it.
//
// The tables are those that the runtime reads (runtime/symtab.go: pcHeader,
// _func); a function without a table of lines is one of their regular cases. What
// they look like depends on the version of Go, so those not known here are refused.
//
// Non-goals: the names of functions, which a trace is worthless without, and what
// collections, the growth of stacks and recover need.
package linetab

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// known are the versions of Go whose tables have been compared with what is
// written here.
var known = []string{"go1.26"}

// magic begins the tables (internal/abi.Go120PCLnTabMagic).
const magic = 0xfffffff1

// Words of the header after its first eight bytes.
const (
	headFuncs = iota
	headFiles
	_ // was the start of the code
	headNames
	headUnits
	headFileNames
	headPCs
	headTable
	headWords
)

// Offsets in the description of a function, which its variable part follows:
// a word for each kind of table, and one for each kind of data.
const (
	funcStackPointer = 16
	funcFile         = 20
	funcLine         = 24
	funcTables       = 28
	funcUnit         = 32
	funcStartLine    = 36
	funcData         = 43
	funcSize         = 44
)

// Kinds of tables and data that describe arguments for a trace alone
// (internal/abi/symtab.go).
const (
	tableArgLive    = 3
	dataArgInfo     = 5
	dataArgLiveInfo = 6
	noData          = 1<<32 - 1
	maxKinds        = 16 // there are five
)

var errForm = errors.New("linetab: the tables are not as this version of Go has them")

// tables are the parts of a program that are read and written.
type tables struct {
	order binary.ByteOrder
	names []byte // of files, and which unit has which
	pcs   []byte // tables of values by instruction, each ended by 0
	funcs []byte // where each function's description is, and the descriptions
	count int
	align int
}

// Blank overwrites in place what Position alone needs: a file that was blanked is
// as long as before, and packs better. One with tables of another form is left as
// it is, with an error.
func Blank(file []byte) error {
	t, err := find(file)
	if err != nil {
		return err
	}
	return t.blank()
}

// BlankFile blanks the program at path.
func BlankFile(path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := Blank(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, file, 0o755)
}

func (t *tables) blank() error {
	used, err := t.used()
	if err != nil {
		return err
	}
	for d := range t.descriptions {
		for _, field := range []int{funcFile, funcLine, funcUnit, funcStartLine} {
			t.put(d[field:], 0)
		}
		kinds := t.word(d[funcTables:])
		if kinds > tableArgLive {
			t.put(d[funcSize+4*tableArgLive:], 0)
		}
		for _, kind := range []int{dataArgInfo, dataArgLiveInfo} {
			if int(d[funcData]) > kind {
				t.put(d[funcSize+4*(kinds+kind):], noData)
			}
		}
	}
	for i, u := range used {
		if !u {
			t.pcs[i] = 0
		}
	}
	clear(t.names)
	return nil
}

// find finds the tables in a program.
func find(file []byte) (*tables, error) {
	info, err := buildinfo.Read(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("linetab: %w", err)
	}
	release, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go1."), ".")
	if !slices.Contains(known, "go1."+release) {
		return nil, fmt.Errorf("linetab: built by %s: compare runtime.pcHeader and runtime._func with this package, then add it to known", info.GoVersion)
	}
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("linetab: %w", err)
	}
	s := f.Section(".gopclntab")
	if s == nil || s.Offset+s.Size > uint64(len(file)) {
		return nil, errForm
	}
	return parse(file[s.Offset:][:s.Size], f.ByteOrder)
}

// parse splits the section.
func parse(section []byte, order binary.ByteOrder) (*tables, error) {
	if len(section) < 8 || order.Uint32(section) != magic {
		return nil, errForm
	}
	size := int(section[7])
	if size != 4 && size != 8 || len(section) < 8+headWords*size {
		return nil, errForm
	}
	var head [headWords]uint64
	for i := range head {
		if at := section[8+i*size:]; size == 8 {
			head[i] = order.Uint64(at)
		} else {
			head[i] = uint64(order.Uint32(at))
		}
	}
	units, pcs, table := head[headUnits], head[headPCs], head[headTable]
	if head[headNames] < uint64(8+headWords*size) || head[headNames] > units || units > pcs || pcs > table || table > uint64(len(section)) || head[headFuncs] > uint64(len(section)) {
		return nil, errForm
	}
	return &tables{
		order: order, count: int(head[headFuncs]), align: size,
		names: section[units:pcs], pcs: section[pcs:table], funcs: section[table:],
	}, nil
}

// descriptions yields those of all functions, up to their end.
func (t *tables) descriptions(yield func([]byte) bool) {
	for i := range t.count {
		if !yield(t.funcs[t.word(t.funcs[8*i+4:]):]) {
			return
		}
	}
}

// used tells which bytes of pcs are of tables that the runtime needs, and in
// passing makes sure that the descriptions are what we take them for: without a
// gap between them, and with tables that end.
func (t *tables) used() ([]bool, error) {
	// Each function has an entry of two words; a last one is the code's end alone.
	next := t.aligned(8*t.count + 4)
	if next > len(t.funcs) {
		return nil, errForm
	}
	used := make([]bool, len(t.pcs))
	for i := range t.count {
		at := t.word(t.funcs[8*i+4:])
		if at != next || at+funcSize > len(t.funcs) {
			return nil, errForm
		}
		d := t.funcs[at:]
		kinds := t.word(d[funcTables:])
		if kinds < 0 || kinds > maxKinds {
			return nil, errForm
		}
		next = t.aligned(at + funcSize + 4*(kinds+int(d[funcData])))
		if next > len(t.funcs) {
			return nil, errForm
		}
		for kind := -1; kind < kinds; kind++ {
			field := funcStackPointer
			if kind >= 0 {
				field = funcSize + 4*kind
			}
			if kind != tableArgLive && !mark(used, t.pcs, t.word(d[field:])) {
				return nil, errForm
			}
		}
	}
	return used, nil
}

// mark marks one table: pairs of variable-length numbers, how much the value and
// then the instruction grow, up to a pair without growth that is not the first.
// It reports whether the table ends.
func mark(used []bool, pcs []byte, at int) bool {
	if at <= 0 {
		return at == 0 // there is none
	}
	for begin := at; at < len(pcs); {
		if pcs[at] == 0 && at != begin {
			used[at] = true
			return true
		}
		for range 2 {
			_, n := binary.Uvarint(pcs[at:])
			if n <= 0 {
				return false
			}
			for ; n > 0; n-- {
				used[at] = true
				at++
			}
		}
	}
	return false
}

func (t *tables) aligned(at int) int { return (at + t.align - 1) &^ (t.align - 1) }

func (t *tables) word(at []byte) int { return int(t.order.Uint32(at)) }

func (t *tables) put(at []byte, v uint32) { t.order.PutUint32(at, v) }
