package evidence

import (
	"regexp"
	"testing"

	"dropcap"
)

func TestRevisionTellsMakingsApart(t *testing.T) {
	c := dropcap.Container{ImageID: "sha256:1", User: "app", Network: "bridge"}
	base := MakingsOf(c, []string{"/bin/app"}, []string{"-v"})
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(base.Revision()) {
		t.Fatalf("revision %q", base.Revision())
	}
	change := func(f func(*Makings)) Makings {
		m := base
		f(&m)
		return m
	}
	for name, m := range map[string]Makings{
		"image":      change(func(m *Makings) { m.ImageID = "sha256:2" }),
		"entrypoint": change(func(m *Makings) { m.Entrypoint = []string{"/bin/app2"} }),
		"command":    change(func(m *Makings) { m.Command = []string{"-v", "-x"} }),
		"moved argument": change(func(m *Makings) {
			m.Entrypoint, m.Command = []string{"/bin/app", "-v"}, nil
		}),
		"joined":  change(func(m *Makings) { m.Entrypoint = []string{"/bin/app\",\"-v"} }),
		"user":    change(func(m *Makings) { m.User = "" }),
		"network": change(func(m *Makings) { m.Network = "host" }),
		"user as network": change(func(m *Makings) {
			m.User, m.Network = "bridge", "app"
		}),
	} {
		if m.Revision() == base.Revision() {
			t.Errorf("another %s, the same revision", name)
		}
	}
	for name, m := range map[string]Makings{
		"the default network's other name": change(func(m *Makings) { m.Network = "default" }),
		"copies":                           change(func(m *Makings) { m.Command = []string{"-v"} }),
	} {
		if m.Revision() != base.Revision() {
			t.Errorf("%s: another revision", name)
		}
	}
	a, b := Makings{Network: "container:aaa"}, Makings{Network: "container:bbb",
		Command: []string{}}
	if a.Revision() != b.Revision() {
		t.Error("the network of a container that was made again is another revision")
	}
}
