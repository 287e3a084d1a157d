package recreate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// runConfig is the part of a container's configuration that docker run has options for, without
// what is elsewhere in the recipe.
type runConfig struct {
	Hostname, Domainname, User, WorkingDir, StopSignal string
	StopTimeout                                        *int
	Tty, OpenStdin                                     bool
	ExposedPorts                                       map[string]any
	Env, Cmd, Entrypoint                               []string
	Labels                                             map[string]string
	Healthcheck                                        *health
	HostConfig                                         runHostConfig
}

type health struct {
	Test                                          []string
	Interval, Timeout, StartPeriod, StartInterval time.Duration
	Retries                                       int
}

type runHostConfig struct {
	CapAdd, CapDrop, Binds, Dns, DnsOptions, DnsSearch, ExtraHosts, GroupAdd, Links, SecurityOpt,
	VolumesFrom, DeviceCgroupRules []string
	MaskedPaths,
	ReadonlyPaths []string
	LogConfig struct {
		Type   string
		Config map[string]string
	}
	NetworkMode, CgroupnsMode, IpcMode, PidMode, UTSMode, UsernsMode, VolumeDriver, Runtime,
	CgroupParent, CpusetCpus, CpusetMems string
	PortBindings  map[string][]struct{ HostIp, HostPort string }
	RestartPolicy struct {
		Name              string
		MaximumRetryCount int
	}
	Annotations, StorageOpt, Sysctls, Tmpfs                                map[string]string
	Privileged, PublishAllPorts, ReadonlyRootfs                            bool
	OomScoreAdj                                                            int
	ShmSize, CpuShares, Memory, NanoCpus, CpuPeriod, CpuQuota, BlkioWeight int64
	CpuRealtimePeriod, CpuRealtimeRuntime, MemoryReservation, MemorySwap   int64
	MemorySwappiness, PidsLimit                                            *int64
	OomKillDisable, Init                                                   *bool
	BlkioWeightDevice                                                      []struct {
		Path   string
		Weight int64
	}
	BlkioDeviceReadBps, BlkioDeviceWriteBps   []rate
	BlkioDeviceReadIOps, BlkioDeviceWriteIOps []rate
	Devices                                   []struct {
		PathOnHost, PathInContainer,
		CgroupPermissions string
	}
	DeviceRequests []deviceRequest
	Ulimits        []struct {
		Name       string
		Soft, Hard int64
	}
	Mounts []mountSpec
}

type rate struct {
	Path string
	Rate int64
}

type deviceRequest struct {
	Driver       string
	Count        int
	DeviceIDs    []string
	Capabilities [][]string
	Options      map[string]string
}

// option is one option of docker run: its name, and a value unless it is a switch.
type option struct {
	name, value string
	bare        bool // a switch
	hide        bool // the value may be a secret, whatever it looks like
}

// options returns the options of Config that do not come from the image, then those of HostConfig.
func (s *runConfig) options(r *Recipe, from *runConfig) []option {
	var out optionList
	if s.Hostname != "" && !r.sharesNetwork() && s.HostConfig.UTSMode != "host" {
		out.text("hostname", s.Hostname)
	}
	out.text("domainname", s.Domainname)
	out.unless("user", s.User, from.User)
	out.unless("workdir", s.WorkingDir, from.WorkingDir)
	out.unless("stop-signal", s.StopSignal, from.StopSignal)
	if s.StopTimeout != nil {
		out.text("stop-timeout", strconv.Itoa(*s.StopTimeout))
	}
	out.flag("tty", s.Tty)
	out.flag("interactive", s.OpenStdin)
	for _, port := range sortedKeys(s.ExposedPorts) {
		_, published := s.HostConfig.PortBindings[port]
		if _, brought := from.ExposedPorts[port]; !brought && !published && !r.sharesNetwork() {
			out.text("expose", port)
		}
	}
	for _, name := range sortedKeys(s.Labels) {
		if was, ok := from.Labels[name]; !ok || was != s.Labels[name] {
			out = append(out, option{name: "label", value: name + "=" + s.Labels[name], hide: true})
		}
	}
	s.health(&out, from.Healthcheck)
	s.HostConfig.names(&out)
	s.HostConfig.limits(&out)
	s.HostConfig.storage(&out)
	return out
}

type optionList []option

func (l *optionList) text(name, value string) {
	if value != "" {
		*l = append(*l, option{name: name, value: value})
	}
}

func (l *optionList) unless(name, value, brought string) {
	if value != brought {
		*l = append(*l, option{name: name, value: value})
	}
}

func (l *optionList) flag(name string, on bool) {
	if on {
		*l = append(*l, option{name: name, bare: true})
	}
}

func (l *optionList) each(name string, values []string) {
	for _, v := range values {
		l.text(name, v)
	}
}

func (l *optionList) number(name string, n int64) {
	if n != 0 {
		l.text(name, strconv.FormatInt(n, 10))
	}
}

// pairs adds NAME=VALUE for each.
func (l *optionList) pairs(name string, m map[string]string, hide bool) {
	for _, k := range sortedKeys(m) {
		*l = append(*l, option{name: name, value: k + "=" + m[k], hide: hide})
	}
}

func (s *runConfig) health(out *optionList, brought *health) {
	h := s.Healthcheck
	if h == nil {
		return
	}
	if brought == nil {
		brought = &health{}
	}
	if len(h.Test) == 1 && h.Test[0] == "NONE" {
		out.flag("no-healthcheck", !slices.Equal(h.Test, brought.Test))
		return
	}
	if !slices.Equal(h.Test, brought.Test) && len(h.Test) > 1 {
		cmd := h.Test[1]
		if h.Test[0] == "CMD" {
			var words []string
			for _, w := range h.Test[1:] {
				words = append(words, quote(w))
			}
			cmd = strings.Join(words, " ")
		}
		*out = append(*out, option{name: "health-cmd", value: cmd, hide: true})
	}
	for _, d := range []struct {
		name     string
		now, was time.Duration
	}{{"interval", h.Interval, brought.Interval}, {"timeout", h.Timeout, brought.Timeout},
		{"start-period", h.StartPeriod, brought.StartPeriod}, {"start-interval", h.StartInterval,
			brought.StartInterval}} {
		if d.now != d.was {
			out.text("health-"+d.name, d.now.String())
		}
	}
	if h.Retries != brought.Retries {
		out.number("health-retries", int64(h.Retries))
	}
}

// names returns the options for namespaces, privileges and the container's environment.
func (h *runHostConfig) names(out *optionList) {
	out.flag("privileged", h.Privileged)
	out.flag("read-only", h.ReadonlyRootfs)
	out.flag("publish-all", h.PublishAllPorts)
	out.text("ipc", h.IpcMode)
	out.text("pid", h.PidMode)
	out.text("uts", h.UTSMode)
	out.text("userns", h.UsernsMode)
	out.text("cgroupns", h.CgroupnsMode)
	out.text("runtime", h.Runtime)
	out.each("group-add", h.GroupAdd)
	out.each("dns", h.Dns)
	out.each("dns-option", h.DnsOptions)
	out.each("dns-search", h.DnsSearch)
	out.each("add-host", h.ExtraHosts)
	out.pairs("sysctl", h.Sysctls, false) // the kernel's own, and numbers nearly all
	for _, port := range sortedKeys(h.PortBindings) {
		if len(h.PortBindings[port]) == 0 { // as if to any port, see exceptions
			out.text("publish", port)
		}
		for _, b := range h.PortBindings[port] {
			value := port
			if ip := b.HostIp; ip != "" || b.HostPort != "" {
				if strings.Contains(ip, ":") {
					ip = "[" + ip + "]"
				}
				value = strings.TrimPrefix(ip+":"+b.HostPort+":"+port, ":")
			}
			out.text("publish", value)
		}
	}
	switch p := h.RestartPolicy; {
	case p.Name == "on-failure" && p.MaximumRetryCount > 0:
		out.text("restart", fmt.Sprintf("on-failure:%d", p.MaximumRetryCount))
	case p.Name != "no":
		out.text("restart", p.Name)
	}
	if h.Init != nil {
		out.text("init", strconv.FormatBool(*h.Init))
	}
}

// limits returns the options for resources.
func (h *runHostConfig) limits(out *optionList) {
	out.number("memory", h.Memory)
	out.number("memory-reservation", h.MemoryReservation)
	out.number("memory-swap", h.MemorySwap)
	if h.MemorySwappiness != nil {
		out.text("memory-swappiness", strconv.FormatInt(*h.MemorySwappiness, 10))
	}
	if h.OomKillDisable != nil {
		out.flag("oom-kill-disable", *h.OomKillDisable)
	}
	out.number("oom-score-adj", int64(h.OomScoreAdj))
	if h.PidsLimit != nil {
		out.number("pids-limit", *h.PidsLimit)
	}
	if h.NanoCpus != 0 {
		out.text("cpus", strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%09d", h.NanoCpus/1e9,
			h.NanoCpus%1e9), "0"), "."))
	}
	out.number("cpu-shares", h.CpuShares)
	out.number("cpu-period", h.CpuPeriod)
	out.number("cpu-quota", h.CpuQuota)
	out.number("cpu-rt-period", h.CpuRealtimePeriod)
	out.number("cpu-rt-runtime", h.CpuRealtimeRuntime)
	out.text("cpuset-cpus", h.CpusetCpus)
	out.text("cpuset-mems", h.CpusetMems)
	out.text("cgroup-parent", h.CgroupParent)
	out.number("blkio-weight", h.BlkioWeight)
	for _, d := range h.BlkioWeightDevice {
		out.text("blkio-weight-device", fmt.Sprintf("%s:%d", d.Path, d.Weight))
	}
	for _, list := range []struct {
		name  string
		rates []rate
	}{{"read-bps", h.BlkioDeviceReadBps}, {"write-bps", h.BlkioDeviceWriteBps},
		{"read-iops", h.BlkioDeviceReadIOps}, {"write-iops", h.BlkioDeviceWriteIOps}} {
		for _, d := range list.rates {
			out.text("device-"+list.name, fmt.Sprintf("%s:%d", d.Path, d.Rate))
		}
	}
	for _, u := range h.Ulimits {
		out.text("ulimit", fmt.Sprintf("%s=%d:%d", u.Name, u.Soft, u.Hard))
	}
	out.number("shm-size", h.ShmSize)
}

// storage returns the options for mounts, devices and logs.
func (h *runHostConfig) storage(out *optionList) {
	out.each("volume", h.Binds)
	for _, m := range h.Mounts {
		*out = append(*out, option{name: "mount", value: m.String(), hide: m.hides()})
	}
	for _, target := range sortedKeys(h.Tmpfs) {
		out.text("tmpfs", strings.TrimSuffix(target+":"+h.Tmpfs[target], ":"))
	}
	out.each("volumes-from", h.VolumesFrom)
	out.text("volume-driver", h.VolumeDriver)
	out.pairs("storage-opt", h.StorageOpt, true)
	out.pairs("annotation", h.Annotations, true)
	for _, d := range h.Devices {
		out.text("device", strings.TrimSuffix(d.PathOnHost+":"+d.PathInContainer+":"+
			d.CgroupPermissions, ":"))
	}
	out.each("device-cgroup-rule", h.DeviceCgroupRules)
	for _, d := range h.DeviceRequests {
		name, value := d.option()
		out.text(name, value)
	}
	out.text("log-driver", h.LogConfig.Type)
	out.pairs("log-opt", h.LogConfig.Config, true)
}

// parseRunConfig reads the body of a create, or an image's Config.
func parseRunConfig(raw json.RawMessage) (*runConfig, error) {
	s := new(runConfig)
	if nothing(raw) {
		return s, nil
	}
	return s, json.Unmarshal(raw, s)
}
