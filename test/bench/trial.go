package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"

	"dropcap/internal/testenv"
	"dropcap/test/vm"
)

// trialFlag makes this program measure what denying costs, where it is.
const trialFlag = "deny"

// trials measures what a trial costs in an emulated machine, since hosts of this project's tests
// refuse what denies. It counts instructions there, and only their ratios mean anything.
func trials() (broken int, err error) {
	if err := testenv.Check(testenv.Root, testenv.VM,
		testenv.Tool("bpftrace", "bpftrace")); err != nil {
		return 0, err
	}
	options, err := comparison()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	m, err := vm.Open(ctx, vm.Kernel("6.1"), options...)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	out, stderr, exit, err := m.Run(ctx, "sh", "-ec", `mkdir -p /tmp
		mounted() { grep -q " $1 " /proc/mounts; }
		mounted /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
		mounted /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
		mounted /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
		exec /bench `+trialFlag)
	if err != nil {
		return 0, err
	}
	var took map[string]map[string]float64
	if exit != 0 || json.Unmarshal(out, &took) != nil {
		return 0, fmt.Errorf("exit %d in the machine: %s%s", exit, out, stderr)
	}
	b := &bench{}
	b.denyCost(took)
	return b.broken, nil
}

// comparison returns a machine with this program and with bpftrace and its libraries.
func comparison() ([]vm.Option, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path, err := exec.LookPath("bpftrace")
	if err != nil {
		return nil, err
	}
	libraries, err := exec.Command("ldd", path).Output()
	if err != nil {
		return nil, fmt.Errorf("libraries of bpftrace: %w", err)
	}
	files := map[string]string{"/bench": self, "/usr/bin/bpftrace": path}
	for _, f := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
		files[f] = f
	}
	options := []vm.Option{vm.Memory(3072), vm.CPUs(1), vm.Counted()}
	for to, from := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		options = append(options, vm.File(to, data, 0o755))
	}
	return options, nil
}

// denyCost prints nanoseconds of one check, by place and mode.
func (b *bench) denyCost(took map[string]map[string]float64) {
	added := func(place, mode string) float64 { return took[place][mode] - took[place]["nothing"] }
	fmt.Println("One capability check (setuid(0)), in instructions of an emulated machine")
	for _, place := range denyPlaces {
		fmt.Printf("  %s: %.0f with nothing\n", place, took[place]["nothing"])
		for _, mode := range denyModes[1:] {
			fmt.Printf("    %-56s %8.0f added\n", mode, added(place, mode))
		}
	}
	for i, most := range []float64{1.5, 1.2, 1.2} {
		place := denyPlaces[i]
		b.promise("by the trial / by the tracer alone, "+place,
			added(place, denying)/added(place, alone), most, "")
	}
	fmt.Println()
}
