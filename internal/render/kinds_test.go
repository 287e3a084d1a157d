package render

import (
	"fmt"
	"strings"
	"testing"

	"dropcap"
)

// Forty containers that break one rule in the same way are one block with their names, and the
// audit ends with commands to paste.
func TestFindingsOfOneKindAreToldOnce(t *testing.T) {
	a := dropcap.Audit{Host: sample().Host}
	for i := range 40 {
		name := fmt.Sprintf("c%02d", i)
		a.Containers = append(a.Containers,
			failing(held(fixture(i, name, "app:1", "running"), defaults),
				netRaw(fmt.Sprintf("re-create it: docker run --cap-drop=NET_RAW app:%d", i%5))))
	}
	a.Summary = dropcap.Count(a.Containers)
	o := Options{Width: 80, Next: []Advice{{"record what 40 containers need",
		"sudo dropcap learn --for=1h"},
		{"a name that a container chose \x1b[31m", "dropcap plan '\x1b[31m'"}}}
	var b strings.Builder
	if err := Audit(&b, "table", a, o); err != nil {
		t.Fatal(err)
	}
	_, details, _ := strings.Cut(b.String(), "\n40 containers: 40 fail\n")
	if n := strings.Count(details, "\n"); n > 20 {
		t.Errorf("%d lines about forty equal containers:\n%s", n, details)
	}
	for i := range 40 {
		if !strings.Contains(details, fmt.Sprintf("c%02d", i)) {
			t.Errorf("c%02d is not named:\n%s", i, details)
		}
	}
	for _, want := range []string{"\nhigh net-raw: 40 containers\n",
		"each has its own: `dropcap plan NAME`",
		"\nnext\n  record what 40 containers need:\n    sudo dropcap learn --for=1h\n"} {
		if !strings.Contains(details, want) {
			t.Errorf("it lacks %q:\n%s", want, details)
		}
	}
	if strings.Contains(details, "\x1b") {
		t.Error("a container's escape sequence reaches the terminal")
	}
	if o.Quiet = true; true {
		b.Reset()
		if err := Audit(&b, "table", a, o); err != nil || strings.Contains(b.String(), "next") {
			t.Errorf("ids alone: %v, %s", err, b.String())
		}
	}
}
