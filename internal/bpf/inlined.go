package bpf

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropcap/caps"
)

// hooks returns a hook and those that it needs beside it. If the kernel's compiler inlined
// cap_capable into its callers in the same file, capset and prctl(PR_SET_SECUREBITS) check SETPCAP
// without calling it. The tracepoint is inside, so it sees them.
func hooks(c candidate) ([]candidate, error) {
	all := []candidate{c}
	kind, _, _ := strings.Cut(c.name, "/")
	if kind != "fexit" && kind != "kprobe" {
		return all, nil
	}
	seen, err := seesCapset(c)
	if seen || err != nil {
		return all, err
	}
	for _, function := range []string{"cap_capset", "cap_task_prctl"} {
		beside := c
		beside.name = kind + "/" + function
		beside.spec.AttachTo = function
		if kind == "kprobe" {
			beside.attach = func(p *ebpf.Program) (link.Link, error) {
				return link.Kprobe(function, p, nil)
			}
		}
		all = append(all, beside)
	}
	return all, nil
}

// capArgument returns the offset of cap_capable's third argument: in fexit's list, or in the
// registers at a kprobe.
func capArgument(c candidate) int16 {
	const third, amd64RDX, arm64X2 = 2 * 8, 12 * 8, 2 * 8
	switch {
	case c.spec.Type != ebpf.Kprobe:
		return third
	case runtime.GOARCH == "arm64":
		return arm64X2
	default:
		return amd64RDX
	}
}

// seesCapset finds out by trying: it counts the checks of SETPCAP at the hook while this thread
// sets its capabilities to their current value.
func seesCapset(c candidate) (bool, error) {
	const times = 16 // others may call capset meanwhile, but not so often
	counter, err := ebpf.NewMap(&ebpf.MapSpec{Name: "dropcap_probe", Type: ebpf.Array, KeySize: 4,
		ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return false, err
	}
	defer counter.Close()
	spec := c.spec
	spec.Name, spec.License, spec.Instructions = "dropcap_probe", "GPL",
		countChecks(counter, capArgument(c))
	p, err := ebpf.NewProgramWithOptions(&spec, ebpf.ProgramOptions{LogDisabled: true})
	if err != nil {
		return false, err
	}
	defer p.Close()
	l, err := c.attach(p)
	if err != nil {
		return false, err
	}
	defer l.Close()
	if err := capsetSame(times); err != nil {
		return false, err
	}
	var n uint64
	err = counter.Lookup(uint32(0), &n)
	return n >= times, err
}

// countChecks is a program that adds one if the argument at an offset of its context is SETPCAP.
func countChecks(counter *ebpf.Map, offset int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R1, offset, asm.DWord),
		// an int: the upper half of the register may hold anything
		asm.JNE.Imm32(asm.R1, int32(caps.Setpcap), "end"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, counter.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "end"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("end"),
		asm.Return(),
	}
}

func capsetSame(times int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&h, &held[0]); err != nil {
		return fmt.Errorf("read this thread's capabilities: %w", err)
	}
	for range times {
		if err := unix.Capset(&h, &held[0]); err != nil {
			return fmt.Errorf("set this thread's capabilities to what they are: %w", err)
		}
	}
	return nil
}
