// Package bpf loads eBPF programs that observe. What denies is internal/deny, which reads with this
// package's Recorder; both, and nothing else, import cilium/ebpf.
// Nothing here changes a verdict, and a probe is closed before it returns.
package bpf

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Hook is a place in the kernel where capability checks could be watched, and whether that works
// here.
type Hook struct {
	Name string // as "tp_btf/cap_capable"
	OK   bool   // a program loads and attaches, and the kernel will call it
	Why  string // one clause why not; empty if OK
}

// candidate is a hook and how to try it.
type candidate struct {
	name   string
	spec   ebpf.ProgramSpec
	attach func(*ebpf.Program) (link.Link, error)
}

// candidates returns the hooks in order of preference. fexit shows arguments, options and verdict
// at once, the tracepoints (since Linux 6.14) all but the options, a kprobe neither. The last two
// see the security modules' verdict but miss direct calls of cap_capable.
func candidates() []candidate {
	tracing := func(at ebpf.AttachType) func(*ebpf.Program) (link.Link, error) {
		return func(p *ebpf.Program) (link.Link, error) {
			return link.AttachTracing(link.TracingOptions{Program: p, AttachType: at})
		}
	}
	return []candidate{
		{"fexit/cap_capable", ebpf.ProgramSpec{Type: ebpf.Tracing,
			AttachType: ebpf.AttachTraceFExit, AttachTo: "cap_capable"},
			tracing(ebpf.AttachTraceFExit)},
		{"tp_btf/cap_capable", ebpf.ProgramSpec{Type: ebpf.Tracing,
			AttachType: ebpf.AttachTraceRawTp, AttachTo: "cap_capable"},
			tracing(ebpf.AttachTraceRawTp)},
		{"raw_tp/cap_capable", ebpf.ProgramSpec{Type: ebpf.RawTracepoint},
			func(p *ebpf.Program) (link.Link, error) {
				return link.AttachRawTracepoint(link.RawTracepointOptions{Name: "cap_capable",
					Program: p})
			}},
		{"kprobe/cap_capable", ebpf.ProgramSpec{Type: ebpf.Kprobe},
			func(p *ebpf.Program) (link.Link, error) {
				return link.Kprobe("cap_capable", p, nil)
			}},
		{"fmod_ret/security_capable",
			ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachModifyReturn,
				AttachTo: "security_capable"},
			tracing(ebpf.AttachModifyReturn)},
		{"lsm/capable", ebpf.ProgramSpec{Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac,
			AttachTo: "capable"},
			func(p *ebpf.Program) (link.Link, error) {
				return link.AttachLSM(link.LSMOptions{Program: p})
			}},
	}
}

// Probe tries each hook for real, in order of preference: it loads and attaches an empty program
// and closes it at once. After the end of ctx it tries no more.
func Probe(ctx context.Context) []Hook {
	AllowMemory()
	var list []Hook
	for _, c := range candidates() {
		h := Hook{Name: c.name}
		if err := ctx.Err(); err != nil {
			h.Why = "not tried: " + err.Error()
		} else if err := try(c); err != nil {
			h.Why = explainRefusal(c, err)
		} else if c.spec.Type == ebpf.LSM && !LSMCalled() {
			h.Why = NoLSM
		} else {
			h.OK = true
		}
		list = append(list, h)
	}
	return list
}

// try loads and attaches an empty program.
func try(c candidate) error {
	l, err := attachEmpty(c)
	if err != nil {
		return err
	}
	return l.Close()
}

// attachEmpty attaches a program that returns 0, which leaves every verdict as it is.
func attachEmpty(c candidate) (io.Closer, error) {
	c.spec.Name, c.spec.License = "dropcap_probe", "GPL"
	c.spec.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	p, err := ebpf.NewProgramWithOptions(&c.spec, ebpf.ProgramOptions{LogDisabled: true})
	if err != nil {
		return nil, err
	}
	l, err := c.attach(p)
	if err != nil {
		p.Close()
		return nil, err
	}
	return attachedEmpty{l, p}, nil
}

type attachedEmpty struct{ link, program io.Closer }

func (a attachedEmpty) Close() error { return errors.Join(a.link.Close(), a.program.Close()) }

// AttachEmpty attaches a program that does nothing to the hook that Open would choose: what it
// costs, any program costs there. The caller closes it.
func AttachEmpty() (io.Closer, error) {
	AllowMemory()
	var refused error
	for _, c := range candidates() {
		if !c.eligible("") {
			continue
		}
		a, err := attachEmpty(c)
		if err == nil {
			return a, nil
		}
		refused = errors.Join(refused, err)
	}
	return nil, refused
}

// AllowMemory lifts the limit of locked memory, to which kernels before 5.11 charge programs. If
// that is not allowed, loading fails and says so. The library's own helper will not do: importing
// it alone probes the kernel at each start of the program.
func AllowMemory() {
	most := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &most)
}

// NoLSM says in one clause what it means if LSMCalled is false.
const NoLSM = `it attaches but is never called: "bpf" is not in /sys/kernel/security/lsm`

// LSMCalled reports whether the kernel calls BPF security modules: without it they attach all the
// same, without an error.
func LSMCalled() bool {
	text, err := os.ReadFile("/sys/kernel/security/lsm")
	return err == nil && slices.Contains(strings.Split(strings.TrimSpace(string(text)), ","), "bpf")
}

// explainRefusal is ExplainRefusal, and knows hosts without kprobes.
func explainRefusal(c candidate, err error) string {
	const kprobes = "/sys/bus/event_source/devices/kprobe"
	if _, missing := os.Stat(kprobes); c.spec.Type == ebpf.Kprobe && missing != nil {
		return "the kernel offers no kprobes: there is no " + kprobes
	}
	return ExplainRefusal(err)
}

// ExplainRefusal says in one clause why a program did not load or attach. The messages of the
// kernel and the library are about internals.
func ExplainRefusal(err error) string {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, btf.ErrNotFound) {
		return "this kernel has no such hook"
	}
	return clause(err)
}

// clause shortens an error: to the kernel's word for it, if any, without the verifier's log.
func clause(err error) string {
	var v *ebpf.VerifierError
	if errors.As(err, &v) {
		err = v.Cause
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	const longest = 160
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest]) + "…"
	}
	return text
}

// Kernel holds what else decides whether programs load.
type Kernel struct {
	BTF          bool
	Lockdown     string // "none", "integrity" or "confidentiality"; empty if unknown
	Unprivileged string // kernel.unprivileged_bpf_disabled: "0", "1" or "2"; empty if unknown
}

// Facts reads the kernel's settings.
func Facts() Kernel {
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	k := Kernel{BTF: err == nil}
	if text, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil {
		k.Lockdown = bracketed(string(text))
	}
	if text, err := os.ReadFile("/proc/sys/kernel/unprivileged_bpf_disabled"); err == nil {
		k.Unprivileged = strings.TrimSpace(string(text))
	}
	return k
}

// bracketed returns the bracketed word of "none [integrity] confidentiality".
func bracketed(text string) string {
	_, rest, _ := strings.Cut(text, "[")
	word, _, found := strings.Cut(rest, "]")
	if !found {
		return ""
	}
	return word
}
