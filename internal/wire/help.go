package wire

import (
	"fmt"
	"strings"
)

// Help lists the verbs with their arguments, one per line.
func Help() string {
	var b strings.Builder
	const meanings = 43 // the column
	for _, v := range Verbs {
		line := strings.TrimRight(fmt.Sprintf("  %-8s %s", v.Name, v.synopsis()), " ")
		switch {
		case v.Meaning == "":
			b.WriteString(line + "\n")
		case len(line) < meanings-1:
			fmt.Fprintf(&b, "%-*s%s\n", meanings, line, v.Meaning)
		default:
			fmt.Fprintf(&b, "%s\n%*s%s\n", line, meanings, "", v.Meaning)
		}
	}
	return b.String()
}

func (v Verb) synopsis() string {
	var list []string
	for _, a := range v.Needs {
		list = append(list, a.synopsis())
	}
	for _, a := range v.Takes {
		list = append(list, "["+a.synopsis()+"]")
	}
	return strings.Join(list, " ")
}

func (a *Argument) synopsis() string {
	s := "--" + a.Name
	if a.Value != "" {
		s += "=" + a.Value
	}
	if a.Many {
		s += "..."
	}
	return s
}

// Complete returns the possible next words of a request.
func Complete(words []string) []string {
	if len(words) == 0 {
		var names []string
		for _, v := range Verbs {
			names = append(names, v.Name)
		}
		return names
	}
	v, _ := Lookup(words[0])
	var list []string
	for _, a := range append(v.arguments(), transport...) {
		switch {
		case a.Value == "":
			list = append(list, "--"+a.Name)
		case len(a.Choices) == 0:
			list = append(list, "--"+a.Name+"=")
		}
		for _, choice := range a.Choices {
			list = append(list, "--"+a.Name+"="+choice)
		}
	}
	return list
}
