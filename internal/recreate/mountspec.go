package recreate

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mountSpec is an entry of HostConfig.Mounts, as for --mount.
type mountSpec struct {
	Type, Source, Target, Consistency string
	ReadOnly                          bool
	BindOptions                       struct {
		Propagation                                                                  string
		NonRecursive, CreateMountpoint, ReadOnlyNonRecursive, ReadOnlyForceRecursive bool
	}
	VolumeOptions struct {
		NoCopy       bool
		Subpath      string
		Labels       map[string]string
		DriverConfig struct {
			Name    string
			Options map[string]string
		}
	}
	ImageOptions struct{ Subpath string }
	TmpfsOptions struct {
		SizeBytes int64
		Mode      uint32
		Options   [][]string
	}
}

func (m mountSpec) driverOptions() map[string]string { return m.VolumeOptions.DriverConfig.Options }

// hides reports whether it may hold a secret: a share's password is an option of its volume driver.
func (m mountSpec) hides() bool { return len(m.VolumeOptions.Labels)+len(m.driverOptions()) > 0 }

// String returns the mount in the form of --mount: fields of CSV (docker/cli opts/mount.go).
func (m mountSpec) String() string {
	fields := []string{"type=" + m.Type}
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, name+"="+value)
		}
	}
	flag := func(name string, on bool) {
		if on {
			fields = append(fields, name)
		}
	}
	add("src", m.Source)
	add("dst", m.Target)
	add("consistency", m.Consistency)
	flag("readonly", m.ReadOnly)
	add("bind-propagation", m.BindOptions.Propagation)
	switch b := m.BindOptions; {
	case b.NonRecursive:
		add("bind-recursive", "disabled")
	case b.ReadOnlyNonRecursive:
		add("bind-recursive", "writable")
	case b.ReadOnlyForceRecursive:
		add("bind-recursive", "readonly")
	}
	flag("volume-nocopy", m.VolumeOptions.NoCopy)
	add("volume-subpath", m.VolumeOptions.Subpath)
	for _, k := range sortedKeys(m.VolumeOptions.Labels) {
		add("volume-label", k+"="+m.VolumeOptions.Labels[k])
	}
	add("volume-driver", m.VolumeOptions.DriverConfig.Name)
	for _, k := range sortedKeys(m.driverOptions()) {
		add("volume-opt", k+"="+m.driverOptions()[k])
	}
	add("image-subpath", m.ImageOptions.Subpath)
	if m.TmpfsOptions.SizeBytes > 0 {
		add("tmpfs-size", strconv.FormatInt(m.TmpfsOptions.SizeBytes, 10))
	}
	if m.TmpfsOptions.Mode > 0 {
		add("tmpfs-mode", fmt.Sprintf("%o", m.TmpfsOptions.Mode))
	}
	return record(fields)
}

// record returns a line of CSV.
func record(fields []string) string {
	var out strings.Builder
	w := csv.NewWriter(&out)
	if w.Write(fields) != nil { // a strings.Builder does not fail
		return ""
	}
	w.Flush()
	return strings.TrimSuffix(out.String(), "\n")
}

// option returns the option for a device request: --gpus, or --device for those of the Container
// Device Interface.
func (d deviceRequest) option() (name, value string) {
	if d.Driver == "cdi" && len(d.DeviceIDs) == 1 {
		return "device", d.DeviceIDs[0]
	}
	if !d.gpus() {
		return "", ""
	}
	var fields []string
	switch {
	case len(d.DeviceIDs) > 0:
		fields = append(fields, "device="+strings.Join(d.DeviceIDs, ","))
	case d.Count == -1:
		fields = append(fields, "count=all")
	default:
		fields = append(fields, fmt.Sprintf("count=%d", d.Count))
	}
	if d.Driver != "" {
		fields = append(fields, "driver="+d.Driver)
	}
	if rest := minus(d.Capabilities[0], []string{"gpu"}); len(rest) > 0 {
		fields = append(fields, "capabilities="+strings.Join(rest, ","))
	}
	return "gpus", record(fields)
}

// gpus reports whether --gpus can express it (docker/cli opts/gpus.go).
func (d deviceRequest) gpus() bool {
	return len(d.Capabilities) == 1 && slices.Contains(d.Capabilities[0], "gpu") &&
		len(d.Options) == 0
}
