// Command ntslines makes programs for routers smaller by what only the stack
// trace of a crash needs, and finds the line that such a trace means.
//
//	ntslines blank FILE                     take lines and arguments out of a program
//	ntslines at FILE FUNCTION +0x1c         the line, in a program that has them
package main

import (
	"errors"
	"fmt"
	"os"

	"ntsd/internal/linetab"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ntslines:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: ntslines blank FILE, ntslines at FILE FUNCTION +0x1c")

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "blank":
		return linetab.BlankFile(args[1])
	case len(args) == 4 && args[0] == "at":
		file, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		position, err := linetab.Position(file, args[2], args[3])
		if err == nil {
			fmt.Println(position)
		}
		return err
	}
	return errUsage
}
