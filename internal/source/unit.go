package source

import (
	"fmt"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/owner"
	"dropcap/internal/printable"
)

// DropIn returns the drop-in that clears ExecStart and states it again with other capabilities, and
// how to bring it into effect. An ExecStart is added to those before it unless it is emptied first
// (systemd.service(5)). The line may hold secrets, as the unit does: where to write it is said, and
// the words that have to change; the line itself is the file's content.
func DropIn(u owner.Unit, d Declaration) (file, content, text string, err error) {
	line, ok := restated(u.ExecStart, d)
	if !ok {
		return "", "", "", cannot("form",
			"the ExecStart of %s is no docker run or create that can be restated",
			printable.Cut(u.Name, mostShown))
	}
	folder, manager := "/etc/systemd/system/", "systemctl"
	if u.User {
		folder, manager = "~/.config/systemd/user/", "systemctl --user"
	}
	last := u.Name + ".d/50-capabilities.conf"
	file = folder + last
	content = "[Service]\nExecStart=\nExecStart=" + line + "\n"
	var b strings.Builder
	fmt.Fprintf(&b, "in %s, after an empty ExecStart=, the same ExecStart with these and no "+
		"other words about capabilities behind run:\n", printable.Cut(file, mostShown))
	fmt.Fprintf(&b, " %s\n", strings.TrimSpace(unitFlags(d.Is)))
	fmt.Fprintf(&b, "%[1]s daemon-reload && %[1]s restart %[2]s\n", manager,
		printable.Shell(u.Name))
	fmt.Fprintf(&b, "backout: rm %[1]s%[2]s && %[3]s daemon-reload && %[3]s restart %[4]s\n",
		folder, printable.Shell(last), manager, printable.Shell(u.Name))
	return file, content, b.String(), nil
}

// UnitText says the change of the unit that makes the container, of those that are known. One that
// only starts a container that somebody made is stopped while that is made again.
func UnitText(known []owner.Unit, c dropcap.Container, d Declaration) string {
	for _, u := range known {
		if u.Name != c.Owner.Service || !owner.Starts(u.ExecStart, c.Name, c.ID) {
			continue
		}
		if owner.Launches(u.ExecStart) {
			if _, _, text, err := DropIn(u, d); err == nil {
				return text
			}
		}
		unit, manager := printable.Shell(u.Name), "systemctl"
		if u.User {
			manager = "systemctl --user"
		}
		return manager + " stop " + unit +
			"\nmake the container again, under the same name, with its own arguments but these " +
			"words about capabilities:" + unitFlags(d.Is) + "\n" + manager + " start " + unit
	}
	return "change the capabilities where " + printable.Shell(c.Owner.Service) +
		" makes the container:" + unitFlags(d.Is)
}

func unitFlags(g dropcap.Grant) string {
	return owner.Flags(" --cap-drop=", g.CapDrop) + owner.Flags(" --cap-add=", g.CapAdd)
}

// word is a word of a systemd command line, with its position.
type word struct {
	from, to int
	value    string // without quotes
}

// unitWords splits as systemd does: blanks separate, either quote joins, a backslash takes the next
// character with it. (systemd.syntax(7), "Quoting"; specifiers and variables stay as they are.)
func unitWords(s string) []word {
	var out []word
	for i := 0; i < len(s); {
		if strings.ContainsRune(" \t\n\r", rune(s[i])) ||
			s[i] == '\\' && i+1 < len(s) && s[i+1] == '\n' {
			i++
			continue
		}
		w := word{from: i}
		var value strings.Builder
		quote := byte(0)
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case quote == 0 && strings.ContainsRune(" \t\n\r", rune(c)):
			case c == '\\' && i+1 < len(s) && quote != '\'':
				if quote == 0 && s[i+1] == '\n' {
					break
				}
				i++
				value.WriteByte(s[i])
				continue
			case quote == c:
				quote = 0
				continue
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
				continue
			default:
				value.WriteByte(c)
				continue
			}
			break
		}
		w.to, w.value = i, value.String()
		out = append(out, w)
	}
	return out
}

// restated returns the command line with other capability options; all else stays as written.
func restated(line string, d Declaration) (string, bool) {
	words := unitWords(line)
	verb := -1
	for i, w := range words {
		if i > 0 && (w.value == "run" || w.value == "create") {
			verb = i
			break
		}
	}
	if verb < 0 || !strings.HasSuffix(strings.TrimLeft(words[0].value, "-@:+!"), "docker") {
		return "", false
	}
	end := optionsEnd(words, verb)
	doc := document{text: line}
	for i := verb + 1; i < end; i++ {
		name, _, joined := strings.Cut(words[i].value, "=")
		switch {
		case name == "--cap-add" || name == "--cap-drop":
			from := before(line, words[i].from)
			if !joined && i+1 < end {
				i++
			}
			doc.cuts = append(doc.cuts, cut{from: from, to: words[i].to})
		case name == "--privileged" && d.Was.Privileged && !d.Is.Privileged:
			doc.cuts = append(doc.cuts, cut{from: before(line, words[i].from), to: words[i].to})
		}
	}
	at := words[verb].to
	doc.cuts = append(doc.cuts,
		cut{from: at, to: at, with: owner.Flags(" --cap-drop=",
			d.Is.CapDrop) + owner.Flags(" --cap-add=",
			d.Is.CapAdd)})
	return doc.spliced()
}

// before takes one blank in front of a word along.
func before(line string, at int) int {
	if at > 0 && (line[at-1] == ' ' || line[at-1] == '\t') {
		return at - 1
	}
	return at
}

// alone are docker run's options without a value; all others that begin with a dash take one, in
// the same word or the next.
var alone = []string{"--detach", "--init", "--interactive", "--no-healthcheck",
	"--oom-kill-disable", "--privileged", "--publish-all", "--quiet",
	"--read-only", "--rm", "--sig-proxy", "--tty", "--disable-content-trust"}

// optionsEnd is where docker's own options end: at the image.
func optionsEnd(words []word, verb int) int {
	for i := verb + 1; i < len(words); i++ {
		w := words[i].value
		switch {
		case w == "--":
			return i
		case !strings.HasPrefix(w, "-"):
			return i
		case strings.HasPrefix(w, "--"):
			if !strings.Contains(w, "=") && !slices.Contains(alone, w) {
				i++
			}
		default:
			// short ones join, "-dit"; the last of them may take a value, in the same word or the
			// next
			rest := strings.TrimLeft(w[1:], "ditPq")
			if len(rest) == 1 {
				i++
			}
		}
	}
	return len(words)
}
