package recreate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"dropcap/internal/printable"
)

const (
	hidden  = "(hidden)"
	cutMark = "…"
	// tooShort is the length below which a text is part of too many words to search for it.
	tooShort = 4
)

// Discreet returns a text of the engine, or of a program that repeats it, without the contents of
// the container's closed fields: an error may name the program that could not start, or the option
// that was refused. It also finds values that were truncated, or lost their control characters.
func (r *Recipe) Discreet(text string) string {
	if text == "" {
		return ""
	}
	var all []string
	for _, secret := range r.closed() {
		for i, form := range forms(secret) {
			if i > 0 && len(form) < tooShort { // the engine quotes what it repeats
				continue
			}
			text = strings.ReplaceAll(text, form, hidden)
			all = append(all, form)
		}
	}
	return uncut(text, all)
}

// forms returns the forms in which a text may be repeated: quoted, as it is, line by line, and as
// errors fold it into one line.
func forms(secret string) []string {
	line := strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case !unicode.IsPrint(c):
			return -1
		}
		return c
	}, strings.ToValidUTF8(secret, ""))
	list := []string{fmt.Sprintf("%q", secret), secret}
	for _, more := range append(strings.Split(secret, "\n"), strings.TrimSpace(line),
		strings.TrimSpace(printable.Line(secret))) {
		if !slices.Contains(list, more) {
			list = append(list, more)
		}
	}
	return list
}

// uncut hides beginnings of texts that were truncated.
func uncut(text string, all []string) string {
	parts := strings.Split(text, cutMark)
	for i, part := range parts[:len(parts)-1] {
		longest := 0
		for _, form := range all {
			for n := min(len(form), len(part)); n > longest && n >= tooShort; n-- {
				if strings.HasSuffix(part, form[:n]) {
					longest = n
				}
			}
		}
		if longest > 0 {
			parts[i] = part[:len(part)-longest] + hidden
		}
	}
	return strings.Join(parts, cutMark)
}

// closed returns the texts of closed fields that are neither the image's nor part of what is shown
// anyway, the longest first.
func (r *Recipe) closed() []string {
	s, err := parseRunConfig(join(r.in.Config))
	if err != nil {
		return nil
	}
	// any other form is ignored here
	_ = json.Unmarshal(join(map[string]any{"HostConfig": r.in.HostConfig}), s)
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
	for _, m := range []map[string]string{s.HostConfig.Annotations, s.HostConfig.StorageOpt,
		s.HostConfig.LogConfig.Config} {
		all = append(all, values(m)...)
	}
	for _, m := range s.HostConfig.Mounts {
		all = append(append(all, values(m.driverOptions())...), values(m.VolumeOptions.Labels)...)
	}
	for _, d := range s.HostConfig.DeviceRequests {
		all = append(all, values(d.Options)...)
	}
	for _, o := range s.HostConfig.SecurityOpt {
		if key, value, _ := strings.Cut(strings.Replace(o, ":", "=", 1),
			"="); !slices.Contains(security, key) {
			all = append(all, o, value)
		}
	}
	for _, n := range r.in.NetworkSettings.Networks {
		var options map[string]string
		_ = json.Unmarshal(n["DriverOpts"], &options)
		all = append(all, values(options)...)
	}
	open := []string{r.name, r.config.Image, s.User, s.WorkingDir, "unconfined", "builtin"}
	return longestFirst(all, func(t string) bool {
		return slices.ContainsFunc(open, func(o string) bool { return strings.Contains(o, t) })
	})
}

// own returns the words of a list that the image's list does not have at the same position.
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

// longestFirst sorts texts so that none is replaced within another, without duplicates and excluded
// ones.
func longestFirst(list []string, without func(string) bool) []string {
	slices.SortFunc(list, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.DeleteFunc(slices.Compact(list), func(t string) bool {
		return strings.TrimSpace(t) == "" || without(t)
	})
}
