package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

const storming = 8

// A million checks from eight processes at once, ten million under DROPCAP_TEST_FULL: the kernel
// must count each of them.
func TestAStormLosesNothing(t *testing.T) {
	each := 125_000
	if os.Getenv("DROPCAP_TEST_FULL") == "1" {
		each *= 10
	}
	tr, b := start(t, Options{}), newBox(t)
	began := time.Now()
	var all sync.WaitGroup
	for range storming {
		cmd := b.command(self(t), fmt.Sprintf("setuid0:%d", each))
		cmd.SysProcAttr.Pdeathsig = 0 // it belongs to the starting thread, which may end first
		all.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	t.Logf("%d checks in %v", storming*each, time.Since(began))
	b.expect(tr, map[string]uint64{"SETUID setuid current granted": uint64(storming * each)})
	_, stats, err := tr.Checks()
	if err != nil || stats.Lost != 0 || stats.NoStack != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	t.Logf("%+v", stats)
}

func TestWhatDoesNotFitIsCountedAsLost(t *testing.T) {
	t.Run("of one container", func(t *testing.T) {
		tr, a, b := start(t, Options{MaxKeysEach: 4}), newBox(t), newBox(t)
		watchOnly(t, tr, a, b)
		a.run("setuid0:2 setgid0:2 chown:2 rawsocket:2 chroot:2")
		got, _ := a.counts(tr)
		_, stats, err := tr.Checks()
		if err != nil || len(got) > 4 || stats.LostOf[a.id] < 2 ||
			stats.Lost != stats.LostOf[a.id] {
			t.Errorf("%v %+v %v", got, stats, err)
		}
		b.run("mknod:2") // the other one still has room for its first keys
		if n, _ := b.counts(tr); len(n) == 0 {
			t.Error("one container took another's room")
		}
	})
	t.Run("of all", func(t *testing.T) {
		tr, b := start(t, Options{MaxKeys: 2}), newBox(t)
		watchOnly(t, tr, b)
		b.run("chown:50 rawsocket:50 setuid0:50")
		got, _ := b.counts(tr)
		_, stats, err := tr.Checks()
		if err != nil || stats.Keys > 2 || stats.MaxKeys != 2 || stats.Lost < 50 ||
			stats.LostOf[b.id] != stats.Lost {
			t.Errorf("%v %+v %v", got, stats, err)
		}
	})
}

// watchOnly excludes what else runs on the host.
func watchOnly(t *testing.T, tr *Tracer, boxes ...*box) {
	t.Helper()
	err := tr.Default(false)
	for _, b := range boxes {
		err = errors.Join(err, tr.Watch(b.id, true))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A container that creates cgroups and programs without end fills its own share only.
func TestCgroupsWithoutEndAreAttributed(t *testing.T) {
	tr, outer := start(t, Options{}), newBox(t)
	const cgroups = 300 // NESTED in programs/container.h is 256
	for i := range cgroups {
		boxAt(t, outer.dir, fmt.Sprintf("c%d", i)).run("setuid0")
	}
	outer.expect(tr, map[string]uint64{"SETUID setuid current granted": cgroups})
}
