package daemon

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sizes are how many elements all maps and slices of a path have together, for what
// can be reached from a value by fields, pointers and elements.
type sizes struct {
	of   map[string]int
	seen map[uintptr]bool
}

func (s *sizes) add(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || s.seen[v.Pointer()] {
			return
		}
		s.seen[v.Pointer()] = true
		s.add(path, v.Elem())
	case reflect.Interface:
		if !v.IsNil() {
			s.add(path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			s.add(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Map:
		s.of[path] += v.Len()
		for _, e := range v.Seq2() {
			s.add(path+"[]", e)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			s.of[path] += v.Len()
		}
		for i := range v.Len() {
			s.add(path+"[]", v.Index(i))
		}
	}
}

// holds returns what the daemon holds, without the test's world and its own history,
// which has bounds that it takes a week to reach.
func (w *world) holds(d *Daemon) map[string]int {
	s := sizes{make(map[string]int), map[uintptr]bool{reflect.ValueOf(w).Pointer(): true}}
	for field, value := range reflect.ValueOf(d).Elem().Fields() {
		if field.Name != "opt" && field.Name != "past" {
			s.add(field.Name, value)
		}
	}
	return s.of
}

// TestNothingGrows: sources of all kinds that come and go leave nothing behind,
// neither goroutines nor entries anywhere, but for what is kept of the latest.
func TestNothingGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i, name := range []string{"one.example", "two.example", "three.example"} {
			w.addPeer(fmt.Sprintf("192.0.2.%d:123", 1+i), name)
		}
		d, stop := w.run(settings(t, "server one.example iburst nts", "server two.example iburst nts"), nil)
		defer stop()
		comeAndGo := func(i int) {
			number := fmt.Sprintf("%d.%d", i>>8, i&255)
			line := [...]string{"server 10.0." + number + " iburst nts", "server three.example iburst nts", "pool s" + number + ".example iburst nts", "peer 10.1." + number}[i%4]
			name := strings.Fields(line)[1]
			source, _, err := parseSource(line)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Add(t.Context(), source); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			time.Sleep(time.Duration(i%7) * 10 * time.Second)
			if err := d.Delete(t.Context(), name); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		const cycles = 300 // of which a quarter makes back-offs: more than the 64 that are kept
		for i := range cycles {
			comeAndGo(i)
		}
		synctest.Wait()
		goroutines, before := runtime.NumGoroutine(), w.holds(d)
		for i := range cycles {
			comeAndGo(cycles + i)
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > goroutines+3 {
			t.Errorf("%d goroutines, then %d", goroutines, n)
		}
		for path, n := range w.holds(d) {
			if n > before[path]+cycles/10 {
				t.Errorf("%s had %d entries, then %d", path, before[path], n)
			}
		}
	})
}
