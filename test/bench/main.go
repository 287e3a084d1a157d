// Bench measures dropcap beside what people use instead, in one run, and fails when a promise does
// not hold:
//
//	make bench
//	bin/bench learn     what learning costs, and nothing else
//	bin/bench trial     what a trial costs, and nothing else
//	bin/bench downtime  what users see of a change, and nothing else
//	bin/bench carry     what carrying a large layer costs, and nothing else
//	bin/bench fleet     the controller of a fleet, and nothing else
//	bin/bench yield     how many everyday containers reach their least set, and nothing else
//	bin/bench yield docker29    the same, on that engine alone
//	bin/bench audit     audits beside the control's own commands, and nothing else
//
// Every figure is a whole process's: wall time by the clock, peak memory by the kernel's account of
// the finished process. Runs of the things compared alternate, so that a noisy host is noisy for
// all of them, and ratios are of the quiet tenth of the runs, or of medians where that is said.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"dropcap/internal/dockertest"
)

// floorFlag makes this program the floor: sixteen parallel inspects and nothing else.
const floorFlag = "floor"

func main() {
	part := strings.Join(os.Args[1:], " ")
	if helped, err := helper(part); helped {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	parts, known := choose(part)
	if !known {
		fmt.Fprintf(os.Stderr, "bench: error: cannot run %q\nbench: hint: the parts are %s; "+
			"without one all are run\n", part, strings.Join(partNames(), ", "))
		os.Exit(2)
	}
	broken := 0
	var err error
	for i := 0; i < len(parts) && err == nil; i++ {
		var more int
		more, err = parts[i].run()
		broken += more
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
	if broken > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d promises do not hold\n", broken)
		os.Exit(3)
	}
}

// measured is a part of the bench; it returns how many promises do not hold.
type measured struct {
	name string
	run  func() (broken int, err error)
}

var all = []measured{
	{"learn", learning}, {"trial", trials}, {"downtime", downtimes}, {"carry", carried},
	{"fleet", fleets}, {"audit", run}, {"yield", func() (int, error) { return yielded() }},
}

// of are further parts: one of another on one engine, as "yield docker29".
func of() (list []measured) {
	for _, h := range yieldHosts {
		list = append(list, measured{"yield " + string(h.kind), func() (int, error) {
			return yielded(h.kind)
		}})
	}
	return list
}

func downtimes() (int, error) { return onEngine(dockertest.Docker20, (*bench).downtime) }

func carried() (int, error) { return onEngine(dockertest.Docker20, (*bench).carry) }

// choose returns the part of that name, or all for the empty name.
func choose(name string) (list []measured, known bool) {
	if name == "" {
		return all, true
	}
	for _, m := range slices.Concat(all, of()) {
		if m.name == name {
			return []measured{m}, true
		}
	}
	return nil, false
}

func partNames() []string {
	var names []string
	for _, m := range slices.Concat(all, of()) {
		names = append(names, m.name)
	}
	return names
}

// helper runs one of the programs that this one starts itself as.
func helper(args string) (bool, error) {
	name, argument, _ := strings.Cut(args, " ")
	n, _ := strconv.Atoi(argument)
	switch name {
	case floorFlag:
		return true, floor(os.Getenv("DOCKER_HOST"))
	case actFlag:
		act(n)
		return true, nil
	case loopFlag:
		serveLoops()
		return true, nil
	case callFlag:
		call(n)
		return true, nil
	case trialFlag:
		return true, denies()
	case manyFlag:
		return true, many(n)
	case hostileFlag:
		return true, hostile(argument)
	case controlFlag:
		return true, audits(argument)
	case pollFlag:
		poll(argument)
		return true, nil
	default:
		return false, nil
	}
}

// learning measures the tracer, which needs no engine.
func learning() (broken int, err error) {
	runtime.LockOSThread() // what is started ends with its parent thread, so this one must last
	defer runtime.UnlockOSThread()
	sweep()
	b := &bench{}
	if b.self, err = os.Executable(); err != nil {
		return 0, err
	}
	for _, part := range []func() error{b.checkCost, b.callCost, b.storm, b.containers} {
		if err := part(); err != nil {
			return b.broken, err
		}
	}
	return b.broken, nil
}

// run measures on a private engine: empty first, then with more and more containers.
func run() (broken int, err error) {
	e, stop, err := dockertest.StartMain(dockertest.Docker20)
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	if _, err := e.Import("app:1", `CMD ["sleep", "86400"]`); err != nil {
		return 0, err
	}
	b, err := newBench(e)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.dir)
	for _, part := range []func() error{b.empty, b.host, b.curve} {
		if err := part(); err != nil {
			return b.broken, err
		}
	}
	return b.broken, nil
}
