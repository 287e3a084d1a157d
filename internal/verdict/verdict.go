// Package verdict judges what a capability check means for the program that caused it: whether
// anything breaks without the capability. It is pure: it does not read the kernel. If no rule is
// certain, the verdict is "unknown", and the capability is kept.
package verdict

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"dropcap"
	"dropcap/caps"
)

// Verdict is the meaning of one check.
type Verdict struct {
	Class dropcap.Class
	// Or holds the other capabilities any one of which would also do; only for Alternative.
	Or      caps.Set
	Site    string // the kernel function that decided; the system call if the call path is unknown
	Because string // what breaks without it, in one sentence
	Rule    string // the rule's name; "unknown" if none fits
	// why a program may work without it, in one clause; empty if nothing suggests that
	Try string
}

// UnknownRule is the rule name of a verdict on a check that no rule matches.
const UnknownRule = "unknown"

// Of judges one check by itself. All also judges pairs of checks.
func Of(c dropcap.KernelCheck) Verdict {
	p := pathOf(c.Frames)
	if len(c.Frames) == 0 && c.Syscall != "" {
		// The path was not recorded. Checks in the system call's own function are recognised all
		// the same.
		p = path{raw: []string{c.Syscall}, names: []string{"sys_" + c.Syscall}}
	}
	for _, r := range rules {
		if i, ok := r.matches(c, p); ok {
			return Verdict{Class: r.Class, Or: r.Or, Site: p.site(i, c), Because: r.Because,
				Rule: r.Name, Try: r.tolerated(c)}
		}
	}
	return Verdict{
		Class: dropcap.UnknownNeed, Site: p.site(p.asker(), c), Rule: UnknownRule,
		Because: "no rule knows what depends on this check, so it is kept",
		Try:     unknownTry,
	}
}

// Rule states what checks of some capabilities at some places in the kernel mean. The first rule
// that fits judges a check.
type Rule struct {
	Name string
	Caps caps.Set
	// At names the functions that make the check, in every form that a compiler produces: if a
	// function is inlined, its caller makes the check. Empty: any.
	At []string
	// Under names functions of which one is anywhere on the path. Empty: any.
	Under    []string
	Syscalls []string // empty: any
	When     string   // a further condition in words; the code is in when
	when     func(c dropcap.KernelCheck, p path) bool
	Class    dropcap.Class
	Or       caps.Set
	Because  string
	// Try says, in one clause, why programs often work although it is denied; empty if a denial
	// always has an effect. TryIf narrows that down.
	Try    string
	TryIf  string // in words; the code is in tryIf
	tryIf  func(c dropcap.KernelCheck) bool
	Source string // kernel file, function, and versions where that matters
}

var rules = slices.Concat(generalRules, idRules, fileRules, ownerRules, netRules, processRules,
	limitRules, systemRules)

// matches reports whether the rule fits, and which frame decided.
func (r Rule) matches(c dropcap.KernelCheck, p path) (int, bool) {
	if !r.Caps.Has(c.Cap) || len(r.Syscalls) > 0 && !slices.Contains(r.Syscalls, c.Syscall) {
		return 0, false
	}
	i := p.asker()
	if len(r.At) > 0 && (i == len(p.names) || !slices.Contains(r.At, p.names[i])) {
		return 0, false
	}
	if len(r.Under) > 0 {
		at := slices.IndexFunc(p.names, func(n string) bool { return slices.Contains(r.Under, n) })
		if at < 0 {
			return 0, false
		}
		if len(r.At) == 0 {
			i = at
		}
	}
	return i, r.when == nil || r.when(c, p)
}

// tolerated returns the clause of Try if it applies.
func (r Rule) tolerated(c dropcap.KernelCheck) string {
	if r.tryIf != nil && !r.tryIf(c) {
		return ""
	}
	if r.Try == "" && r.Class == dropcap.UnknownNeed {
		return unknownTry
	}
	return r.Try
}

// unknownTry is the clause for checks on which no rule is certain.
const unknownTry = "nobody knows whether anything depends on it"

// path is a call path, innermost first. raw has the kernel's names; in names all forms of a system
// call's entry are one.
type path struct{ raw, names []string }

// entry matches the forms in which a compiler leaves a system call's body: __x64_sys_chroot,
// __do_sys_prctl, __se_sys_…, ksys_chroot, __sys_setuid, __arm64_sys_….
//
// It is compiled when first needed: every command loads this package, few judge a check.
var entry = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^(__x64_|__arm64_|__ia32_|__ia32_compat_|__x32_compat_|__do_|__se_|__do_compat_|k|__)?(compat_)?sys_`)
})

func pathOf(frames []string) path {
	p := path{raw: make([]string, 0, len(frames)), names: make([]string, 0, len(frames))}
	for _, f := range frames {
		f, _, _ = strings.Cut(f, ".") // the compiler's .isra.0, .constprop.0, .part.0, .cold
		p.raw = append(p.raw, f)
		p.names = append(p.names, entry().ReplaceAllString(f, "sys_"))
	}
	return p
}

// through are functions that only pass the question on; their caller makes the check. Most are
// inlined on some kernels and not on others.
var through = []string{
	"cap_capable", "cap_capable_helper", "security_capable", "ns_capable", "ns_capable_common",
	"ns_capable_noaudit", "ns_capable_setid", "capable",
	"has_capability", "has_capability_noaudit", "has_ns_capability", "has_ns_capability_noaudit",
	"capable_wrt_inode_uidgid", "file_ns_capable",
	"ptracer_capable", "privileged_wrt_inode_uidgid", "sk_capable", "sk_ns_capable",
	"sk_net_capable", "sockopt_ns_capable", "sockopt_capable",
	"netlink_capable", "netlink_net_capable", "netlink_ns_capable", "__netlink_ns_capable",
	"bpf_token_capable", "bpf_ns_capable",
	"bpf_capable", "bpf_net_capable", "perfmon_capable", "checkpoint_restore_ns_capable",
	"inode_owner_or_capable", "in_group_or_capable",
	"inode_capable", "acl_permission_check", "apparmor_capable", "selinux_capable",
}

// asker returns the index of the innermost function that is not merely passed through; len(names)
// if there is none.
func (p path) asker() int {
	for i, n := range p.names {
		if !slices.Contains(through, n) {
			return i
		}
	}
	return len(p.names)
}

func (p path) has(names ...string) bool {
	return slices.ContainsFunc(p.names, func(n string) bool { return slices.Contains(names, n) })
}

func (p path) site(i int, c dropcap.KernelCheck) string {
	switch {
	case i < len(p.raw):
		return p.raw[i]
	case len(p.raw) > 0:
		return p.raw[0]
	default:
		return c.Syscall
	}
}
