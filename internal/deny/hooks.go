package deny

import (
	"errors"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"dropcap/internal/bpf"
)

// hook is a place where a check can be denied.
type hook struct {
	name   string
	usable func() error
	attach func(*ebpf.Program) (link.Link, error)
}

// hooks are in order of preference. The first replaces the whole check, so that what observes
// cap_capable does not see what is denied; the second runs after it.
var hooks = []hook{
	{"fmod_ret/security_capable", func() error { return nil },
		func(p *ebpf.Program) (link.Link, error) {
			return link.AttachTracing(link.TracingOptions{Program: p,
				AttachType: ebpf.AttachModifyReturn})
		}},
	{"lsm/capable", lsmUsable,
		func(p *ebpf.Program) (link.Link, error) {
			return link.AttachLSM(link.LSMOptions{Program: p})
		}},
}

func lsmUsable() error {
	if !bpf.LSMCalled() {
		return errors.New(bpf.NoLSM)
	}
	return nil
}

func find(name string) *hook {
	for i := range hooks {
		if hooks[i].name == name {
			return &hooks[i]
		}
	}
	return nil
}

// Hooks returns the names of the hooks, in order of preference.
func Hooks() (list []string) {
	for _, h := range hooks {
		list = append(list, h.name)
	}
	return list
}

// programName returns the name of the object's program for a hook.
func programName(hook string) string { return strings.ReplaceAll(hook, "/", "_") }

// open loads the program, with nothing denied, and attaches it.
func (h *hook) open() (*Denier, error) {
	d, err := h.load()
	if err != nil {
		return nil, err
	}
	if err := d.attach(h); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Denier) attach(h *hook) (err error) {
	d.link, err = h.attach(d.program)
	return err
}

func (h *hook) load() (*Denier, error) {
	if err := h.usable(); err != nil {
		return nil, err
	}
	spec, err := object()
	if err != nil {
		return nil, err
	}
	for name := range spec.Programs {
		if name != programName(h.name) {
			delete(spec.Programs, name)
		}
	}
	if err := bpf.SetConstants(spec, keysEach); err != nil {
		return nil, err
	}
	c, err := ebpf.NewCollectionWithOptions(spec,
		ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogDisabled: true}})
	if err != nil {
		return nil, err
	}
	return &Denier{hook: h.name, collection: c, program: c.Programs[programName(h.name)]}, nil
}

// object returns the object with maps of the sizes for denials: there are few kinds of them. What
// is only a memory of the recorder's keeps the latest, so that it never fills.
func object() (*ebpf.CollectionSpec, error) {
	spec, err := loadDenial()
	if err != nil {
		return nil, err
	}
	for name, n := range map[string]uint32{
		denialMapChecks: 8192, denialMapCallPaths: 8192, denialMapStacks: 1024,
		denialMapGroups: 4096, denialMapHomes: 2048, denialMapProcesses: 8192,
		denialMapPrograms: 2048, denialMapLosses: 2048, denialMapSightings: 1,
		denialMapProgramPaths: 128 * 1024,
	} {
		spec.Maps[name].MaxEntries = n
	}
	spec.Maps[denialMapGroups].Type = ebpf.LRUHash
	spec.Maps[denialMapHomes].Type = ebpf.LRUHash
	return spec, nil
}
