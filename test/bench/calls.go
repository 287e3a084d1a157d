package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"dropcap/internal/bpf"
)

// callFlag makes this program repeat a call of one kind.
const callFlag = "call"

// kinds of calls: unrelated to capabilities, examined and ignored, counted.
var kinds = []struct {
	name      string
	nr, a, b  uintptr
	mostAdded float64 // ns
}{
	{"another system call (getppid)", unix.SYS_GETPPID, 0, 0, 150},
	{"prctl about something else (PR_GET_DUMPABLE)", unix.SYS_PRCTL, unix.PR_GET_DUMPABLE, 0, 300},
	{"prctl that asks for one of the bounding set", unix.SYS_PRCTL, unix.PR_CAPBSET_READ,
		unix.CAP_NET_RAW, 1200},
}

// call makes calls of a kind, prints the nanoseconds of one and ends.
func call(kind int) {
	const calls = 300_000
	runtime.LockOSThread()
	k := kinds[kind]
	began := used()
	for range calls {
		unix.RawSyscall(k.nr, k.a, k.b, 0)
	}
	fmt.Fprintln(os.Stdout, float64(used()-began)/calls)
}

func used() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// callCost measures what watching prctl(2) adds to it and to other calls, in a watched container.
func (b *bench) callCost() error {
	const rounds = 11
	box, err := newBox(0)
	if err != nil {
		return err
	}
	defer box.remove()
	took := map[bool][][]float64{false: make([][]float64, len(kinds)),
		true: make([][]float64, len(kinds))}
	for range rounds {
		for _, watched := range []bool{false, true} {
			for kind := range kinds {
				ns, err := b.callAs(watched, kind, box)
				if err != nil {
					return err
				}
				took[watched][kind] = append(took[watched][kind], ns)
			}
		}
	}
	fmt.Println("Calls in a container that is watched")
	for kind, k := range kinds {
		before, after := slices.Min(took[false][kind]), slices.Min(took[true][kind])
		fmt.Printf("  %-58s %8.0f ns, %.0f ns untraced\n", k.name, after, before)
		b.promise("added to it", after-before, k.mostAdded, " ns")
	}
	fmt.Println()
	return nil
}

func (b *bench) callAs(watched bool, kind int, box box) (float64, error) {
	if watched {
		t, err := bpf.Open(bpf.Options{})
		if err != nil {
			return 0, err
		}
		defer t.Close()
		if err := t.Watch(box.id, true); err != nil {
			return 0, err
		}
	}
	cmd, err := box.command(b.self, callFlag, strconv.Itoa(kind))
	if err != nil {
		return 0, err
	}
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	var ns float64
	_, err = fmt.Sscan(string(out), &ns)
	return ns, err
}
