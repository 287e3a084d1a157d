package recreate

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// bind is an entry of HostConfig.Binds, parsed as moby does.
type bind struct{ source, target, mode string }

func parseBind(raw string) (bind, bool) {
	parts := strings.SplitN(raw, ":", 4)
	switch len(parts) {
	case 1:
		return bind{target: cleaned(parts[0])}, parts[0] != ""
	case 2:
		return bind{source: parts[0], target: cleaned(parts[1])}, true
	case 3:
		return bind{source: parts[0], target: cleaned(parts[1]), mode: parts[2]}, true
	}
	return bind{}, false
}

func (b bind) String() string {
	if b.mode == "" {
		return b.source + ":" + b.target
	}
	return b.source + ":" + b.target + ":" + b.mode
}

// volume reports whether it names a volume, or requests a new one.
func (b bind) volume() bool { return !strings.HasPrefix(b.source, "/") }

func (b bind) has(word string) bool { return slices.Contains(strings.Split(b.mode, ","), word) }

// with adds a word to the mode.
func (b bind) with(word string) bind {
	if !b.has(word) {
		b.mode = strings.TrimPrefix(b.mode+","+word, ",")
	}
	return b
}

// volume returns the name of the mounted volume, empty if none is. An anonymous bind ("/data" in
// Binds) has no name in newer engines' answers (moby daemon/volumes.go, registerMountPoints), but
// the local driver's folder has it.
func (m mount) volume() string {
	if m.Type != "volume" || m.Name != "" {
		return m.Name
	}
	folder, ok := strings.CutSuffix(m.Source, "/_data")
	if m.Driver != "local" || !ok || path.Base(path.Dir(folder)) != "volumes" {
		return ""
	}
	return path.Base(folder)
}

// at returns the mount at a destination.
func at(mounts []mount, destination string) (mount, bool) {
	for _, m := range mounts {
		if cleaned(m.Destination) == destination {
			return m, true
		}
	}
	return mount{}, false
}

// keepsEmpty reports whether a create must not copy the image's files into the volume at a
// destination: it does so whenever the volume is empty (moby daemon/container/container_unix.go,
// copyExistingContents), even if the workload has emptied it.
func (r *Recipe) keepsEmpty(destination string) bool {
	return !slices.ContainsFunc(r.o.Filled, func(f string) bool {
		return cleaned(f) == destination
	})
}

// fixMounts turns every volume that is mounted now into an explicit mount by name.
func (r *Recipe) fixMounts(host object) error {
	declared := map[string]bool{}
	binds, err := r.fixBinds(declared)
	if err != nil {
		return err
	}
	if binds != nil {
		host["Binds"] = join(binds)
	}
	specs, err := r.fixSpecs(declared)
	if err != nil {
		return err
	}
	specs = append(specs, r.pins(declared)...)
	if len(specs) > 0 {
		host["Mounts"] = join(specs)
	}
	if kept := r.sources(); len(kept) < len(r.host.VolumesFrom) {
		host["VolumesFrom"] = join(kept)
	}
	return nil
}

// fixBinds returns the new Binds, or nil if they stay the same.
func (r *Recipe) fixBinds(declared map[string]bool) ([]string, error) {
	out, changed := slices.Clone(r.host.Binds), false
	for i, raw := range out {
		b, ok := parseBind(raw)
		if !ok {
			return nil, unreadable("the binds of "+r.name, errOf("an entry of another form"))
		}
		declared[b.target] = true
		m, mounted := at(r.in.Mounts, b.target)
		if !b.volume() || !mounted || m.volume() == "" || b.source != "" && (b.has("nocopy") ||
			!r.keepsEmpty(b.target)) {
			continue
		}
		b.source, changed = m.volume(), true
		if b.mode == "" && m.Mode == "z" {
			// moby's default mode (daemon/volumes_unix.go, setBindModeIfNull)
			b.mode = "z"
		}
		if r.keepsEmpty(b.target) {
			b = b.with("nocopy")
		}
		out[i] = b.String()
	}
	if !changed {
		return nil, nil
	}
	return out, nil
}

// fixSpecs returns HostConfig.Mounts with the names of its volumes.
func (r *Recipe) fixSpecs(declared map[string]bool) ([]object, error) {
	var out []object
	for _, spec := range r.host.Mounts {
		target := cleaned(text(spec["Target"]))
		declared[target] = true
		m, mounted := at(r.in.Mounts, target)
		if text(spec["Type"]) != "volume" || !mounted || m.volume() == "" {
			out = append(out, spec)
			continue
		}
		spec = clone(spec)
		spec["Source"] = join(m.volume())
		options := object{}
		if err := json.Unmarshal(orEmpty(spec["VolumeOptions"]), &options); err != nil {
			return nil, unreadable("the mounts of "+r.name, err)
		}
		if r.keepsEmpty(target) || !nothing(options["Subpath"]) {
			// a filled volume may have an empty subfolder
			options["NoCopy"] = join(true)
			spec["VolumeOptions"] = join(options)
		}
		out = append(out, spec)
	}
	return out, nil
}

// pins returns mounts for what is not declared by name: anonymous volumes, those of the image's
// VOLUME, and mounts from another container that is gone or now mounts something else.
func (r *Recipe) pins(declared map[string]bool) []object {
	var out []object
	for _, m := range r.in.Mounts {
		target := cleaned(m.Destination)
		if declared[target] || r.lent(m) {
			continue
		}
		switch {
		case m.Type == "volume" && m.volume() != "":
			options := object{"NoCopy": join(true)}
			if m.Driver != "" {
				options["DriverConfig"] = join(map[string]string{"Name": m.Driver})
			}
			out = append(out, pin("volume", m.volume(), target, m.RW, "VolumeOptions", options))
		case m.Type == "bind" && m.Source != "":
			out = append(out, pin("bind", m.Source, target, m.RW, "BindOptions",
				object{"Propagation": join(m.Propagation)}))
		}
	}
	return out
}

func pin(kind, source, target string, rw bool, name string, options object) object {
	out := object{"Type": join(kind), "Source": join(source), "Target": join(target),
		name: join(options)}
	if !rw {
		out["ReadOnly"] = join(true)
	}
	return out
}

// lent reports whether a mount comes from a container of VolumesFrom and would come from it again.
func (r *Recipe) lent(m mount) bool {
	for _, from := range r.sources() {
		name, _, _ := strings.Cut(from, ":")
		var source inspected
		if json.Unmarshal(orEmpty(r.o.Sources[name]), &source) != nil {
			continue
		}
		s, ok := at(source.Mounts, cleaned(m.Destination))
		if ok && s.Type == m.Type && s.volume() == m.volume() && (s.Source == m.Source ||
			m.Type == "volume") {
			return true
		}
	}
	return false
}

// sources returns the entries of VolumesFrom whose container still exists.
func (r *Recipe) sources() []string {
	if r.o.Others == nil {
		return r.host.VolumesFrom
	}
	out := []string{}
	for _, from := range r.host.VolumesFrom {
		if name, _, _ := strings.Cut(from, ":"); r.other(name) {
			out = append(out, from)
		}
	}
	return out
}

// other reports whether another container has that name or id, full or short.
func (r *Recipe) other(name string) bool {
	name = strings.TrimPrefix(name, "/")
	for _, c := range r.o.Others {
		if c.Name == name || len(name) >= 12 && strings.HasPrefix(c.ID, name) {
			return true
		}
	}
	return false
}

func clone(o object) object {
	out := make(object, len(o)+1)
	for k, v := range o {
		out[k] = v
	}
	return out
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if nothing(raw) {
		return json.RawMessage("{}")
	}
	return raw
}
