package ctl

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"ntsd/internal/control"
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
		sources, own := cmd.operands()
		if sources {
			targets = append(targets, cmd.Name)
		} else if len(own) > 0 {
			fixed.WriteString("\t" + cmd.Name + ") words='" + strings.Join(own, " ") + "' ;;\n")
		}
	}
	return strings.NewReplacer(
		"COMMANDS", strings.Join(names, " "), "TARGETS", strings.Join(targets, "|"), "\tFIXED\n", fixed.String(),
	).Replace(script)
}

// operands tells what the arguments of a command can be: sources, or the words
// that stand in its usage in small letters.
func (c Command) operands() (sources bool, fixed []string) {
	if slices.ContainsFunc([]string{"SOURCE", "ADDRESS", "SERVER"}, func(a string) bool { return strings.Contains(c.Args, a) }) {
		return true, nil
	}
	fixed = strings.FieldsFunc(c.Args, func(r rune) bool { return strings.ContainsRune(" []|.", r) })
	return false, slices.DeleteFunc(fixed, func(w string) bool { return w[0] < 'a' || w[0] > 'z' })
}

// completionScript needs bash alone, without the package bash-completion.
//
//go:embed completion.bash
var completionScript string //nolint:gochecknoglobals // go:embed wants a variable

//go:embed completion.zsh
var zshScript string //nolint:gochecknoglobals // likewise

// candidates are the words that can follow.
func (c *invocation) candidates(words []string) (all []string) {
	words = slices.DeleteFunc(words, func(w string) bool { return w[0] == '-' })
	if len(words) == 0 || words[0] == "help" {
		for _, cmd := range Commands() {
			all = append(all, cmd.Name)
		}
		return all
	}
	cmd, _ := find(words[0])
	sources, fixed := cmd.operands()
	if !sources {
		return fixed
	}
	r, err := Client{control.Client{Path: c.opts.socket}}.Report(context.Background())
	if err != nil {
		return nil
	}
	for i := range r.Sources {
		all = append(all, r.Sources[i].Name, r.Sources[i].Address)
	}
	return slices.DeleteFunc(all, func(w string) bool { return w == "" })
}
