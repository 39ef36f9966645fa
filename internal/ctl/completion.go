package ctl

import (
	_ "embed"
	"slices"
	"strings"
)

// completionChoice is what any shell can read: only the right one asks for its
// own script, the syntax of which others would not get through.
const completionChoice = `if [ -n "${BASH_VERSION-}" ]; then
	eval "$(ntsctl completion bash)"
elif [ -n "${ZSH_VERSION-}" ]; then
	eval "$(ntsctl completion zsh)"
fi
`

// completion prints what a shell needs to complete commands, flags, fixed
// arguments, and the sources that the running daemon knows.
func (c *invocation) completion(words []string) error {
	switch {
	case len(words) == 1:
		return c.print(completionChoice)
	case words[1] == "bash":
		return c.print(filled(completionScript))
	case words[1] == "zsh":
		return c.print(filled(zshScript))
	}
	return failf(ExitUsage, "completion: %q is neither bash nor zsh", words[1])
}

// filled puts the commands and their arguments into a script.
func filled(script string) string {
	var names, targets []string
	var fixed strings.Builder
	for _, cmd := range Commands() {
		names = append(names, cmd.Name)
		if slices.ContainsFunc([]string{"SOURCE", "ADDRESS", "SERVER"}, func(a string) bool { return strings.Contains(cmd.Args, a) }) {
			targets = append(targets, cmd.Name)
			continue
		}
		// Arguments in small letters are meant as they stand.
		own := strings.FieldsFunc(cmd.Args, func(r rune) bool { return strings.ContainsRune(" []|.", r) })
		own = slices.DeleteFunc(own, func(w string) bool { return w[0] < 'a' || w[0] > 'z' })
		if len(own) > 0 {
			fixed.WriteString("\t" + cmd.Name + ") words='" + strings.Join(own, " ") + "' ;;\n")
		}
	}
	return strings.NewReplacer(
		"COMMANDS", strings.Join(names, " "), "TARGETS", strings.Join(targets, "|"), "\tFIXED\n", fixed.String(),
	).Replace(script)
}

// completionScript needs bash alone, without the package bash-completion.
//
//go:embed completion.bash
var completionScript string //nolint:gochecknoglobals // go:embed wants a variable

//go:embed completion.zsh
var zshScript string //nolint:gochecknoglobals // likewise
