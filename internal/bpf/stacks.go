package bpf

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// symbols names addresses in the kernel, by /proc/kallsyms. One string holds all names, since there
// are some hundred thousand.
type symbols struct {
	mu        sync.Mutex
	modules   string              // /proc/modules when it was last read
	named     map[uint64][]string // stacks by number; numbers are not reused
	addresses []uint64            // ascending
	begins    []uint32            // the start of each name in names, and the end
	names     string
}

func readSymbols() (*symbols, error) {
	s := &symbols{}
	return s, s.read()
}

func (s *symbols) read() error {
	text, _ := os.ReadFile("/proc/modules") // missing on a kernel without modules
	s.modules, s.named = string(text), map[uint64][]string{}
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return err
	}
	defer f.Close()
	return s.parse(f)
}

func (s *symbols) parse(r io.Reader) error {
	type symbol struct {
		address    uint64
		begin, end uint32
	}
	var (
		all   []symbol
		names bytes.Buffer
	)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		address, name, ok := function(lines.Bytes())
		if ok {
			begin := names.Len()
			names.Write(name)
			all = append(all, symbol{address, uint32(begin), uint32(names.Len())})
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read /proc/kallsyms: %w", err)
	}
	if len(all) == 0 {
		return errors.New("/proc/kallsyms hides the kernel's addresses (kernel.kptr_restrict)")
	}
	// Stable sorting: of several names for one address, the first is the one in the source.
	slices.SortStableFunc(all, func(a, b symbol) int { return cmp.Compare(a.address, b.address) })
	text := names.String()
	var ordered strings.Builder
	ordered.Grow(len(text))
	s.addresses, s.begins = make([]uint64, 0, len(all)), make([]uint32, 0, len(all)+1)
	for _, y := range all {
		s.addresses = append(s.addresses, y.address)
		s.begins = append(s.begins, uint32(ordered.Len()))
		ordered.WriteString(text[y.begin:y.end])
	}
	s.names = ordered.String()
	s.begins = append(s.begins, uint32(ordered.Len()))
	return nil
}

// function parses a line of kallsyms, "ffffffff81000000 T _stext [module]". ok is false for data,
// and where addresses are hidden.
func function(line []byte) (address uint64, name []byte, ok bool) {
	fields := bytes.Fields(line)
	if len(fields) < 3 || !bytes.Contains([]byte("tTwW"), fields[1]) {
		return 0, nil, false
	}
	address, err := strconv.ParseUint(string(fields[0]), 16, 64)
	return address, fields[2], err == nil && address != 0
}

// name returns the function that contains an address; "" below the first one.
func (s *symbols) name(address uint64) string {
	i, found := slices.BinarySearch(s.addresses, address)
	if !found {
		i--
	}
	if i < 0 {
		return ""
	}
	for i > 0 && s.addresses[i-1] == s.addresses[i] {
		i--
	}
	return s.names[s.begins[i]:s.begins[i+1]]
}

// stacks returns the names of numbered stacks. It calls load, which reads all that the kernel has,
// only if a stack is not yet named. Stacks that load does not return are missing from the result.
func (s *symbols) stacks(wanted []uint64,
	load func() ([]numbered, error)) (map[uint64][]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text, _ := os.ReadFile("/proc/modules"); string(text) != s.modules {
		if err := s.read(); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(wanted, func(id uint64) bool { return s.named[id] == nil }) {
		all, err := load()
		if err != nil {
			return nil, err
		}
		named := make(map[uint64][]string, len(all))
		for _, e := range all {
			if named[e.value] = s.named[e.value]; named[e.value] == nil {
				named[e.value] = s.frames(e.key.Frames[:])
			}
		}
		s.named = named
	}
	out := make(map[uint64][]string, len(wanted))
	for _, id := range wanted {
		if names, ok := s.named[id]; ok {
			out[id] = names
		}
	}
	return out, nil
}

// frames names a stack, innermost first, from the function that asked for the capability up to the
// system call.
func (s *symbols) frames(addresses []uint64) []string {
	names := []string{} // not nil, which would mean an unknown stack
	for i, a := range addresses {
		if a == 0 {
			break
		}
		if i > 0 {
			a-- // the return address may be the start of another function
		}
		names = append(names, plain(s.name(a)))
	}
	// Above it are dropcap's own frames: programs, trampolines, tracepoints. Those have no lasting
	// address. What denies sits above cap_capable.
	if i := slices.IndexFunc(names, func(name string) bool {
		return name == "cap_capable" || name == "security_capable"
	}); i >= 0 {
		names = names[i:]
	}
	return slices.DeleteFunc(names, passed)
}

// plain removes the compiler's additions to a function's name: "x.isra.0", "x.constprop.0.cold".
func plain(name string) string {
	before, _, _ := strings.Cut(name, ".")
	return before
}

// passing are the functions that every check passes through and that therefore say nothing
// (include/linux/capability.h, security/, kernel/capability.c, and each machine's system call
// entry).
var passing = []string{
	"", "cap_capable", "cap_capable_helper", "security_capable", "bpf_lsm_capable",
	"ns_capable_common", "ns_capable",
	"ns_capable_noaudit", "ns_capable_setid", "capable",
	"has_ns_capability", "has_ns_capability_noaudit", "has_capability", "has_capability_noaudit",
	"file_ns_capable", "privileged_wrt_inode_uidgid",
	"capable_wrt_inode_uidgid", "security_capable_noaudit", "do_syscall_64",
	"entry_SYSCALL_64_after_hwframe", "entry_SYSCALL_64",
	"entry_SYSCALL_64_safe_stack", "x64_sys_call", "do_syscall_x64", "do_fast_syscall_32",
	"do_int80_emulation", "int80_emulation",
	"el0t_64_sync", "el0t_64_sync_handler", "el0_svc", "do_el0_svc", "invoke_syscall",
	"el0_svc_common",
}

func passed(name string) bool {
	return slices.Contains(passing, name) || strings.HasPrefix(name, "bpf_prog_") ||
		strings.HasPrefix(name, "bpf_trampoline_") ||
		strings.HasPrefix(name, "__traceiter_") || strings.HasPrefix(name, "__bpf_trace_") ||
		strings.HasPrefix(name, "bpf_trace_run") ||
		strings.HasPrefix(name, "__bpf_prog_")
}
