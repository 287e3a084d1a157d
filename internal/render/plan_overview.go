package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/printable"
)

// writeOverview begins a plan of several containers: a row for each, those that change first, then
// what speaks against the others and what to know of those that change, each reason once.
func writeOverview(b *strings.Builder, steps []dropcap.Step, o Options) {
	g := grid{columns: []column{{"NAME", 12}, {"OUTCOME", 0}, {"DROPS", 12}, {"STRATEGY", 0},
		{"CONFIDENCE", 0}, {"WHY", 12}}}
	sorted := slices.Clone(steps)
	slices.SortStableFunc(sorted, func(x, y dropcap.Step) int {
		return cmp.Compare(outcomeRank(x), outcomeRank(y))
	})
	for _, s := range sorted {
		word := outcome(s)
		if s.Refused != "" {
			word.text = "refused"
		}
		g.add(cell{s.Container.Name, plain}, word, cell{orDash(list(s.Drop, o.NoTrunc)), plain},
			cell{string(s.Strategy), plain}, cell{orDash(s.Confidence), plain},
			cell{strings.Join(slugs(s), ", "), plain})
	}
	b.WriteByte('\n')
	g.write(b, g.fit(o).Width, o.Color)
	writeRefusals(b, steps, o)
	if !o.Details {
		writeWarnings(b, steps, o)
	}
	if !o.Details && !o.Applying {
		writeOnward(b, countPlan(steps).change)
	}
}

// writeOnward says how to go on from a plan.
func writeOnward(b *strings.Builder, ready int) {
	b.WriteString("\n`dropcap plan NAME` tells all about a container, --details about each.\n")
	switch {
	case ready == 1:
		b.WriteString("`dropcap apply --all-ready`, with the same flags, changes the one that is " +
			"ready.\n")
	case ready > 1:
		fmt.Fprintf(b, "`dropcap apply --all-ready`, with the same flags, changes the %d that are "+
			"ready.\n", ready)
	}
}

func outcomeRank(s dropcap.Step) int {
	switch {
	case s.Refused != "":
		return 1
	case s.Changes():
		return 0
	}
	return 2
}

// refusals are those of a step; of a document that has but the sentence, one without a slug.
func refusals(s dropcap.Step) []dropcap.Refusal {
	if s.Refused != "" && len(s.Refusals) == 0 {
		return []dropcap.Refusal{{Message: s.Refused, Hint: s.Hint}}
	}
	return s.Refusals
}

func slugs(s dropcap.Step) []string {
	var out []string
	for _, r := range refusals(s) {
		if word := cmp.Or(r.Slug, r.Message); !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// writeRefusals tells each reason to refuse once, with the containers and one of them as example.
func writeRefusals(b *strings.Builder, steps []dropcap.Step, o Options) {
	type reason struct {
		dropcap.Refusal
		names []string
		vary  bool // it does not say the same of all
		hints bool // it does not advise the same for all
	}
	var list []*reason
	for _, s := range steps {
		for _, r := range refusals(s) {
			same := func(x *reason) bool {
				return x.Slug == r.Slug && (r.Slug != "" || x.Message == r.Message)
			}
			i := slices.IndexFunc(list, same)
			if i < 0 {
				i = len(list)
				list = append(list, &reason{Refusal: r})
			}
			list[i].vary = list[i].vary || list[i].Message != r.Message
			list[i].hints = list[i].hints || list[i].Hint != r.Hint
			list[i].names = append(list[i].names, visible(s.Container.Name))
		}
	}
	for _, r := range list {
		b.WriteString("\n" + strong.paint("refused", o.Color) + " " +
			bold.paint(visible(cmp.Or(r.Slug, "by the plan")), o.Color) + ": ")
		lead := ""
		if len(r.names) == 1 {
			b.WriteString(r.names[0] + "\n")
		} else {
			b.WriteString(printable.Count(len(r.names), "container") + "\n")
			writeIndented(b, strings.Join(r.names, ", "), bold, o.readable())
			lead = "for example: "
		}
		if r.vary {
			writeIndented(b, visible(lead+r.Message), plain, o.readable())
		} else {
			writeIndented(b, visible(r.Message), plain, o.readable())
		}
		if r.Hint != "" {
			writeIndented(b, hintFor(r.Refusal, r.hints), dim, o.readable())
		}
	}
}

// hintFor returns the advice of a reason. Where it differs from container to container, it is an
// example; what is not known of several is recorded of all at once.
func hintFor(r dropcap.Refusal, several bool) string {
	switch {
	case !several:
		return visible("hint: " + r.Hint)
	case r.Slug == "no-evidence":
		return visible("hint: `dropcap learn --for 1h` records all of them; restart each once " +
			"meanwhile. Of one alone: " + r.Hint)
	}
	return visible("hint, for one of them: " + r.Hint)
}

// writeWarnings tells each warning about the containers that change once.
func writeWarnings(b *strings.Builder, steps []dropcap.Step, o Options) {
	var order []string
	names := map[string][]string{}
	for _, s := range steps {
		for _, w := range s.Warnings {
			if s.Refused != "" {
				continue
			}
			if names[w] == nil {
				order = append(order, w)
			}
			if name := visible(s.Container.Name); !slices.Contains(names[w], name) {
				names[w] = append(names[w], name)
			}
		}
	}
	for i, w := range order {
		if i == 0 {
			b.WriteString("\n" + yellow.paint("warnings", o.Color) + "\n")
		}
		text := visible(w) + " (" + strings.Join(names[w], ", ") + ")"
		for j, l := range wrap(text, o.readable().Width-4) {
			b.WriteString([2]string{"  - ", "    "}[min(j, 1)] + l + "\n")
		}
	}
}
