// Package deny denies capabilities to containers, in the kernel: for a trial, while its process
// lives, and for a hold, which lasts. It denies nothing but what Deny and Expect name, and only
// where the kernel would have granted it by the container's own rights. Where in doubt it leaves
// the check to the kernel.
package deny

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/bpf"
)

// Options controls how a Denier works. The zero value is right for a trial.
type Options struct {
	// Hook forces "fmod_ret/security_capable" or "lsm/capable"; empty selects the best that works.
	Hook string
	// Pin is a folder in a bpffs, ours alone, where everything is pinned so that it outlives this
	// process. The next Open with the same folder goes on with what is there. Empty: the kernel
	// lets go when this process ends, however it ends.
	Pin string
}

// Denier denies capabilities to containers. It is safe for concurrent use.
type Denier struct {
	hook       string
	collection *ebpf.Collection
	link       link.Link
	program    *ebpf.Program
	folder     *folder // nil if nothing is pinned
	news       *news

	mu       sync.Mutex // guards changes, and recorder
	recorder *bpf.Recorder
}

// keysEach limits the kinds of denied checks that are kept of one container.
const keysEach = 1024

// Open loads and attaches the program, or takes up what is pinned. Nothing new is denied before a
// call of Deny or Expect. The error has CodeHost where no hook works.
func Open(o Options) (*Denier, error) {
	if o.Hook != "" && find(o.Hook) == nil {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "choose "+strings.Join(Hooks(), " or "),
			"cannot deny capabilities: there is no hook %q", o.Hook)
	}
	bpf.AllowMemory()
	var d *Denier
	var err error
	if o.Pin == "" {
		d, err = fresh(o)
	} else {
		d, err = pinned(o)
	}
	if err != nil {
		return nil, err
	}
	if d.folder == nil { // a pinned one may have several users, who ask when they want to know
		_, err = d.reader()
	}
	if err == nil {
		d.news, err = listen(d.collection.Maps[denialMapNews])
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read what is denied: %w", err), d.Close())
	}
	return d, nil
}

// fresh loads and attaches at the best hook.
func fresh(o Options) (*Denier, error) {
	var refused []string
	for _, h := range hooks {
		if o.Hook != "" && o.Hook != h.name {
			continue
		}
		d, err := h.open()
		if err == nil {
			return d, nil
		}
		refused = append(refused, h.name+": "+bpf.ExplainRefusal(err))
	}
	return nil, dropcap.Errorf(dropcap.CodeHost, remedy(),
		"cannot deny capabilities on this host: %s", strings.Join(refused, "; "))
}

// Hook returns the attached hook.
func (d *Denier) Hook() string { return d.hook }

// Deny denies s, and nothing else, to the container whose own cgroup that is, with all cgroups
// below; the empty set lifts everything. It holds from the next check on.
func (d *Denier) Deny(cgroup uint64, s caps.Set) error {
	return d.change(denialMapDenied, cgroup, s, uint64(s))
}

// Expect denies s to the container of that id, in the cgroup that it has and in each that it will
// get, from the first check of its own program on; the empty set lifts and forgets. It adds to what
// Deny denies.
func (d *Denier) Expect(container string, s caps.Set) error {
	return d.ExpectUntil(container, s, time.Time{})
}

// ExpectUntil is Expect until a time, when the kernel lifts it by itself, whoever is alive. The
// zero time stands for no end.
func (d *Denier) ExpectUntil(container string, s caps.Set, until time.Time) error {
	key, err := containerID(container)
	if err != nil {
		return err
	}
	e := denialExpectation{Caps: uint64(s)}
	if !until.IsZero() {
		e.Until = max(1, bpf.BootTime(until)) // 0 would be without an end
	}
	return d.change(denialMapExpected, key, s, e)
}

// Expected returns what Expect and ExpectUntil deny now, by container.
func (d *Denier) Expected() (map[string]caps.Set, error) {
	return expectedIn(d.collection.Maps[denialMapExpected])
}

func expectedIn(m *ebpf.Map) (map[string]caps.Set, error) {
	list, err := bpf.Read[denialContainerId, denialExpectation](m)
	if err != nil {
		return nil, fmt.Errorf("read what is denied: %w", err)
	}
	out, now := map[string]caps.Set{}, bpf.BootTime(time.Now())
	for id, e := range list {
		if e.Until != 0 && e.Until <= now {
			continue
		}
		var text strings.Builder
		for _, c := range id.Digits {
			text.WriteByte(byte(c))
		}
		out[text.String()] = caps.Set(e.Caps)
	}
	return out, nil
}

func containerID(text string) (id denialContainerId, err error) {
	if len(text) != len(id.Digits) || strings.Trim(text, "0123456789abcdef") != "" {
		return id, dropcap.Errorf(dropcap.CodeError, "",
			"cannot deny capabilities to container %q: an id has 64 hexadecimal digits", text)
	}
	for i := range id.Digits {
		id.Digits[i] = int8(text[i])
	}
	return id, nil
}

// change writes one entry. The program looks at everything anew once the generation has changed;
// anywhere must hold whatever is in the maps at any moment.
func (d *Denier) change(name string, key any, s caps.Set, value any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	unlock, err := d.folder.lock()
	if err != nil {
		return err
	}
	defer unlock()
	m := d.collection.Maps[name]
	if s == 0 {
		err = m.Delete(key)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
	} else if err = d.widen(s); err == nil {
		err = m.Put(key, value)
	}
	if err == nil {
		err = errors.Join(d.announce(), d.settle())
	}
	if err != nil {
		return fmt.Errorf("change what is denied: %w", err)
	}
	return nil
}

func (d *Denier) widen(s caps.Set) error {
	v := d.collection.Variables[denialVarAnywhere]
	var all uint64
	if err := v.Get(&all); err != nil {
		return err
	}
	return v.Set(all | uint64(s))
}

func (d *Denier) announce() error {
	v := d.collection.Variables[denialVarGeneration]
	var n uint64
	if err := v.Get(&n); err != nil {
		return err
	}
	return v.Set(n + 1)
}

// settle sets anywhere to what is denied anywhere.
func (d *Denier) settle() error {
	byCgroup, err := bpf.Read[uint64, uint64](d.collection.Maps[denialMapDenied])
	if err != nil {
		return err
	}
	byID, err := bpf.Read[denialContainerId, denialExpectation](
		d.collection.Maps[denialMapExpected])
	if err != nil {
		return err
	}
	var all uint64
	for _, s := range byCgroup {
		all |= s
	}
	for _, e := range byID {
		all |= e.Caps
	}
	return d.collection.Variables[denialVarAnywhere].Set(all)
}

// Close ends the denial, unless it is pinned.
func (d *Denier) Close() error {
	var err error
	if d.news != nil {
		err = d.news.close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil {
		err = errors.Join(err, d.link.Close())
	}
	if d.program != nil && d.collection.Programs[programName(d.hook)] == nil { // taken up
		err = errors.Join(err, d.program.Close())
	}
	if d.recorder != nil {
		err = errors.Join(err, d.recorder.Close()) // and the collection
	} else {
		d.collection.Close()
	}
	if d.folder != nil {
		err = errors.Join(err, d.folder.Close())
	}
	return err
}

// remedy returns what would let a hook work here.
func remedy() string {
	if os.Geteuid() == 0 && bpf.Remedy() == "" {
		return `add "bpf" to the kernel's lsm= parameter, after what ` +
			"/sys/kernel/security/lsm shows, or use a kernel that allows fmod_ret programs " +
			"(dropcap doctor shows both)"
	}
	return bpf.Remedy()
}
