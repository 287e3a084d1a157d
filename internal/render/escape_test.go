package render

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"dropcap"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"web-1": "web-1", "漢字 e\u0301 🐳": "漢字 e\u0301 🐳", "a\nb\tc\r": `a\nb\tc\r`,
		"\x1b[31m": `\x1b[31m`, "\u202eabc": `\u202eabc`,
		"\u200b": `\u200b`, "\x9b": `\x9b`, "\u009b": `\u009b`, "\xff\xfe": `\xff\xfe`,
		"\uFFFD": "\uFFFD", "\U000E0041": `\U000e0041`, "it's": "it's",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add(hostileName)
	f.Fuzz(func(t *testing.T, s string) {
		v := visible(s)
		if !utf8.ValidString(v) || strings.IndexFunc(v, func(r rune) bool {
			return !strconv.IsPrint(r)
		}) >= 0 {
			t.Errorf("%q is not visible", v)
		}
		if visible(v) != v {
			t.Errorf("%q changes when it is escaped again", v)
		}
	})
}

func FuzzASCIIJSON(f *testing.F) {
	f.Add(hostileName)
	f.Add("\U000E0041\u2028\u007f")
	f.Fuzz(func(t *testing.T, s string) {
		plain, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		safe := asciiJSON(string(plain))
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(safe), &got); err != nil || got != want {
			t.Errorf("%q came back as %q (%v)", want, got, err)
		}
		if visible(safe) != safe {
			t.Errorf("%q is not visible", safe)
		}
	})
}

func FuzzCSVCell(f *testing.F) {
	f.Add(hostileName)
	f.Add(" \u200b=1+1")
	f.Add("\t@x")
	f.Fuzz(func(t *testing.T, s string) {
		if got := csvCell(s); isFormula(got) {
			t.Errorf("%q becomes the formula %q", s, got)
		}
	})
}

var bareLink = regexp.MustCompile(`(?i)://|www\.[^<]|[@#][^<]`)

// Every mark that begins markup is behind a backslash; only the comment that splits links is
// markup.
func FuzzMarkdownText(f *testing.F) {
	f.Add(hostileName)
	f.Add(`\|`)
	f.Fuzz(func(t *testing.T, s string) {
		if m := bareLink.FindString(markdownText(s)); m != "" {
			t.Fatalf("%q: a link, %q", s, m)
		}
		got := strings.ReplaceAll(markdownText(s), "<!-- -->", "")
		for i := 0; i < len(got); i++ {
			if got[i] == '\\' {
				i++
			} else if strings.IndexByte("`*_[]<>|~@#&$", got[i]) >= 0 {
				t.Fatalf("%q: bare %q", got, got[i])
			}
		}
	})
}

// Whatever a container's name, the report is well-formed XML with the intended content only.
func FuzzJUnit(f *testing.F) {
	f.Add(hostileName)
	f.Add("]]>]]&gt;<![CDATA[")
	f.Fuzz(func(t *testing.T, s string) {
		c := failing(fixture(1, s, s, s), dropcap.Finding{Rule: dropcap.Rule(s), Because: s,
			Fix: s})
		doc := write(t, "junit", dropcap.Audit{Containers: []dropcap.Judged{c}}, Options{})
		d := xml.NewDecoder(strings.NewReader(doc))
		elements := 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, doc)
			}
			if _, ok := token.(xml.StartElement); ok {
				elements++
			}
		}
		if want := 10; elements != want {
			t.Errorf("%d elements, want %d", elements, want)
		}
	})
}
