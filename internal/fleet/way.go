package fleet

import (
	"slices"
	"strings"

	"dropcap"
)

// fill says by which document a command goes.
func (w Way) fill(c dropcap.NodeCommand) (dropcap.NodeCommand, error) {
	if err := Check(c); err != nil {
		return c, err
	}
	if w.Shell {
		lines, err := Script(c)
		c.Document, c.Lines = "AWS-RunShellScript", lines
		return c, err
	}
	c.Document = DocumentFor(c.Verb)
	return c, nil
}

// merge puts arguments of the same name together that several hosts of one command have for
// themselves: --plans=A and --plans=B are --plans=A,B.
func merge(args []string) []string {
	var out []string
	at := map[string]int{}
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if i, seen := at[name]; ok && seen && name == "--plans" {
			if !slices.Contains(strings.Split(strings.TrimPrefix(out[i], name+"="), ","), value) {
				out[i] += "," + value
			}
			continue
		}
		at[name] = len(out)
		out = append(out, a)
	}
	return out
}
