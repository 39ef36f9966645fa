// Command ntspo keeps the translations of LuCI's pages: the template from the
// pages' sources, the languages beside it, what is missing, and what LuCI reads.
//
//	ntspo update luci/luci-app-ntsd         template and languages anew
//	ntspo check luci/luci-app-ntsd          exit status 1 where something is missing
//	ntspo lmo FILE.po FILE.lmo              compile one language
package main

import (
	"errors"
	"fmt"
	"os"

	"ntsd/internal/po"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ntspo:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: ntspo update|check FOLDER, ntspo lmo FILE.po FILE.lmo")

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "update":
		return po.Update(args[1])
	case len(args) == 2 && args[0] == "check":
		wrong, err := po.CheckFolder(args[1])
		for _, line := range wrong {
			fmt.Println(line)
		}
		if err == nil && len(wrong) > 0 {
			err = fmt.Errorf("%d things to translate", len(wrong))
		}
		return err
	case len(args) == 3 && args[0] == "lmo":
		return compile(args[1], args[2])
	}
	return errUsage
}

// compile writes a language as LuCI reads it.
func compile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	c, err := po.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, po.LMO(c), 0o644)
}
