package policy

import (
	"slices"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Select reports whether the selector picks the container. Patterns match the whole of a name,
// image or workload: "web" picks neither "web2" nor "old-web". If the selector needs a label's
// value and the container's values are unknown, the answer is no: call [NeedsLabelValues] first.
func Select(s dropcap.Selector, c dropcap.Container) bool {
	return fits(s.Name, c.Name) && fits(s.Image, c.Image) && fits(s.Workload, c.Workload) &&
		labelled(s.Label, c)
}

func fits(pattern, s string) bool { return pattern == "" || matches(pattern, s) }

func labelled(label string, c dropcap.Container) bool {
	if label == "" {
		return true
	}
	key, want, valued := strings.Cut(label, "=")
	if got, ok := c.LabelValues[key]; ok || c.LabelValues != nil {
		return ok && (!valued || got == want)
	}
	return !valued && mayHave(c, key) && c.ImageLabels != nil
}

// mayHave reports whether a container of a document may have a label that is believed: older
// documents do not say which labels the image brought.
func mayHave(c dropcap.Container, key string) bool {
	return slices.Contains(c.Labels, key) && !slices.Contains(c.ImageLabels, key)
}

// NeedsLabelValues reports whether the policy needs an unknown property of a container's label: its
// value, which no document contains, or whether it came from the image, which older documents do
// not say. Then the policy cannot be judged. line is the line of that waiver; 0 for a keep, whose
// line is not recorded.
func NeedsLabelValues(p dropcap.Policy, list []dropcap.Container) (line int, yes bool) {
	for _, k := range p.Keeps {
		if asksUnknown(k.Containers, list) {
			return 0, true
		}
	}
	for _, w := range p.Waivers {
		if asksUnknown(w.Containers, list) {
			return w.Line, true
		}
	}
	return 0, false
}

func asksUnknown(s dropcap.Selector, list []dropcap.Container) bool {
	key, _, valued := strings.Cut(s.Label, "=")
	// the rest of the selector may rule the container out, and then the label does not matter
	s.Label = ""
	for _, c := range list {
		if c.LabelValues == nil && (valued || c.ImageLabels == nil) && key != "" &&
			mayHave(c, key) && Select(s, c) {
			return true
		}
	}
	return false
}

// Kept returns the capabilities that the policy says the container needs, and the keeps that say
// so.
func Kept(p dropcap.Policy, c dropcap.Container) (caps.Set, []dropcap.Keep) {
	var s caps.Set
	var why []dropcap.Keep
	for _, k := range p.Keeps {
		if Select(k.Containers, c) {
			s |= k.Caps
			why = append(why, k)
		}
	}
	return s, why
}
