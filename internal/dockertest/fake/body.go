package fake

import (
	"maps"
	"strings"
	"time"
)

func (e *Engine) versionBody() any {
	component := "Engine"
	if e.options.Podman {
		component = "Podman Engine"
	}
	return map[string]any{
		"Version": e.options.Version, "ApiVersion": e.options.API,
		"MinAPIVersion": e.options.MinAPI, "KernelVersion": e.options.Kernel,
		"Os": "linux", "Arch": "amd64",
		"Components": []any{map[string]string{"Name": component, "Version": e.options.Version}},
	}
}

func (e *Engine) infoBody() any {
	runtimes := map[string]any{"runc": map[string]string{"path": "runc"},
		"io.containerd.runc.v2": map[string]string{"path": "runc"}}
	for name, r := range e.options.Runtimes {
		runtimes[name] = map[string]string{"path": r.Path, "runtimeType": r.Type}
	}
	return map[string]any{
		"ID": "7TRN:IPZB:QYBB:VPBQ", "Name": "fake", "ServerVersion": e.options.Version,
		"KernelVersion": e.options.Kernel,
		"CgroupVersion": e.options.CgroupVersion, "SecurityOptions": e.options.SecurityOptions,
		"DefaultRuntime": "runc", "Runtimes": runtimes,
		"Containers": len(e.containers), "Driver": "overlay2", "LiveRestoreEnabled": false,
	}
}

func (e *Engine) libpodInfoBody() any {
	security := map[string]any{"capabilities": strings.Join(e.options.Defaults, ",")}
	return map[string]any{"host": map[string]any{"security": security}}
}

func (e *Engine) libpodBody(c *Container) any {
	return map[string]any{"Id": c.ID, "Name": c.Name, "OCIRuntime": "crun",
		"BoundingCaps": c.Bounding}
}

func execBody(x *Exec) any {
	return map[string]any{
		"ID": x.ID, "Running": x.Running, "Pid": x.PID, "ContainerID": x.Container, "ExitCode": nil,
		"OpenStdin": false,
		"ProcessConfig": map[string]any{"tty": false, "entrypoint": "sleep",
			"arguments": []string{"1000"}, "privileged": x.Privileged, "user": x.User},
	}
}

// inspectBody is about as large as a real one, so that measurements with it are meaningful.
func (e *Engine) inspectBody(c *Container) any {
	var execs any
	if len(c.execs) > 0 {
		execs = c.execs
	}
	running := c.State == "running" || c.State == "paused"
	body := map[string]any{
		"Id": c.ID, "Created": c.Created.Format(time.RFC3339Nano), "Path": "sleep",
		"Args": []string{"1000"}, "Image": c.ImageID,
		"State": map[string]any{
			"Status": c.State, "Running": running, "Paused": c.State == "paused",
			"Restarting": false, "OOMKilled": false, "Dead": false,
			"Pid": c.PID, "ExitCode": 0, "Error": "", "StartedAt": "2026-01-02T03:04:05.123456789Z",
			"FinishedAt": "0001-01-01T00:00:00Z",
		},
		"ResolvConfPath": "/var/lib/docker/containers/" + c.ID + "/resolv.conf",
		"HostnamePath":   "/var/lib/docker/containers/" + c.ID + "/hostname",
		"HostsPath":      "/var/lib/docker/containers/" + c.ID + "/hosts",
		"LogPath":        "/var/lib/docker/containers/" + c.ID + "/" + c.ID + "-json.log",
		"Name":           "/" + c.Name, "RestartCount": 0, "Driver": "overlay2",
		"Platform":   "linux",
		"MountLabel": "", "ProcessLabel": "",
		"AppArmorProfile": "docker-default", "ExecIDs": execs,
		"HostConfig": hostConfigBody(c.HostConfig),
		"GraphDriver": map[string]any{"Name": "overlay2", "Data": map[string]string{
			"LowerDir":  strings.Repeat("/var/lib/docker/overlay2/"+c.ID+"/diff:", 4),
			"MergedDir": "/var/lib/docker/overlay2/" + c.ID + "/merged",
			"UpperDir":  "/var/lib/docker/overlay2/" + c.ID + "/diff",
		}},
		"Mounts": []any{}, "Config": configBody(c),
		"NetworkSettings": map[string]any{"Bridge": "", "SandboxID": digest("sandbox", 0),
			"Ports": map[string]any{}, "Networks": map[string]any{
				"bridge": map[string]any{"NetworkID": digest("network", 0), "Gateway": "172.17.0.1",
					"IPAddress": "172.17.0.2", "MacAddress": "02:42:ac:11:00:02"},
			}},
	}
	maps.Copy(body, c.Details)
	return body
}

func configBody(c *Container) any {
	return map[string]any{
		"Hostname": c.ID[:12], "Domainname": "", "User": c.User, "AttachStdin": false,
		"AttachStdout": false, "AttachStderr": false, "Tty": false,
		"Env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"TOKEN=hunter2"}, "Cmd": []string{"sleep", "1000"},
		"Image": c.Image, "Volumes": nil, "WorkingDir": "", "Entrypoint": nil, "Labels": c.Labels,
	}
}

func hostConfigBody(h HostConfig) any {
	return map[string]any{
		"Binds": nil, "ContainerIDFile": "", "LogConfig": map[string]any{"Type": "json-file",
			"Config": map[string]string{}},
		"NetworkMode": h.NetworkMode, "PortBindings": map[string]any{},
		"RestartPolicy": map[string]any{"Name": "no", "MaximumRetryCount": 0},
		"AutoRemove":    false, "VolumeDriver": "", "VolumesFrom": nil, "ConsoleSize": []int{0, 0},
		"CapAdd": h.CapAdd, "CapDrop": h.CapDrop,
		"CgroupnsMode": "private", "Dns": []string{}, "DnsOptions": []string{},
		"DnsSearch": []string{}, "ExtraHosts": nil, "GroupAdd": nil,
		"IpcMode": "private", "Cgroup": "", "Links": nil, "OomScoreAdj": 0, "PidMode": "",
		"Privileged": h.Privileged, "PublishAllPorts": false,
		"ReadonlyRootfs": false, "SecurityOpt": nil, "UTSMode": "", "UsernsMode": "",
		"ShmSize": 67108864, "Runtime": h.Runtime, "Isolation": "",
		"CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0,
		"CpuPeriod": 0, "CpuQuota": 0, "CpusetCpus": "",
		"Devices": []any{}, "DeviceCgroupRules": nil, "DeviceRequests": nil, "MemoryReservation": 0,
		"MemorySwap": 0, "PidsLimit": nil, "Ulimits": []any{},
		"MaskedPaths": []string{
			"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
			"/proc/latency_stats", "/proc/timer_list",
			"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
			"/sys/devices/virtual/powercap",
		},
		"ReadonlyPaths": []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
			"/proc/sysrq-trigger"},
	}
}
