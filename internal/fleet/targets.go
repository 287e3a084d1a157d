package fleet

import (
	"slices"
	"strings"

	"dropcap"
)

// ParseTargets parses --targets, in dropcap's syntax and the aws command's.
func ParseTargets(list []string) (dropcap.Targets, error) {
	t := dropcap.Targets{Tags: map[string][]string{}}
	if len(list) == 0 {
		return t, usage("for example --targets tag:role=web, --targets i-0123456789abcdef0, "+
			"or --targets all", "cannot tell which hosts are meant: there is no --targets")
	}
	for _, s := range list {
		key, values, _ := strings.Cut(s, "=")
		if rest, ok := strings.CutPrefix(s, "Key="); ok {
			k, v, found := strings.Cut(rest, ",Values=")
			if !found {
				return t, usage("for example --targets Key=tag:role,Values=web,db",
					"cannot read the target %q", s)
			}
			key, values = k, v
		}
		if name, ok := strings.CutPrefix(s, "group:"); ok {
			key, values = "resource-groups:Name", name
		}
		words := strings.Split(values, ",")
		switch tag, ok := strings.CutPrefix(key, "tag:"); {
		case s == "all":
			t.All = true
		case ok && tag != "" && key == s: // any value
			t.Tags[tag] = append([]string{}, t.Tags[tag]...)
		case values != "" && slices.Contains(words, ""), values == "" && key != s:
			return t, usage("is a variable empty? tag:KEY alone stands for any value",
				"cannot read the target %q: it has an empty value", s)
		case ok && tag != "":
			t.Tags[tag] = append(t.Tags[tag], words...)
		case strings.EqualFold(key, "instanceIds"):
			t.Nodes = append(t.Nodes, words...)
		case key == "resource-groups:Name":
			t.Groups = append(t.Groups, words...)
		case values == "" && strings.Contains(s, "i-"):
			t.Nodes = append(t.Nodes, strings.Split(s, ",")...)
		default:
			return t, usage("for example tag:role=web, i-0123456789abcdef0, group:NAME or all",
				"cannot read the target %q", s)
		}
	}
	if t.All && len(t.Nodes)+len(t.Tags)+len(t.Groups) > 0 {
		return t, usage("leave one of them out", "cannot target all nodes and some of them")
	}
	return t, nil
}

func usage(hint, format string, args ...any) error {
	return dropcap.Errorf(dropcap.CodeUsage, hint, format, args...)
}
