package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"dropcap/internal/bpf"
	"dropcap/internal/testenv"
)

// checkRounds is how often each way of tracing is attached and detached again. More and shorter
// rounds, in turn, are what makes two runs agree on a busy host.
const checkRounds = 20

// The ways of tracing that are compared. Beside a container that is not watched there is one that
// is, since what that takes may cost others something.
const (
	untraced  = "untraced"
	empty     = "an empty program"
	unwatched = "unwatched"
	watched   = "watched"
	byScript  = "bpftrace"
)

var modes = []string{untraced, empty, unwatched, watched, byScript}

// The processors: bpftrace opens its event on the first one, where the kernel then prepares for
// each check a sample that nobody reads, besides running the program (perf_tp_event in
// kernel/events/core.c). Which of them a process happens to run on decided what bpftrace seemed
// to cost.
var processors = []struct {
	name   string
	number int
}{{"where bpftrace has its event", 0}, {"elsewhere", runtime.NumCPU() - 1}}

// costs are nanoseconds of one round each.
type costs map[cost][]float64

type cost struct {
	mode, call string
	cpu        int
}

// checkCost compares what counting adds to one check: for a watched container, for one that is not
// watched, and with bpftrace.
func (b *bench) checkCost() error {
	if err := testenv.Check(testenv.Root, testenv.BTF,
		testenv.Tool("bpftrace", "bpftrace")); err != nil {
		return err
	}
	boxes := [2]box{}
	for i := range boxes {
		var err error
		if boxes[i], err = newBox(i); err != nil {
			return err
		}
		defer boxes[i].remove()
	}
	w, err := startLooper(b.self, boxes[0])
	if err != nil {
		return err
	}
	took, own := costs{}, costs{}
	for range checkRounds {
		for _, mode := range modes {
			if err := w.measure(mode, boxes, took, own); err != nil {
				return fmt.Errorf("%s: %w", mode, errors.Join(err, w.end()))
			}
		}
	}
	b.report(took, own)
	return w.end()
}

// measure adds a round of one mode: by the loop's clock, then by the kernel's own account of
// programs, which slows everything down and so has loops for itself.
func (w *looper) measure(mode string, boxes [2]box, took, own costs) error {
	account, stop, err := attached(mode, boxes)
	if err != nil {
		return err
	}
	defer stop()
	for _, p := range processors {
		for _, call := range loopCalls {
			ns, err := w.loop(p.number, call.name)
			if err != nil {
				return err
			}
			k := cost{mode, call.name, p.number}
			took[k] = append(took[k], ns)
		}
	}
	if account == nil {
		return nil
	}
	return counting(func() error {
		before := account()
		if _, err := w.loop(processors[0].number, oneCheck); err != nil {
			return err
		}
		if after := account(); after.runs > before.runs {
			k := cost{mode: mode}
			own[k] = append(own[k], float64(after.ns-before.ns)/float64(after.runs-before.runs))
		}
		return nil
	})
}

// attached traces in one of the modes. account reads the kernel's own of the program that checks
// call.
func attached(mode string, boxes [2]box) (account func() spent, stop func(), err error) {
	switch mode {
	case empty:
		p, err := bpf.AttachEmpty()
		if err != nil {
			return nil, nil, err
		}
		return programsOf("self"), func() { p.Close() }, nil
	case watched, unwatched:
		t, err := bpf.Open(bpf.Options{})
		if err != nil {
			return nil, nil, err
		}
		if err := errors.Join(t.Watch(boxes[0].id, mode == watched),
			t.Watch(boxes[1].id, mode != watched)); err != nil {
			t.Close()
			return nil, nil, err
		}
		return programsOf("self"), func() { t.Close() }, nil
	case byScript:
		pid, stop, err := bpftrace()
		if err != nil {
			return nil, nil, err
		}
		return programsOf(fmt.Sprint(pid)), stop, nil
	default:
		return nil, func() {}, nil
	}
}

// part is some of the rounds.
type part func([]float64) []float64

func whole(l []float64) []float64  { return l }
func first(l []float64) []float64  { return l[:len(l)/2] }
func second(l []float64) []float64 { return l[len(l)/2:] }

// added returns what a mode adds to a call. To see what a program asks of its own sets costs every
// call of the host something where a kernel has no better hook than a tracepoint; that is promised
// for itself, and is taken out of what it adds to a check.
func (c costs) added(mode, call string, cpu int, of part) float64 {
	more := func(call string) float64 {
		return quiet(of(c[cost{mode, call, cpu}])) - quiet(of(c[cost{untraced, call, cpu}]))
	}
	if call == noCheck {
		return more(noCheck)
	}
	return more(call) - more(noCheck)
}

// ratio is what dropcap adds to a call as a part of what bpftrace does.
func (c costs) ratio(mode, call string, cpu int, of part) float64 {
	return c.added(mode, call, cpu, of) / c.added(byScript, call, cpu, of)
}

// quiet returns the tenth percentile: a busy host only ever adds.
func quiet(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[len(s)/10]
}

// report prints the table of a check's costs, and what is promised of them.
func (b *bench) report(took, own costs) {
	fmt.Printf("One capability check: ns of processor time added to a call (%d rounds each in "+
		"turn, the quiet tenth)\n", checkRounds)
	for _, p := range processors {
		fmt.Printf("  %-30s %12s %12s %16s\n", p.name, oneCheck, argCheck, "without a check")
		for _, mode := range modes[1:] {
			fmt.Printf("    %-28s %12.0f %12.0f %16.0f\n", mode,
				took.added(mode, oneCheck, p.number, whole),
				took.added(mode, argCheck, p.number, whole),
				took.added(mode, noCheck, p.number, whole))
		}
	}
	here, elsewhere := processors[0].number, processors[1].number
	b.promise("watched / bpftrace, where that has its event",
		took.ratio(watched, oneCheck, here, whole), 0.30, "")
	b.promise("watched / bpftrace elsewhere", took.ratio(watched, oneCheck, elsewhere, whole), 0.60,
		"")
	for _, p := range processors {
		floor := took.ratio(empty, oneCheck, p.number, whole)
		all := took.ratio(unwatched, oneCheck, p.number, whole)
		fmt.Printf("  %-58s %8.2f   (an empty program alone %.2f)\n",
			"unwatched / bpftrace, "+p.name, all, floor)
		b.promise("of it beyond an empty program", all-floor, 0.10, "")
	}
	account := func(mode string) float64 {
		base := quiet(own[cost{mode: empty}])
		return (quiet(own[cost{mode: mode}]) - base) / (quiet(own[cost{mode: byScript}]) - base)
	}
	b.promise("by the kernel's account of the programs, watched / bpftrace", account(watched), 0.60,
		"")
	b.promise("the same, unwatched / bpftrace", account(unwatched), 0.15, "")
	one, other := took.ratio(watched, oneCheck, here, first),
		took.ratio(watched, oneCheck, here, second)
	b.promise(fmt.Sprintf("spread: the first of these by halves of the run, %.3f and %.3f", one,
		other), max(one, other)/min(one, other), 1.10, "")
	fmt.Println()
}
