package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/kernel"
	"dropcap/internal/trust"
)

// Trusting judges files that others name, by who may write them and by what the engine's containers
// reach of this host.
type Trusting struct {
	table *kernel.MountTable
	rule  trust.Rule
}

// owners are the users whose files may be acted upon: root, whoever runs this, and who called sudo.
func owners() []uint32 {
	list := []uint32{0, uint32(os.Geteuid())}
	id, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32)
	if err == nil && os.Geteuid() == 0 {
		list = append(list, uint32(id))
	}
	return list
}

// Trusting finds what all containers of the engine reach, of which these are the descriptions. The
// engine must be this host's.
func (s *Session) Trusting(ctx context.Context,
	inspects map[string]json.RawMessage) (*Trusting, error) {
	table, err := s.Kernel.MountTable(0)
	if err != nil {
		return nil, err
	}
	t := &Trusting{table: table, rule: trust.Rule{Owners: owners()}}
	volumes, err := s.volumes(ctx)
	if err != nil {
		return nil, err
	}
	engines := table // paths mean what the engine sees there
	if socket, local := s.Local(); local {
		if _, pid, ok := s.Kernel.EngineCaps(socket); ok {
			if engines, err = s.Kernel.MountTable(pid); err != nil {
				return nil, err
			}
		}
	}
	for _, raw := range inspects {
		t.rule.Mounts = append(t.rule.Mounts, reached(s.Kernel, engines, raw, volumes))
	}
	return t, nil
}

// Read returns what stands in a file that is trusted: the very file that was judged. The error is a
// *trust.Untrusted if it is not, and an fs.ErrNotExist if there is none.
func (t *Trusting) Read(file string) ([]byte, error) {
	way, f, err := t.table.OpenNoFollow(file)
	if err != nil {
		return nil, Cause(err)
	}
	if f != nil {
		defer f.Close()
	}
	if err := trust.Judge(way, t.rule); err != nil {
		return nil, err
	}
	return readOwner(f)
}

// readOwner reads a file of an owner to its end, within the bound.
func readOwner(f io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxOwnerFile+1))
	if err == nil && len(b) > maxOwnerFile {
		err = fmt.Errorf("it is larger than %d MiB", maxOwnerFile>>20)
	}
	return b, err
}

// maxSymlinks is how many links are followed to a file (include/linux/namei.h, MAXSYMLINKS).
const maxSymlinks = 40

// TrustPlan refuses, as root, the file of a plan that others may have written: they must not choose
// what root does, though whatever stands in it is checked.
func TrustPlan(file string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	err := judgePlan(file)
	var un *trust.Untrusted
	switch {
	case errors.As(err, &un):
		return dropcap.Errorf(dropcap.CodeError,
			"copy it to a place of root's that nobody else may write",
			"cannot trust a plan at %s: %w", file, err)
	case err != nil:
		return dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", file, err)
	}
	return nil
}

// judgePlan refuses the file of a plan that others may write, or put another in the place of. The
// error is a *trust.Untrusted.
func judgePlan(file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return Cause(err)
	}
	reader, err := kernel.New("/")
	if err != nil {
		return err
	}
	table, err := reader.MountTable(0)
	if err != nil {
		return err
	}
	rule := trust.Rule{Owners: owners(), Sticky: true, Links: true}
	for range maxSymlinks {
		link, err := judge(table, file, rule)
		if err != nil {
			return err
		}
		if link == "" {
			break
		}
		target, err := os.Readlink(link)
		if err != nil {
			return Cause(err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		file = filepath.Clean(target + strings.TrimPrefix(file, link))
	}
	_, err = judge(table, real, rule)
	return err
}

// judge judges a file as far as the first link on the way to it, which it returns.
func judge(table *kernel.MountTable, file string, rule trust.Rule) (link string, err error) {
	way, f, err := table.OpenNoFollow(file)
	if err != nil {
		return "", Cause(err)
	}
	if f != nil {
		f.Close()
	}
	if last := way[len(way)-1]; last.Link {
		link = last.Path
	}
	return link, trust.Judge(way, rule)
}

// description is the part of an inspect about what a container reaches.
type description struct {
	Name   string
	State  struct{ Pid int }
	Mounts []struct {
		Type, Name, Source, Driver string
		RW                         bool
	}
	// GraphDriver has the folders of the container's own layer.
	GraphDriver struct{ Data map[string]any }
	HostConfig  struct {
		Privileged bool
		CapAdd     []string
		Devices    []struct{ PathOnHost string }
	}
}

// remounts reports whether the container may make a read-only mount of its own writable. That takes
// SYS_ADMIN where the mount is from (fs/namespace.c, do_remount and MNT_LOCK_READONLY).
func (d description) remounts() bool {
	return d.HostConfig.Privileged || slices.ContainsFunc(d.HostConfig.CapAdd,
		func(name string) bool {
			c, err := caps.Parse(name)
			return err != nil || c == caps.SysAdmin // ALL is no capability
		})
}

// reached is what a container can write to: what the kernel says that its process has mounted, what
// its mounts will show when it starts again, the layer that it writes to, and disks. What is
// mounted read-only does not count, unless the container may change that.
func reached(k *kernel.Reader, table *kernel.MountTable, raw json.RawMessage,
	volumes map[string]map[string]string) trust.Mount {
	var d description
	_ = json.Unmarshal(raw, &d) // one that cannot be read at all learns of by who lists them
	m := trust.Mount{Container: strings.TrimPrefix(d.Name, "/")}
	var paths, frozen []string
	if d.State.Pid > 0 {
		spots, layers, err := k.MountedBy(d.State.Pid, !d.remounts())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.Unknown = "its mounts cannot be read"
		}
		m.Spots, paths = append(m.Spots, spots...), append(paths, layers...)
	}
	for _, b := range d.Mounts {
		into := &paths
		if !b.RW && !d.remounts() {
			into = &frozen
		}
		*into = append(*into, b.Source)
		if b.Type == "volume" {
			*into = append(*into, device(volumes[b.Name])...)
		}
		if b.Type == "volume" && b.Driver != "" && b.Driver != "local" && d.State.Pid == 0 &&
			b.Source == "" {
			m.Unknown = "its volume " + b.Name + " is the driver's " + b.Driver
		}
	}
	for _, name := range []string{"UpperDir", "MergedDir"} {
		if p, ok := d.GraphDriver.Data[name].(string); ok {
			paths = append(paths, p)
		}
	}
	for _, dev := range d.HostConfig.Devices {
		paths = append(paths, dev.PathOnHost)
	}
	look := func(p string, at func(string) ([]dropcap.Spot, error)) {
		if !filepath.IsAbs(p) {
			return
		}
		spots, err := at(p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.Unknown = "its mount of " + p + " cannot be looked at"
		}
		m.Spots = append(m.Spots, spots...)
	}
	for _, p := range paths {
		look(p, table.Reachable)
	}
	for _, p := range frozen {
		look(p, table.ReachableBelow)
	}
	return m
}

// device are the folders and disks that a volume of the local driver was made of (docker volume
// create -o).
func device(options map[string]string) []string {
	out := []string{options["device"]}
	for _, o := range strings.Split(options["o"], ",") {
		switch name, value, _ := strings.Cut(o, "="); name {
		case "upperdir", "lowerdir", "workdir":
			out = append(out, strings.Split(value, ":")...)
		}
	}
	return out
}

// volumes are the options of the engine's volumes, by name: of where one is kept, an inspect of a
// container tells only where the engine has mounted it.
func (s *Session) volumes(ctx context.Context) (map[string]map[string]string, error) {
	raw, err := s.Raw(ctx, "/volumes", nil)
	if err != nil {
		return nil, err
	}
	var b struct {
		Volumes []struct {
			Name    string
			Options map[string]string
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "see what `docker volume ls` says",
			"cannot read the engine's list of volumes: %w", err)
	}
	out := map[string]map[string]string{}
	for _, v := range b.Volumes {
		out[v.Name] = v.Options
	}
	return out, nil
}
