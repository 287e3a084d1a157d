package source

import (
	"slices"
	"testing"
)

func TestDeclared(t *testing.T) {
	const base = "services:\n  web:\n    image: a\n    cap_drop: [ALL]\n    cap_add:\n      - CHOWN\n"
	d, err := Declared([]File{{"a", []byte(base)},
		{"b", []byte("services:\n  web:\n    cap_add: [KILL]\n    privileged: true\n")}}, "web")
	if err != nil || !d.Privileged || !slices.Equal(d.Drop, []string{"ALL"}) ||
		!slices.Equal(d.Add, []string{"CHOWN", "KILL"}) {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = Declared([]File{{"a", []byte("services:\n  web:\n    image: a\n")}}, "web")
	if err != nil || d.Privileged || len(d.Add)+len(d.Drop) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
	for name, text := range map[string]string{
		"another service": "services:\n  db:\n    image: a\n",
		"a variable":      "services:\n  web:\n    cap_drop: [\"${WHAT}\"]\n",
		"a word":          "services:\n  web:\n    privileged: maybe\n",
		"includes":        "include: [b.yml]\nservices:\n  web:\n    image: a\n",
		"no file":         "\x00",
	} {
		if d, err := Declared([]File{{"a", []byte(text)}}, "web"); err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
