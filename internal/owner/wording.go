package owner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// words describes an edit of a file: the names to remove, and the lists to write. A list of drops
// is written completely, with the names that it had.
func words(d dropcap.Declared, e caps.Edit, adds, drop, add string) string {
	if e.Only != nil {
		return fmt.Sprintf(drop, caps.All) + " and " + fmt.Sprintf(add, setList(*e.Only))
	}
	var parts []string
	if !e.RemoveAdd.Empty() {
		parts = append(parts, "take "+setList(e.RemoveAdd)+" out of "+adds)
	}
	if !e.AddDrop.Empty() {
		parts = append(parts, fmt.Sprintf(drop, listed(e.Apply(d).Drop)))
	}
	return strings.Join(parts, " and ")
}

func setList(s caps.Set) string { return strings.Join(caps.ShortNames(s.Names()), ", ") }

// listed formats declared names as files have them: "ALL, NET_RAW".
func listed(l []string) string { return name(strings.Join(caps.ShortNames(l), ", ")) }

// name makes a name from a label safe within one line.
func name(s string) string { return printable.Cut(s, 300) }

// Flags returns the names with a flag before each.
func Flags(flag string, names []string) string {
	var b strings.Builder
	for _, n := range caps.ShortNames(names) {
		b.WriteString(flag + printable.Shell(n))
	}
	return b.String()
}

// shortNames returns a recommendation's names, sorted and without CAP_. It may come from a
// document: invalid names are left out.
func shortNames(names []string) []string {
	l := slices.DeleteFunc(caps.ShortNames(names), func(n string) bool {
		_, err := caps.Parse(n)
		return err != nil && n != caps.All
	})
	slices.Sort(l)
	return l
}

func yamlList(indent, key string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s: [%s]\n", indent, key, strings.Join(names, ", "))
}

func jsonList(names []string) string {
	l := make([]string, len(names))
	for i, n := range names {
		l[i] = `"` + n + `"`
	}
	return strings.Join(l, ", ")
}

// or returns a label's value, or a placeholder in capitals if there is none.
func or(labels map[string]string, label, otherwise string) string {
	if v := labels[label]; v != "" {
		return v
	}
	return otherwise
}

// deprivileged reports whether the change removes privileged.
func deprivileged(c dropcap.Container, is dropcap.Grant) bool {
	return c.Declared.Privileged && !is.Privileged
}

// lists are both lists of a grant in JSON.
type lists struct {
	Add  []string `json:"add"`
	Drop []string `json:"drop"`
}

func listsOf(g dropcap.Grant) lists {
	return lists{caps.ShortNames(g.CapAdd), caps.ShortNames(g.CapDrop)}
}

func compact(v any) string {
	text, _ := json.Marshal(v) // of strings and booleans
	return string(text)
}
