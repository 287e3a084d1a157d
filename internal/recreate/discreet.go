package recreate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Discreet is a text of the engine's, or of a program that repeats it, without what stands in the container's
// closed places: an error names the program that it could not start, or the option that it did not take.
func (r *Recipe) Discreet(text string) string {
	const instead = "(hidden)"
	if text == "" {
		return ""
	}
	for _, secret := range r.closed() {
		for _, form := range []string{fmt.Sprintf("%q", secret), secret} {
			if form == secret && len(secret) < 4 { // such a one is a part of too many words; the engine quotes what it repeats
				continue
			}
			text = strings.ReplaceAll(text, form, instead)
		}
	}
	return text
}

// closed are the texts that stand in closed places and are neither the image's nor a part of what is shown
// anyway, the longest first.
func (r *Recipe) closed() []string {
	s, err := parseSaid(join(r.in.Config))
	if err != nil {
		return nil
	}
	_ = json.Unmarshal(join(map[string]any{"HostConfig": r.in.HostConfig}), s) // what has another form says nothing here
	from := r.brought()
	var all []string
	for _, entry := range r.ownEnv() {
		_, value, _ := strings.Cut(entry, "=")
		all = append(all, entry, value)
	}
	all = append(all, own(s.Cmd, from.Cmd)...)
	all = append(all, own(s.Entrypoint, from.Entrypoint)...)
	if s.Healthcheck != nil {
		all = append(all, own(s.Healthcheck.Test, healthOf(from))...)
	}
	for name, value := range s.Labels {
		if from.Labels[name] != value {
			all = append(all, value)
		}
	}
	for _, m := range []map[string]string{s.HostConfig.Annotations, s.HostConfig.StorageOpt, s.HostConfig.LogConfig.Config} {
		all = append(all, values(m)...)
	}
	for _, m := range s.HostConfig.Mounts {
		all = append(append(all, values(m.driverOptions())...), values(m.VolumeOptions.Labels)...)
	}
	open := []string{r.name, r.config.Image, s.User, s.WorkingDir}
	return longestFirst(all, func(t string) bool {
		return slices.ContainsFunc(open, func(o string) bool { return strings.Contains(o, t) })
	})
}

// own are the words of a list that the image's does not have at the same place.
func own(list, brought []string) (out []string) {
	for i, w := range list {
		if i >= len(brought) || brought[i] != w {
			out = append(out, w)
		}
	}
	return out
}

func values(m map[string]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// longestFirst sorts texts so that none is replaced within another, each once, without those left out.
func longestFirst(list []string, without func(string) bool) []string {
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.DeleteFunc(slices.Compact(list), func(t string) bool { return strings.TrimSpace(t) == "" || without(t) })
}
