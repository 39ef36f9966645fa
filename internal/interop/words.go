package interop

import (
	"fmt"
	"strings"
)

// ShellWords parts a command line at blanks, but for those in single quotes.
func ShellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// Section returns the text of one UCI section with options, given as names and
// values.
func Section(typ string, pairs ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nconfig %s\n", typ)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, "\toption %s '%s'\n", pairs[i], pairs[i+1])
	}
	return b.String()
}
