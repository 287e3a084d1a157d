package bpf

import (
	"testing"

	"dropcap"
	"dropcap/caps"
)

// What programs do with their own sets causes no check, or none that shows the capability.
func TestWhatProgramsDoWithTheirOwnSetsIsSeen(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("look:3 look-beyond is-ambient raise-ambient:2 keep-chown inherit raise-ambient:5")
	list := b.expect(tr, map[string]uint64{
		"SYS_TIME prctl look granted": 3, "48 prctl look denied": 1,
		"CHOWN prctl ambient denied": 2, "CHOWN prctl ambient granted": 5,
	})
	for _, c := range list {
		if c.Syscall == "capset" && c.Handed == caps.Of(caps.Chown) {
			return
		}
	}
	t.Errorf("no capset hands CHOWN on: %+v", list)
}

// A program may give up all that it has before anybody can look at it.
func TestWhatAProgramHeldWhenItBeganIsKnown(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("lose-all drop-all setuid0")
	var held caps.Set
	for _, c := range b.expect(tr, nil) {
		held |= c.Held
	}
	if want := caps.Of(caps.Chown, caps.Setpcap, caps.NetRaw); held&want != want {
		t.Errorf("held %s", held.Short())
	}
}

func TestWhatIsDoneInAUserNamespaceOfItsOwnIsToldApart(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("setuid0 nested")
	list := b.expect(tr, map[string]uint64{"SETGID setgid current granted nested": 4,
		"SETGID setgid current granted": 0, "SETUID setuid current granted": 1})
	for _, c := range list {
		if c.Reach == dropcap.ReachNested && c.Held != 0 {
			t.Errorf("what it holds there nobody gave it: %+v", c)
		}
	}
}
