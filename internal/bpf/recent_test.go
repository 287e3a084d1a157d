package bpf

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"dropcap/caps"
)

// What the programs remember of a run must not outlive a change of what is watched, however short
// after the last check it comes.
func TestWhatIsRememberedIsForgottenAtOnce(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	const times, each = 20, 3
	changes := []struct {
		name string
		make func() error
	}{
		{"first", func() error { return tr.SetPhase(b.id, "first") }},
		{"off", func() error { return tr.Watch(b.id, false) }},
		{"still off", func() error { return tr.Default(true) }},
		{"second", func() error {
			if err := tr.Watch(b.id, true); err != nil {
				return err
			}
			return tr.SetPhase(b.id, "second")
		}},
	}
	step := fmt.Sprintf("await setuid0:%d tell ", each)
	cmd := b.command(self(t), strings.Repeat(step, times*len(changes)))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range times {
		for _, c := range changes {
			if err := c.make(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if _, err := io.WriteString(in, "x"); err != nil || !lines.Scan() {
				t.Fatalf("the actor ended: %v", err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	counted := map[string]uint64{}
	for _, c := range find(b.expect(tr, nil), caps.Setuid, "setuid") {
		counted[c.Phase] += c.Count
	}
	if want := map[string]uint64{"first": times * each, "second": times * each}; !maps.Equal(
		counted, want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
}
