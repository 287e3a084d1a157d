package change_test

import "dropcap/internal/dockertest"

var hostSamples = []sample{
	{name: "restart always", make: `docker run -d --name web --restart always app:1`},
	{name: "restart unless stopped", make: `docker run -d --name web --restart unless-stopped app:1`},
	{name: "restart on failure", make: `docker run -d --name web --restart on-failure:3 app:1`},
	{name: "memory", make: `docker run -d --name web --memory 64m --memory-swap 128m --memory-reservation 32m --memory-swappiness 10 app:1`},
	{name: "memory of the kernel", only: dockertest.Docker20, make: `docker run -d --name web --memory 64m --kernel-memory 32m app:1`,
		differs: []string{`HostConfig\.KernelMemory(TCP)?`}}, // later engines refuse it
	{name: "processors", make: `docker run -d --name web --cpu-shares 100 --cpuset-cpus 0 --cpu-period 50000 --cpu-quota 20000 app:1`, same: []string{"grep Cpus_allowed_list /proc/1/status"}},
	{name: "part of a processor", make: `docker run -d --name web --cpus 0.5 app:1`},
	{name: "number of processes", make: `docker run -d --name web --pids-limit 50 app:1`},
	{name: "limits", short: true, make: `docker run -d --name web --ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=100 app:1`, same: []string{"cat /proc/1/limits"}},
	{name: "limits of the engine", make: `docker run -d --name web app:1`, same: []string{"cat /proc/1/limits"}},
	{name: "what the kernel does out of memory", make: `docker run -d --name web --oom-score-adj 100 --oom-kill-disable --memory 32m app:1`, same: []string{"cat /proc/1/oom_score_adj"}},
	{name: "sysctls", make: `docker run -d --name web --sysctl net.core.somaxconn=99 --sysctl kernel.msgmax=1000 app:1`, same: []string{"cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax"}},
	{name: "devices", make: `docker run -d --name web --device /dev/null:/dev/other:r --device-cgroup-rule 'c 10:229 rwm' app:1`, same: []string{"ls -l /dev/other | cut -c1-10; echo x 2>&1 >/dev/other; true"}},
	{name: "processes of the host", make: `docker run -d --name web --pid host app:1`},
	{name: "processes of another container", make: serves + ` app:1; docker run -d --name web --pid container:peer --env PORT=81 app:1`, same: []string{`tr '\0' '|' </proc/1/cmdline`}},
	{name: "IPC of the host", make: `docker run -d --name web --ipc host app:1`},
	{name: "IPC, shareable and of another", make: serves + ` --ipc shareable app:1; docker run -d --name web --ipc container:peer app:1`},
	{name: "IPC shareable", make: `docker run -d --name web --ipc shareable app:1`},
	{name: "UTS of the host", make: `docker run -d --name web --uts host app:1`, same: []string{"hostname"}, differs: []string{`Config\.Hostname`}},
	{name: "cgroup namespace", make: `docker run -d --name web --cgroupns private app:1`},
	{name: "user namespace of the host", make: `docker run -d --name web --userns host app:1`},
	{name: "no new privileges", make: `docker run -d --name web --security-opt no-new-privileges --user 1000 app:1`, same: []string{"grep NoNewPrivs /proc/1/status"}},
	{name: "no seccomp", make: `docker run -d --name web --security-opt seccomp=unconfined app:1`, same: []string{"grep Seccomp: /proc/1/status"}},
	{name: "seccomp profile of its own", make: `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["sethostname"],"action":"SCMP_ACT_ERRNO"}]}' >$DIR/p.json
		docker run -d --name web --security-opt seccomp=$DIR/p.json app:1`, same: []string{"grep Seccomp: /proc/1/status"}},
	{name: "no masked paths", make: `docker run -d --name web --security-opt systempaths=unconfined app:1`, same: []string{"grep -c proc /proc/mounts"}},
	{name: "no logs", make: `docker run -d --name web --log-driver none app:1`},
	{name: "logs in the local format", make: `docker run -d --name web --log-driver local --log-opt max-size=1m app:1`},
	{name: "logs with options", make: `docker run -d --name web --log-opt max-size=1m --log-opt max-file=3 --log-opt labels=a --log-opt 'tag={{.Name}}' --label a=b app:1`},
	{name: "runtime and isolation", make: `docker run -d --name web --runtime runc --isolation default app:1`},
	{name: "cgroup parent", make: `docker run -d --name web --cgroup-parent $CGROUP/below app:1`, same: []string{"grep -c below /proc/1/cgroup"}},
	{name: "file with the id", make: `docker run -d --name web --cidfile $DIR/cid app:1`},
	{name: "capabilities added and dropped", make: `docker run -d --name web --cap-drop MKNOD --cap-drop AUDIT_WRITE app:1`},
	{name: "everything at once", make: `docker network create --subnet 10.77.0.0/24 net; ` + serves + ` --network net app:1
		docker run -d --name web --network net --ip 10.77.0.9 --network-alias shop -p 8089:80 -v data:/data -v /more -v $DIR:/host --tmpfs /t --env A=1 --label a=b --user 1000:1000 --workdir /srv \
		--restart unless-stopped --memory 64m --ulimit nofile=99:99 --sysctl net.core.somaxconn=77 --init --hostname shop --stop-timeout 2 --log-opt max-size=1m --group-add 2000 --read-only app:1 /serve --flag`,
		peer: []string{"/serve get shop:80", "/serve get 10.77.0.9:80"}, host: []string{"/serve get 127.0.0.1:8089"},
		same: []string{"id; pwd; hostname; env | sort; cat /proc/1/limits /proc/sys/net/core/somaxconn"}, differs: explicitVolume},
}

// rawSamples are declared as no CLI does it.
var rawSamples = []sample{
	{name: "raw: nothing but an image", body: `{"Image":"app:1"}`},
	{name: "raw: an empty entrypoint, as the engine stores it", body: `{"Image":"entry:1","Entrypoint":[""],"Cmd":["/serve"]}`, differs: []string{`Config\.Entrypoint`}},
	{name: "raw: masked paths, none", body: `{"Image":"app:1","HostConfig":{"MaskedPaths":[],"ReadonlyPaths":[]}}`, same: []string{"grep -c proc /proc/mounts"}},
	{name: "raw: masked paths of its own", short: true, body: `{"Image":"app:1","HostConfig":{"MaskedPaths":["/proc/kcore"],"ReadonlyPaths":["/proc/sys"]}}`, same: []string{"grep proc /proc/mounts"}},
	{name: "raw: bridge by name", body: `{"Image":"app:1","HostConfig":{"NetworkMode":"bridge"}}`},
	{name: "raw: no grace", body: `{"Image":"app:1","StopTimeout":0,"StopSignal":"9"}`},
	{name: "raw: ports bound but not exposed", body: `{"Image":"app:1","HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8088"}],"81/tcp":[{"HostPort":""}],"82/udp":[{}]}}}`},
	{name: "raw: a port bound but not exposed answers", only: dockertest.Docker29, // 20.10 publishes exposed ports only
		body: `{"Image":"app:1","HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8088"}]}}}`,
		host: []string{"/serve get 127.0.0.1:8088"}},
	{name: "raw: mounts of every kind", body: `{"Image":"app:1","HostConfig":{"Mounts":[{"Type":"volume","Source":"data","Target":"/data","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"}}},
		{"Type":"volume","Target":"/more"},{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1048576,"Mode":448}},
		{"Type":"bind","Source":"/etc","Target":"/e","ReadOnly":true,"BindOptions":{"Propagation":"rslave","NonRecursive":true}}]}}`,
		same: []string{"grep -e ' /t ' /proc/mounts"}, keeps: []string{"/data", "/more"}, differs: explicitVolume},
	{name: "raw: anonymous volumes by the configuration", body: `{"Image":"app:1","Volumes":{"/a":{},"/b":{}},"HostConfig":{"Binds":["named:/c"]}}`, keeps: []string{"/a", "/b", "/c"}, differs: explicitVolume},
	{name: "raw: capabilities in every spelling", body: `{"Image":"app:1","HostConfig":{"CapDrop":["mknod","CAP_SETFCAP"],"CapAdd":["sys_ptrace"]}}`},
	{name: "raw: numbers in the environment, and names only", body: `{"Image":"app:1","Env":["A=","B","C= "]}`, only: dockertest.Docker20, same: []string{`tr '\0' '\n' </proc/1/environ`}},
	{name: "raw: networking by endpoint", make: `docker network create --subnet 10.77.0.0/24 net; ` + serves + ` --network net app:1`,
		body: `{"Image":"app:1","HostConfig":{"NetworkMode":"net"},"NetworkingConfig":{"EndpointsConfig":{"net":{"IPAMConfig":{"IPv4Address":"10.77.0.8"},"Aliases":["shop","shop"],"Links":["peer:db"]}}}}`,
		peer: []string{"/serve get shop:80"}, same: []string{"/serve get db:80", "ip -4 addr show eth0 | grep inet"}},
	{name: "raw: at the oldest version that the engine speaks", only: dockertest.Docker29, api: "1.44", body: `{"Image":"app:1","Hostname":"old","HostConfig":{"Binds":["/etc:/e:ro"]}}`, same: []string{"hostname"}},
}
