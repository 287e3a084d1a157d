package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"dropcap"
	"dropcap/internal/foreign"
	"dropcap/internal/wire"
)

// fleetJSON is the contract: dropcap.fleet/v1. It writes one host after the other. It leaves out a
// document that is not an answer to the verb, and adds a failure of its host; it writes all others
// as the hosts sent them.
func fleetJSON(w io.Writer, f dropcap.Fleet) error {
	f.Run = normalRun(f.Run)
	head, err := encode(struct {
		Schema string           `json:"schema"`
		Run    dropcap.FleetRun `json:"run"`
	}{dropcap.SchemaFleet, f.Run}, "  ")
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, strings.TrimSuffix(head, "\n}\n")+
		",\n  \"documents\": ["); err != nil {
		return err
	}
	verb, _ := wire.Lookup(f.Run.Verb)
	failures, n := append([]dropcap.HostFailure{}, f.Failures...), 0
	for _, d := range f.Documents {
		d.Document, d.Packed = foreign.Raw(d), nil
		if err := verb.Report.Read(d); err != nil {
			failures = append(failures, foreign.Unreadable(d.Host, err))
			continue
		}
		if err := writeHost(w, d, n); err != nil {
			return err
		}
		n++
	}
	if _, err := io.WriteString(w, closing(n)+",\n  \"failures\": ["); err != nil {
		return err
	}
	for i, x := range failures {
		if err := writeItem(w, x, i); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, closing(len(failures))+"\n}\n")
	return err
}

// writeHost writes a host's document piece by piece: indented, a hostile one can be forty times as
// long.
func writeHost(w io.Writer, d dropcap.HostDocument, i int) error {
	name, err := encode([]string{d.Host, d.Name}, "")
	if err != nil {
		return err
	}
	var names []json.RawMessage
	if err := json.Unmarshal([]byte(name), &names); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s{\n      \"host\": %s,\n      \"name\": %s,\n      \"document\": ", lead(i),
		names[0], names[1])
	indentJSON(b, validUTF8(d.Document), "\n      ")
	b.WriteString("\n    }")
	return b.Flush()
}

func validUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\uFFFD"))
}

// indentJSON writes a JSON value as json.Indent does with two spaces, each line after newline, and
// escapes it as asciiJSON does.
func indentJSON(b *bufio.Writer, value []byte, newline string) {
	deep := 0
	line := func() {
		b.WriteString(newline)
		for range deep {
			b.WriteString("  ")
		}
	}
	opened := false // after a bracket, with nothing since
	for at := 0; at < len(value); at++ {
		c := value[at]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			continue
		}
		closes := c == '}' || c == ']'
		if opened && !closes {
			deep++
			line()
		}
		switch {
		case closes && !opened:
			deep--
			line()
			b.WriteByte(c)
		case c == ',':
			b.WriteByte(c)
			line()
		case c == ':':
			b.WriteString(": ")
		case c == '"':
			end := afterText(value, at)
			b.WriteString(asciiJSON(string(value[at:end])))
			at = end - 1
		default:
			b.WriteByte(c)
		}
		opened = c == '{' || c == '['
	}
}

// afterText returns where a JSON string that begins at a quote ends.
func afterText(value []byte, at int) int {
	for at++; at < len(value) && value[at] != '"'; at++ {
		if value[at] == '\\' {
			at++
		}
	}
	return min(at+1, len(value))
}

func lead(i int) string {
	if i > 0 {
		return ",\n    "
	}
	return "\n    "
}

// writeItem writes a member of one of the document's lists.
func writeItem(w io.Writer, v any, i int) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, lead(i)+asciiJSON(strings.TrimSuffix(b.String(), "\n")))
	return err
}

func closing(n int) string {
	if n == 0 {
		return "]"
	}
	return "\n  ]"
}

func normalRun(r dropcap.FleetRun) dropcap.FleetRun {
	r.Args, r.Targets, r.Places = listed(r.Args), listed(r.Targets), listed(r.Places)
	r.Rules.Waves, r.Rules.Probe = listed(r.Rules.Waves), listed(r.Rules.Probe)
	waves := make([]dropcap.Wave, len(r.Waves))
	for i, x := range r.Waves {
		x.Hosts = listed(x.Hosts)
		waves[i] = x
	}
	r.Waves = waves
	return r
}
