package recreate

import (
	"encoding/json"
	"slices"
	"strings"
)

// exception is a field in which two equal containers may differ. Everything not in this table
// counts, including unknown fields. In a path, "*" matches one name or number.
type exception struct {
	path string
	// how makes both sides equal; nil: the field is ignored.
	how func(any) any
	why string // the file of github.com/moby/moby that makes it so
}

// exceptions concern one field each. Those that depend on the rest of the container are in
// canonical.go.
var exceptions = []exception{
	{"Id", nil, "each container has its own (daemon/id.go)"},
	{"Name", nil, "each container has its own (daemon/names.go)"},
	{"Created", nil, "daemon/container.go, newContainer"},
	{"State", nil, "run time (daemon/container/state.go)"},
	{"RestartCount", nil, "run time (daemon/monitor.go)"},
	{"ExecIDs", nil, "run time (daemon/exec.go)"},
	{"SizeRw", nil, "run time, asked for with size=1"},
	{"SizeRootFs", nil, "run time, asked for with size=1"},
	{"ResolvConfPath", nil,
		"below the container's own folder (daemon/container_operations_unix.go)"},
	{"HostnamePath", nil, "below the container's own folder (daemon/container_operations_unix.go)"},
	{"HostsPath", nil, "below the container's own folder (daemon/container_operations_unix.go)"},
	{"LogPath", nil, "below the container's own folder (daemon/logs.go)"},
	{"MountLabel", nil, "SELinux categories are drawn anew (daemon/container/container_unix.go); " +
		"SecurityOpt counts"},
	{"ProcessLabel", nil, "SELinux categories are drawn anew; SecurityOpt counts"},
	{"GraphDriver.Data", nil, "the layer's own folders (daemon/inspect.go)"},

	{"NetworkSettings.SandboxID", nil, sandbox},
	{"NetworkSettings.SandboxKey", nil, sandbox},
	{"NetworkSettings.Ports", nil, "ports as they are bound now; HostConfig.PortBindings counts"},
	{"NetworkSettings.HairpinMode", nil, sandbox},
	{"NetworkSettings.LinkLocalIPv6Address", nil, sandbox},
	{"NetworkSettings.LinkLocalIPv6PrefixLen", nil, sandbox},
	{"NetworkSettings.SecondaryIPAddresses", nil, sandbox},
	{"NetworkSettings.SecondaryIPv6Addresses", nil, sandbox},
	{"NetworkSettings.Bridge", nil, sandbox},
	{"NetworkSettings.EndpointID", nil, legacy},
	{"NetworkSettings.Gateway", nil, legacy},
	{"NetworkSettings.GlobalIPv6Address", nil, legacy},
	{"NetworkSettings.GlobalIPv6PrefixLen", nil, legacy},
	{"NetworkSettings.IPAddress", nil, legacy},
	{"NetworkSettings.IPPrefixLen", nil, legacy},
	{"NetworkSettings.IPv6Gateway", nil, legacy},
	{"NetworkSettings.MacAddress", nil, legacy},
	{"NetworkSettings.Networks.*.EndpointID", nil, assigned},
	{"NetworkSettings.Networks.*.Gateway", nil, assigned},
	{"NetworkSettings.Networks.*.IPAddress", nil, assigned},
	{"NetworkSettings.Networks.*.IPPrefixLen", nil, assigned},
	{"NetworkSettings.Networks.*.IPv6Gateway", nil, assigned},
	{"NetworkSettings.Networks.*.GlobalIPv6Address", nil, assigned},
	{"NetworkSettings.Networks.*.GlobalIPv6PrefixLen", nil, assigned},
	{"NetworkSettings.Networks.*.MacAddress", nil,
		"assigned where none is configured; a configured one is checked apart " +
			"(cleanOperationalData)"},
	{"NetworkSettings.Networks.*.DNSNames", nil,
		"name, id, host name and aliases again (daemon/container_operations.go, " +
			"buildEndpointDNSNames)"},
	{"NetworkSettings.Networks.*.IPAMConfig", unless(emptied),
		"null and {} are no choice of an address (daemon/container_operations.go)"},
	{"NetworkSettings.Networks.*.Links", unless(emptied), omitted},
	{"NetworkSettings.Networks.*.DriverOpts", unless(emptied), omitted},
	{"NetworkSettings.Networks.*.GwPriority", zero("0"), omitted},

	{"Config.Volumes", unless(emptied),
		"null is read as {} (daemon/internal/runconfig/config.go, decodeCreateRequest)"},
	{"Config.Labels", unless(emptied), "null is read as {} (daemon/commit.go, merge)"},
	{"Config.ExposedPorts", unless(emptied), omitted},
	{"Config.Cmd", unless(emptied), gone},
	{"Config.Entrypoint", unless(emptied),
		"once merged with the image's, null and [] are none (daemon/create.go, " +
			"getEntrypointAndArgs)"},
	{"HostConfig.BlkioWeightDevice", unless(emptied), gone},
	{"HostConfig.BlkioDeviceReadBps", unless(emptied), gone},
	{"HostConfig.BlkioDeviceWriteBps", unless(emptied), gone},
	{"HostConfig.BlkioDeviceReadIOps", unless(emptied), gone},
	{"HostConfig.BlkioDeviceWriteIOps", unless(emptied), gone},
	{"HostConfig.Devices", unless(emptied), gone},
	{"HostConfig.DeviceCgroupRules", unless(emptied), gone},
	{"HostConfig.DeviceRequests", unless(emptied), gone},
	{"HostConfig.Dns", unless(emptied), gone},
	{"HostConfig.DnsOptions", unless(emptied), gone},
	{"HostConfig.DnsSearch", unless(emptied), gone},
	{"HostConfig.ExtraHosts", unless(emptied), gone},
	{"HostConfig.GroupAdd", unless(emptied), gone},
	{"HostConfig.StorageOpt", unless(emptied), gone},
	{"HostConfig.Sysctls", unless(emptied), gone},
	{"HostConfig.Tmpfs", unless(emptied), gone},
	{"HostConfig.Ulimits", unless(emptied), gone},
	{"HostConfig.VolumesFrom", unless(emptied), gone},
	{"HostConfig.CapAdd", unless(emptied), gone},
	{"HostConfig.CapDrop", unless(emptied), gone},
	{"HostConfig.SecurityOpt", unless(emptied), gone},
	{"HostConfig.PortBindings", unless(emptied),
		"null is read as {} (daemon/internal/runconfig/config.go, decodeCreateRequest)"},
	{"HostConfig.PortBindings.*", unbound,
		"no binding is read as one to any port (container_routes.go, handlePortBindingsBC)"},
	{"HostConfig.OomKillDisable", zero("false"),
		"null is read as false, and is null where the kernel has no such thing " +
			"(daemon/daemon_unix.go)"},
	{"HostConfig.MemorySwappiness", zero("-1"),
		"-1 is the kernel's own (daemon/daemon_unix.go, verifyPlatformContainerResources)"},
	{"HostConfig.PidsLimit", zero("0", "-1"),
		"all mean no limit (container_routes.go, postContainersCreate)"},
	{"HostConfig.KernelMemory", zero("0"), "gone from the API in 1.42"},
	{"HostConfig.KernelMemoryTCP", zero("0"), "gone from the API in 1.42"},
	{"HostConfig.RestartPolicy.Name", zero("no"),
		"since 25 an empty name is stored as \"no\" (daemon/create.go)"},
	{"HostConfig.CgroupnsMode", zero("host"),
		"stored by engines before 20.10, and not private for any since (daemon/oci_linux.go)"},
	{"HostConfig.NetworkMode", zero("bridge", "default"),
		"since 26 \"default\" is stored as \"bridge\" (container_routes.go)"},
	{"HostConfig.Isolation", zero("default"),
		"the same (api/types/container, Isolation.IsDefault)"},
}

const (
	sandbox  = "made at each start (daemon/network/settings.go)"
	legacy   = "the default bridge's endpoint again, for old clients (container/inspect.go)"
	assigned = "assigned at each start (daemon/container_operations.go, cleanOperationalData)"
	gone     = "null and [] say nothing: the engine only goes through it (MaskedPaths and " +
		"ReadonlyPaths are not of that kind)"
	omitted = "sent only where it holds something"
)

// unless replaces a value by null if the predicate holds.
func unless(so func(any) bool) func(any) any {
	return func(v any) any {
		if so(v) {
			return nil
		}
		return v
	}
}

func emptied(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return v == nil
}

// zero replaces the given values, and an empty string, by null.
func zero(values ...string) func(any) any {
	return unless(func(v any) bool {
		switch v := v.(type) {
		case json.Number:
			return slices.Contains(values, v.String())
		case bool:
			return !v && slices.Contains(values, "false")
		case string:
			return v == "" || slices.Contains(values, v)
		}
		return v == nil
	})
}

func unbound(v any) any {
	list, ok := v.([]any)
	if !ok && v != nil {
		return v
	}
	if len(list) == 1 {
		b, ok := list[0].(map[string]any)
		if _, named := b["HostPort"]; ok && named && len(b) <= 2 && (b["HostIp"] == nil ||
			b["HostIp"] == "") && (b["HostPort"] == nil || b["HostPort"] == "") {
			return []any{}
		}
	}
	return append([]any{}, list...)
}

// byLast finds exceptions by the last part of their path.
var byLast = func() map[string][]exception {
	out := map[string][]exception{}
	for _, e := range exceptions {
		last := e.path[strings.LastIndex(e.path, ".")+1:]
		out[last] = append(out[last], e)
	}
	return out
}()

// find returns the exception for a path.
func find(place []string) (exception, bool) {
	for _, last := range []string{place[len(place)-1], "*"} {
		for _, e := range byLast[last] {
			if matches(strings.Split(e.path, "."), place) {
				return e, true
			}
		}
	}
	return exception{}, false
}

func matches(pattern, place []string) bool {
	return slices.EqualFunc(pattern, place, func(p, q string) bool { return p == "*" || p == q })
}
