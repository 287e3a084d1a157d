package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropcap"
)

// Options controls how checks are recorded. The zero value is a good choice.
type Options struct {
	// Hook forces a hook, as "kprobe/cap_capable" or "kprobe"; empty selects the best that loads.
	Hook string
	// MaxKeys limits the kinds of checks kept at once, over all containers, and their call paths;
	// 65,536 by default. Each takes about 350 bytes of the kernel's memory, used or not.
	MaxKeys int
	// MaxKeysEach limits those of one container, so that none can crowd out the others; 4,096 by
	// default.
	MaxKeysEach int
}

// Tracer counts the capability checks of containers in the kernel. It is safe for concurrent use.
type Tracer struct {
	*Recorder
	hook        string
	programs    []*ebpf.Program
	links       []link.Link
	lossUnknown bool
	// why programs' use of their own sets without a check is invisible; empty if visible
	noCalls string
	changes uint32 // made of what is watched; Recorder.mu guards it
}

// Open loads the programs and attaches the best hook that works here. Nothing is watched before a
// call of Default or Watch. The error has CodeHost.
func Open(o Options) (*Tracer, error) {
	AllowMemory()
	var refused []string
	for _, c := range candidates() {
		if !c.eligible(o.Hook) {
			continue
		}
		t, err := open(c, o)
		if err == nil {
			return t, nil
		}
		if errors.Is(err, errNotOurs) {
			return nil, refusal(err.Error())
		}
		refused = append(refused, c.name+": "+explainRefusal(c, err))
	}
	if len(refused) == 0 {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "choose fexit, tp_btf, raw_tp or kprobe",
			"cannot watch capability checks: there is no hook %q", o.Hook)
	}
	return nil, refusal(strings.Join(refused, "; "))
}

// errNotOurs marks errors that every other hook would meet too.
var errNotOurs = errors.New("")

// eligible reports whether a candidate sees every check, and is the one asked for, if any is.
func (c candidate) eligible(hook string) bool {
	kind, at, _ := strings.Cut(c.name, "/")
	return at == "cap_capable" && (hook == "" || hook == kind || hook == c.name)
}

// refusal returns the error for a host where nothing loads, with the likeliest remedy.
func refusal(because string) error {
	return dropcap.Errorf(dropcap.CodeHost,
		cmp.Or(Remedy(), "see dropcap doctor for what this kernel offers"),
		"cannot watch capability checks: %s", because)
}

// Remedy returns what would let programs load here; empty if that is not known.
func Remedy() (hint string) {
	facts := Facts()
	switch {
	case os.Geteuid() != 0:
		hint = "run dropcap as root"
	case !facts.BTF:
		hint = "boot a kernel with BTF (CONFIG_DEBUG_INFO_BTF), as the current ones of Debian, " +
			"Ubuntu and Amazon Linux are"
	case facts.Lockdown == "confidentiality":
		hint = "the kernel is locked down (confidentiality): boot without lockdown=confidentiality"
	}
	return hint
}

// open opens a candidate together with a hook for prctl, or without one.
func open(c candidate, o Options) (*Tracer, error) {
	all, err := hooks(c)
	if err != nil {
		return nil, err
	}
	calls, why := callHook(c)
	if why == "" {
		t, err := openAll(append(slices.Clone(all), calls), o)
		if err == nil {
			return t, nil
		}
		why = clause(err)
	}
	t, err := openAll(all, o)
	if err == nil {
		t.noCalls = why
	}
	return t, err
}

// openAll loads and attaches the first candidate, which names the tracer, and those beside it.
func openAll(all []candidate, o Options) (*Tracer, error) {
	spec, err := prepare(all, o)
	if err != nil {
		return nil, err
	}
	c := all[0]
	collection, err := ebpf.NewCollectionWithOptions(spec,
		ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogDisabled: true}})
	if err != nil {
		return nil, err
	}
	t := &Tracer{Recorder: newRecorder(collection), hook: c.name,
		lossUnknown: c.spec.Type == ebpf.Kprobe && !countsKprobes()}
	if err := t.attach(all); err != nil {
		t.Close()
		return nil, err
	}
	if err := t.begin(); err != nil {
		t.Close()
		return nil, fmt.Errorf("%w%w", errNotOurs, err)
	}
	return t, nil
}

func (t *Tracer) attach(all []candidate) error {
	for _, c := range all {
		p := t.collection.Programs[programName(c)]
		l, err := c.attach(p)
		if err != nil {
			return err
		}
		t.programs, t.links = append(t.programs, p), append(t.links, l)
	}
	return nil
}

// programName returns the name of the object's program for a hook.
func programName(c candidate) string { return strings.ReplaceAll(c.name, "/", "_") }

// prepare returns the object with only the programs of some hooks, and with maps and constants set.
func prepare(all []candidate, o Options) (*ebpf.CollectionSpec, error) {
	spec, err := loadCapability()
	if err != nil {
		return nil, err
	}
	for name := range spec.Programs {
		if !slices.ContainsFunc(all, func(c candidate) bool { return programName(c) == name }) {
			delete(spec.Programs, name)
		}
	}
	if o.MaxKeys > 0 {
		spec.Maps[capabilityMapChecks].MaxEntries = uint32(o.MaxKeys)
		spec.Maps[capabilityMapCallPaths].MaxEntries = uint32(o.MaxKeys)
		// many checks share a call path
		spec.Maps[capabilityMapStacks].MaxEntries = max(uint32(o.MaxKeys)/8, 64)
	}
	each := 4096
	if o.MaxKeysEach > 0 {
		each = o.MaxKeysEach
	}
	return spec, SetConstants(spec, each)
}

// sinceBoot returns CLOCK_BOOTTIME, the clock of the eBPF programs.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano())
}

// rootCgroup returns the id of the topmost cgroup that this process can see: above it may be a
// container in which dropcap itself runs. It returns 0 if no version 2 tree is visible; then all
// cgroups are looked at.
func rootCgroup() uint64 {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !strings.HasPrefix(after, "cgroup2 ") || len(fields) < 5 || fields[3] != "/" {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(fields[4], &st) == nil {
			return st.Ino
		}
	}
	return 0
}

// Hook returns the attached hook, as "tp_btf/cap_capable".
func (t *Tracer) Hook() string { return t.hook }

// Close detaches and frees everything, including the counts.
func (t *Tracer) Close() error {
	var err error
	for _, l := range t.links {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, t.Recorder.Close())
}
