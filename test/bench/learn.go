package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"dropcap/internal/bpf"
	"dropcap/internal/testenv"
)

// actFlag makes this program make a number of capability checks; manyFlag makes it watch a number
// of containers.
const (
	actFlag  = "act"
	manyFlag = "many"
)

// counting is the script that the tracer is compared with. Its output begins when everything is
// attached.
const counting = `[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing
exec bpftrace -e 'BEGIN { printf("ready\n"); } tracepoint:capability:cap_capable { @[comm, args->cap, args->ret] = count(); }'`

// act makes checks: setuid(2) to the own id checks SETUID and does little else.
func act(n int) {
	for range n {
		unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0)
	}
}

// checkCost compares what counting adds to one check, in processor time: for a watched container,
// for one that is not watched, and with bpftrace.
func (b *bench) checkCost() error {
	if err := testenv.Check(testenv.Root, testenv.BTF,
		testenv.Tool("bpftrace", "bpftrace")); err != nil {
		return err
	}
	const rounds = 11
	modes := []string{"untraced", "unwatched", "watched", "bpftrace"}
	took := map[string][]float64{}
	box, err := newBox(0)
	if err != nil {
		return err
	}
	defer box.remove()
	for round := range rounds + 1 {
		for _, mode := range modes {
			ns, err := b.checksAs(mode, box)
			if err != nil {
				return fmt.Errorf("%s: %w", mode, err)
			}
			if round > 0 {
				took[mode] = append(took[mode], ns)
			}
		}
	}
	median := func(mode string) float64 {
		return slices.Sorted(slices.Values(took[mode]))[rounds/2]
	}
	added := func(mode string) float64 { return median(mode) - median("untraced") }
	fmt.Printf("One capability check (setuid(0), %.0f ns untraced)\n", median("untraced"))
	for _, mode := range modes[1:] {
		fmt.Printf("  %-58s %8.0f ns added\n", mode, added(mode))
	}
	b.promise("added by dropcap, watched / by bpftrace", added("watched")/added("bpftrace"), 0.6,
		"")
	b.promise("added by dropcap, unwatched / by bpftrace", added("unwatched")/added("bpftrace"),
		0.35, "")
	fmt.Println()
	return nil
}

// checksAs returns the nanoseconds of one call, traced in the given mode or not at all.
func (b *bench) checksAs(mode string, box box) (float64, error) {
	const calls = 300_000
	switch mode {
	case "watched", "unwatched":
		t, err := bpf.Open(bpf.Options{})
		if err != nil {
			return 0, err
		}
		defer t.Close()
		if err := t.Watch(box.id, mode == "watched"); err != nil {
			return 0, err
		}
	case "bpftrace":
		stop, err := bpftrace()
		if err != nil {
			return 0, err
		}
		defer stop()
	}
	cmd, err := box.command(b.self, actFlag, strconv.Itoa(calls))
	if err != nil {
		return 0, err
	}
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	return float64((cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()).
		Nanoseconds()) / calls, nil
}

// bpftrace starts the script and waits until it counts.
func bpftrace() (stop func(), err error) {
	cmd := exec.Command("sh", "-c", counting)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return stop, nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	stop()
	return nil, errors.New("bpftrace does not start: " + said.String())
}

// storm makes ten million checks from eight processes at once; each must be counted.
func (b *bench) storm() error {
	const processes, each = 8, 1_250_000
	box, err := newBox(0)
	if err != nil {
		return err
	}
	defer box.remove()
	t, err := bpf.Open(bpf.Options{})
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Watch(box.id, true); err != nil {
		return err
	}
	var all []*exec.Cmd
	for range processes {
		cmd, err := box.command(b.self, actFlag, strconv.Itoa(each))
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return err
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			return err
		}
	}
	counted, stats, err := box.setuids(t)
	if err != nil {
		return err
	}
	fmt.Println("A storm of checks from 8 processes")
	fmt.Printf("  %-58s %10d of %d\n", "counted", counted, processes*each)
	b.promise("checks not counted",
		float64(max(processes*each-int(counted), int(counted)-processes*each)), 0, "")
	b.promise("checks and call paths said to be lost", float64(stats.Lost+stats.NoStack), 0, "")
	fmt.Println()
	return nil
}

// containers watches a thousand containers in a process of its own, to measure only their memory.
func (b *bench) containers() error {
	const n = 1000
	cmd := exec.Command(b.self, manyFlag, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var resident, maps, each uint64
	var kinds, cpus int
	if _, err := fmt.Sscan(string(out), &resident, &maps, &each, &kinds, &cpus); err != nil {
		return err
	}
	const mib = 1 << 20
	fmt.Printf("Watching %d containers, %d kinds of checks\n", n, kinds)
	b.promise("peak resident memory of a process that only watches", float64(resident)/1024, 64,
		" MiB")
	fmt.Printf("  %-58s %8.2f MiB\n", fmt.Sprintf("maps in the kernel, on %d processors", cpus),
		float64(maps)/mib)
	fmt.Printf("  %-58s %8.2f MiB\n", "maps in the kernel, computed for 96 processors",
		float64(maps+each*uint64(96-cpus))/mib)
	fmt.Println()
	return nil
}
