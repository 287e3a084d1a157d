package e2e_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"dropcap/internal/dockertest/fake"
)

// TestThousandContainers: every format, in bounded time and memory.
func TestThousandContainers(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	for i := range 1000 {
		c := fake.Container{}
		if i%2 == 0 {
			c.HostConfig.CapDrop = []string{"ALL"}
		}
		e.Add(c)
	}
	counts := map[string]func(string) int{
		"table":     func(s string) int { return strings.Count(s, " created ") },
		"wide":      func(s string) int { return strings.Count(s, " created ") },
		"cis":       func(s string) int { return strings.Count(s, ": CapAdd=") },
		"csv":       func(s string) int { return strings.Count(s, "\n") - 1 },
		"markdown":  func(s string) int { return strings.Count(s, "| created ") },
		"{{.Name}}": func(s string) int { return strings.Count(s, "\n") },
		"html":      func(s string) int { return strings.Count(s, `id="c`) },
		"json":      func(s string) int { return jsonLength(t, s, "containers") },
		"sarif":     func(s string) int { return jsonLength(t, s, "runs") * 1000 },
		"junit":     func(s string) int { return elements(t, s, "testcase") },
	}
	for format, count := range counts {
		r := on(e).run(t, "audit", "--format", format)
		r.want(t, 3)
		if n := count(r.out); n != 1000 {
			t.Errorf("%s has %d containers", format, n)
		}
		if r.took > 10*time.Second || r.peak == 0 || r.peak > 96<<10 {
			t.Errorf("%s: %v, %d KiB", format, r.took, r.peak)
		}
		t.Logf("%-10s %6v  %3d MiB  %d KiB of output", format, r.took.Round(time.Millisecond),
			r.peak>>10, len(r.out)>>10)
	}
}

func jsonLength(t *testing.T, text, key string) int {
	var doc map[string]json.RawMessage
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(doc[key], &list); err != nil {
		t.Error(err)
	}
	return len(list)
}

func elements(t *testing.T, text, name string) int {
	n := 0
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return n
		}
		if s, ok := token.(xml.StartElement); ok && s.Name.Local == name {
			n++
		}
	}
}
