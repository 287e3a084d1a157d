package recreate_test

import (
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// hard is a container that is hard to make again. Its arguments stand between "docker create --name
// NAME" and the image, or are the image and what follows if they hold IMAGE themselves. A body
// takes their place: POST /containers/create as it is.
type hard struct {
	name    string
	args    []string
	command []string // after the image
	body    string
	api     string            // to send the body under; the agreed one if empty
	on      []dockertest.Kind // nil: every docker
	image   string            // "app:1" if empty
	before  [][]string        // docker commands, undone by the engine's end
	after   [][]string        // docker commands once it runs
	still   bool              // never started
	golden  bool              // its answers are kept in testdata
	fast    bool              // made in every run, the others under DROPCAP_TEST_FULL only
}

var newer = []dockertest.Kind{dockertest.Docker26, dockertest.Docker29}
var oldest = []dockertest.Kind{dockertest.Docker20}
var newest = []dockertest.Kind{dockertest.Docker29}

// images that the hard ones are made from.
var images = map[string][]string{
	"app:1": {"CMD [\"sleep\",\"1d\"]"},
	"full:1": {
		`ENTRYPOINT ["/bin/env","FROM=entrypoint"]`, `CMD ["sleep","1d"]`, "ENV A=image",
		"EXPOSE 8080/tcp", "VOLUME /data", "WORKDIR /srv/app",
		`HEALTHCHECK --interval=30s --retries=4 CMD true`, "LABEL of=image", "USER web",
	},
}

// setup is what several of them need.
var setup = [][]string{
	{"network", "create", "--subnet", "10.201.1.0/24", "front"}, {"network", "create", "--subnet",
		"10.201.2.0/24", "back"}, {"network", "create", "third"},
	{"volume", "create", "named"}, {"volume", "create", "--label", "a=b", "labelled"},
}

var hards = []hard{
	{name: "plain", golden: true},
	{name: "full", fast: true, image: "full:1", command: []string{}, golden: true},
	{name: "no-entrypoint", fast: true, image: "full:1", args: []string{"--entrypoint", ""},
		command: []string{"sleep", "1d"}, golden: true},
	{name: "own-entrypoint", image: "full:1", args: []string{"--entrypoint", "sleep"},
		command: []string{"1d"}},
	{name: "empty-entrypoint", body: `{"Image":"full:1","Entrypoint":[],"Cmd":["sleep","1d"]}`},
	{name: "no-health", image: "full:1", args: []string{"--no-healthcheck"}},
	{name: "config", fast: true, golden: true, args: []string{
		"-e", "A=1", "-e", "B=two words", "-e", "C=", "--label", "com.docker.compose.project=shop",
		"--label", "x=y z", "-w", "/work/deep", "-u", "1000:1000",
		"--hostname", "keeper", "--domainname", "example.org", "--stop-signal", "SIGQUIT",
		"--stop-timeout", "3", "--expose", "81", "--group-add", "1",
		"--health-cmd", "true", "--health-interval", "5s", "--health-start-period", "1s", "-t",
		"--init", "--restart", "on-failure:3",
		"--log-opt", "max-size=1m", "--log-opt", "tag=t", "--add-host", "a.example:10.0.0.1",
		"--dns", "10.0.0.2", "--dns-search", "example.org", "--dns-option", "ndots:2",
	}},
	{name: "limits", golden: true, args: []string{
		"--memory", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "100",
		"--cpuset-cpus", "0", "--pids-limit", "50", "--ulimit", "nofile=100:200",
		"--oom-score-adj", "10", "--shm-size", "8m", "--blkio-weight", "0",
	}},
	{name: "security", golden: true, args: []string{
		"--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "cap_net_raw", "--security-opt",
		"no-new-privileges", "--security-opt", "seccomp=unconfined",
		"--read-only", "--ipc", "shareable", "--device", "/dev/null:/dev/other:r",
		"--device-cgroup-rule", "c 1:3 rw", "--cgroupns", "host",
	}},
	{name: "unmasked", args: []string{"--security-opt", "systempaths=unconfined"}},
	{name: "privileged", args: []string{"--privileged"},
		still: testenv.CapSysResource.Missing() != "", golden: true},
	{name: "masked",
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"MaskedPaths":["/proc/kcore"],"ReadonlyPaths":[]}}`, golden: true},
	{name: "host-network", args: []string{"--network", "host"}, golden: true},
	{name: "host-network-named", args: []string{"--network", "host", "--hostname", "mine"}},
	{name: "no-network", args: []string{"--network", "none"}, golden: true},
	{name: "partner", golden: true,
		before: [][]string{{"run", "-d", "--name", "pause", "--ipc", "shareable", "app:1"}},
		args: []string{"--network", "container:pause", "--pid", "container:pause", "--ipc",
			"container:pause"}, image: "full:1"},
	{name: "host-namespaces", args: []string{"--uts", "host", "--pid", "host", "--ipc", "host"},
		golden: true},
	{name: "networks", fast: true, golden: true, before: [][]string{
		{"run", "-d", "--name", "db", "--network", "front", "app:1"},
	}, args: []string{"--network", "front", "--ip", "10.201.1.77", "--network-alias", "www",
		"--network-alias", "short", "--link", "db:database"},
		after: [][]string{{"network", "connect", "--ip", "10.201.2.88", "--alias", "behind", "back",
			"NAME"}, {"network", "connect", "third", "NAME"}}},
	{name: "old-mac", fast: true, golden: true, on: oldest,
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"MacAddress":"02:00:00:00:00:77","HostConfig":{"NetworkMode":"front"}}`},
	{name: "mac", fast: true, on: newer, golden: true, args: []string{"--network", "front",
		"--mac-address", "02:00:00:00:00:77"}},
	{name: "mac-bridge", on: newer, args: []string{"--mac-address", "02:00:00:00:00:78"}},
	{name: "moved-network", golden: true, after: [][]string{{"network", "connect", "front", "NAME"},
		{"network", "disconnect", "bridge", "NAME"}}},
	{name: "network-by-id", args: []string{"--network", "ID:third"}},
	{name: "links", fast: true, golden: true,
		before: [][]string{{"run", "-d", "--name", "linked", "app:1"},
			{"run", "-d", "--name", "linked2", "app:1"}},
		args: []string{"--link", "linked:one", "--link", "linked2:two", "--link", "linked"}},
	{name: "ports", golden: true, args: []string{"-p", "127.0.0.1:18080:80", "-p", "81", "-p",
		"18100-18105:82/udp"}},
	{name: "all-ports", image: "full:1", args: []string{"-P"}},
	{name: "empty-ports",
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"ExposedPorts":{"80/tcp":{}},"HostConfig":{"PortBindings":{"80/tcp":[]}}}`},
	{name: "volumes", fast: true, golden: true, args: []string{
		"-v", "/anonymous", "-v", "named:/named", "-v", "named:/named-ro:ro", "-v",
		"named:/nocopy:nocopy", "-v", "/etc/hostname:/bound:ro", "-v", "/tmp:/shared:rw,rslave",
		"-v", "named:/relabelled:z", "--mount", "type=volume,src=labelled,dst=/spec,volume-nocopy",
		"--mount", "type=volume,dst=/spec-anonymous",
		"--mount", "type=tmpfs,dst=/memory,tmpfs-size=1m,tmpfs-mode=1770", "--tmpfs",
		"/scratch:size=1m,noexec", "--mount",
		"type=bind,src=/etc,dst=/bind-spec,readonly,bind-propagation=rprivate",
	}},
	{name: "anonymous-bind", fast: true,
		body:   `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"Binds":["/anon"]}}`,
		golden: true},
	{name: "image-volume", image: "full:1", args: []string{"-v", "/other"}, golden: true},
	{name: "volume-driver", args: []string{"--volume-driver", "local", "-v", "/driven", "-v",
		"named:/also"}},
	{name: "volumes-from", fast: true, golden: true,
		before: [][]string{{"create", "--name", "lender", "-v", "/lent", "-v", "named:/lent-named",
			"-v", "/etc:/lent-etc", "app:1"}},
		args: []string{"--volumes-from", "lender:ro", "-v", "/mine"}},
	{name: "subpath", on: newest,
		before: [][]string{{"run", "--rm", "-v", "named:/v", "app:1", "mkdir", "-p", "/v/sub"}},
		args:   []string{"--mount", "type=volume,src=named,dst=/part,volume-subpath=sub"},
		golden: true},
	{name: "sysctls", args: []string{"--sysctl", "net.ipv4.ip_forward=1", "--sysctl",
		"kernel.msgmax=1000"}},
	{name: "eth0-sysctl", api: "1.47",
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"Sysctls":{"net.ipv4.conf.eth0.log_martians":"1"}}}`, golden: true},
	{name: "annotations", on: newer,
		body:   `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"Annotations":{"a.b/c":"d"}}}`,
		golden: true},
	{name: "start-interval", on: newer,
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"Healthcheck":{"Test":["CMD","true"],"Interval":1000000000,"StartInterval":2000000000}}`},
	{name: "gateway", on: newest, golden: true,
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"NetworkMode":"front"},"NetworkingConfig":{"EndpointsConfig":{"front":{"GwPriority":1,"MacAddress":"02:00:00:00:00:79","DriverOpts":{"com.docker.network.endpoint.ifname":"left0"}},"back":{"GwPriority":7,"Aliases":["b"]}}}}`},
	{name: "memory-odd",
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"OomKillDisable":false,"MemorySwappiness":-1,"PidsLimit":-1,"Memory":33554432,"MemorySwap":-1,"RestartPolicy":{"Name":""}}}`, golden: true},
	{name: "stdin-open", body: `{"Image":"app:1","Cmd":["cat"],"OpenStdin":true}`},
	{name: "cidfile",
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"ContainerIDFile":"/run/nowhere.cid"}}`},
	{name: "runtime", args: []string{"--runtime", "runc", "--cgroup-parent", "/dropcap-parent",
		"--isolation", "default"}},
	{name: "storage",
		body: `{"Image":"app:1","Cmd":["sleep","1d"],"HostConfig":{"ConsoleSize":[24,80],"GroupAdd":["5"],"ExtraHosts":["x:host-gateway"]}}`},
	{name: "seccomp",
		body: `{"Image":"app:1","HostConfig":{"SecurityOpt":["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}","no-new-privileges"]}}`},
	{name: "odd-env", fast: true,
		body: `{"Image":"full:1","Env":["MULTI=a\nb","A=own","#HASH=1","SPACE=  x  ","QUOTE='$HOME'","CR=x\r"]}`},
	{name: "health-exec",
		body: `{"Image":"app:1","Healthcheck":{"Test":["CMD","cat","/etc/passwd"],"Interval":1000000000}}`},
	{name: "gpus", still: true,
		body: `{"Image":"app:1","HostConfig":{"DeviceRequests":[{"Driver":"nvidia","DeviceIDs":["0","1"],"Capabilities":[["gpu","compute"]]}]}}`},
	{name: "all-gpus", still: true,
		body: `{"Image":"app:1","HostConfig":{"DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}]}}`},
	{name: "kernel-memory", on: oldest, still: true,
		body: `{"Image":"app:1","HostConfig":{"KernelMemory":67108864,"KernelMemoryTCP":0,"Memory":134217728}}`},
	{name: "umask", on: newest, body: `{"Image":"app:1","HostConfig":{"Umask":63}}`},
	{name: "user-namespace", args: []string{"--userns", "host"}},
	{name: "relabelled", args: []string{"-v", "named:/a:Z", "-v", "/tmp:/b:z", "-v",
		"/var/tmp:/c:consistent"}},
	{name: "labels", args: []string{"--label", "com.docker.compose.project=shop", "--label",
		"of=container", "--label", "empty="}, image: "full:1"},
	{name: "by-digest", image: "IMAGEID"},
	{name: "created", still: true, image: "full:1", args: []string{"-p", "80"}, golden: true},
}
