package interop

import "strings"

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
