// Command crash uses what the runtime's tables are for, says so, and crashes.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
)

type node struct {
	next *node
	data [100]byte
}

func main() {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if n := grow(2000, nil); n != 2000 {
				fmt.Println("grow:", n)
				os.Exit(1)
			}
			if err := caught(i); err == nil {
				fmt.Println("nothing was caught")
				os.Exit(1)
			}
		})
	}
	for range 20 {
		runtime.GC()
	}
	wg.Wait()
	fmt.Println("sound")
	fmt.Println(third(&node{}, 7))
}

// grow has the stack copied, and pointers in it found.
func grow(n int, last *node) int {
	if n == 0 {
		count := 0
		for ; last != nil; last = last.next {
			count++
		}
		return count
	}
	return grow(n-1, &node{next: last})
}

func caught(i int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("caught: %v", r)
		}
	}()
	var none *node
	return fmt.Errorf("%d", int(none.data[i]))
}

//go:noinline
func third(n *node, i int) byte {
	return n.next.data[i] // the crash
}
