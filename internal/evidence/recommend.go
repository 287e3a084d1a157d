package evidence

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Recommend is the smallest declaration that grants the required set: drop ALL, add what is left.
// Names are in the kernel's order.
func Recommend(required caps.Set) dropcap.Recommendation {
	return dropcap.Recommendation{CapDrop: []string{caps.All}, CapAdd: required.Names()}
}

// RecommendCIS is the smaller step that level cis asks for: to drop NET_RAW alone. It is false
// where NET_RAW is needed or not held.
func RecommendCIS(w dropcap.WorkloadEvidence) (dropcap.Recommendation, bool) {
	if !w.Unused.Has(caps.NetRaw) {
		return dropcap.Recommendation{}, false
	}
	return dropcap.Recommendation{CapDrop: []string{caps.NetRaw.String()}, CapAdd: []string{}}, true
}

// Texts are a recommendation in the languages of those who start containers. The short names are
// used, as these tools' own pages do.
type Texts struct {
	Docker     string // flags for docker run
	Compose    string // keys of a service, YAML
	ECS        string // a member of a container definition, JSON; empty if ECS cannot say it
	ECSNote    string // why ECS is empty, or what it cannot say
	Kubernetes string // a member of a container, YAML
}

// notInECS are capabilities that the enumeration of linuxParameters.capabilities lacks.
var notInECS = caps.Of(caps.AuditRead, caps.BPF, caps.Perfmon, caps.CheckpointRestore)

// TextsOf writes a recommendation out. Names that are none are left out.
func TextsOf(r dropcap.Recommendation) Texts {
	drop, add := short(r.CapDrop), short(r.CapAdd)
	t := Texts{
		Docker:  flags("--cap-drop", drop) + flags("--cap-add", add),
		Compose: yamlList("", "cap_drop", drop) + yamlList("", "cap_add", add),
		ECS: fmt.Sprintf(`"linuxParameters": {"capabilities": {"drop": [%s], "add": [%s]}}`,
			quoted(drop), quoted(add)),
		Kubernetes: "securityContext:\n  capabilities:\n" + yamlList("    ", "drop",
			drop) + yamlList("    ", "add", add),
	}
	t.Docker = strings.TrimSuffix(t.Docker, " ")
	if set, _ := caps.ParseAll(add); set&notInECS != 0 {
		t.ECS = ""
		t.ECSNote = fmt.Sprintf("ECS has no name for %s; such a task must keep what it has",
			(set & notInECS).Short())
	}
	return t
}

func short(names []string) []string {
	l := []string{}
	for _, n := range names {
		if c, err := caps.Parse(n); err == nil {
			n = c.Short()
		} else if !strings.EqualFold(n, caps.All) {
			continue
		}
		l = append(l, n)
	}
	slices.Sort(l)
	return l
}

func flags(flag string, names []string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(flag + "=" + n + " ")
	}
	return b.String()
}

func yamlList(indent, key string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s: [%s]\n", indent, key, strings.Join(names, ", "))
}

func quoted(names []string) string {
	l := make([]string, len(names))
	for i, n := range names {
		l[i] = `"` + n + `"`
	}
	return strings.Join(l, ", ")
}
