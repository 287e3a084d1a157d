package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"dropcap/internal/bpf"
)

// actFlag makes this program make a number of capability checks; manyFlag makes it watch a number
// of containers.
const (
	actFlag  = "act"
	manyFlag = "many"
)

// act makes checks: setuid(2) to the own id checks SETUID and does little else.
func act(n int) {
	for range n {
		unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0)
	}
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
