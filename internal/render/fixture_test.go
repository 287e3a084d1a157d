package render

import (
	"fmt"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
)

var (
	seenAt   = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	all      = caps.UpTo(caps.CheckpointRestore)
	defaults = caps.DockerDefaults
)

// hostileName contains what its readers might act on: ANSI, a line break, a bidirectional override,
// wide and combining characters, emoji, a formula, a pipe, markup, the end of a CDATA section, a
// mention, a link and a byte of invalid UTF-8.
const hostileName = "=cmd|' /C calc'!A0\x1b[31m\n\r\t\u202e漢字e\u0301🐳|`<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">]]>@admin #1 [x](javascript:alert(1)) www.evil.example http://evil.example \xff"

func ptr[T any](v T) *T { return &v }

func at(n int) string { return strings.Repeat(fmt.Sprintf("%02x", n), 32) }

func fixture(n int, name, image, state string) dropcap.Judged {
	var c dropcap.Judged
	c.ID, c.Name, c.Image, c.State = at(n), name, image, state
	c.ImageID = "sha256:" + at(n+100)
	c.Owner, c.Workload = dropcap.Owner{Kind: "docker"}, "docker:"+name
	c.Runtime, c.Network, c.Created = "runc", "bridge", "2026-05-01T00:00:00Z"
	c.Verdict = dropcap.Pass
	return c
}

// held fills in what is predicted and, if the container runs, the kernel's sets.
func held(c dropcap.Judged, s caps.Set) dropcap.Judged {
	c.Predicted = ptr(s)
	if !c.Running() {
		c.Kernel.WhyNot = dropcap.NotRunning
		return c
	}
	c.PID = 1000
	c.Kernel = dropcap.Kernel{
		Visible: true, Held: ptr(s), Bounding: ptr(s), Effective: ptr(s), Permitted: ptr(s),
		Inheritable: ptr(caps.Set(0)), Ambient: ptr(caps.Set(0)),
		UserNS: "host", Processes: []dropcap.Process{{
			PIDs: []int{1000}, Comm: "main", Origin: dropcap.OriginInit, Bounding: s.Mask(),
			Effective: s.Mask(), Permitted: s.Mask(),
			Inheritable: caps.Set(0).Mask(), Ambient: caps.Set(0).Mask(), UserNS: "host",
		}},
	}
	return c
}

func failing(c dropcap.Judged, list ...dropcap.Finding) dropcap.Judged {
	c.Verdict, c.Findings = dropcap.Fail, list
	return c
}

func netRaw(fix string) dropcap.Finding {
	return dropcap.Finding{
		Rule: dropcap.RuleNetRaw, Severity: caps.High, Caps: caps.Of(caps.NetRaw),
		Because: "It holds CAP_NET_RAW by default: it can forge packets on its network, and " +
			"nothing says that it needs to.", Fix: fix,
	}
}

// sample is an audit with one container of each kind.
func sample() dropcap.Audit {
	a := dropcap.Audit{
		Schema: dropcap.SchemaAudit, Created: seenAt.Format(time.RFC3339), Control: dropcap.CIS(),
		Policy: dropcap.PolicyRef{Level: dropcap.LevelCIS},
		Host: dropcap.Host{
			ID: "0123456789abcdef0123456789abcdef", Name: "build-7", Kernel: "6.1.0-18-amd64",
			Cgroup: "v2", LSM: []string{"lockdown", "apparmor", "bpf"},
			Engine:    dropcap.Engine{Name: "docker", Version: "29.0.1", API: "1.52"},
			Grantable: ptr(all), GrantableFrom: "engine", Defaults: ptr(defaults),
		},
		Containers: []dropcap.Judged{
			web(), hardened(), vpn(), root(), exited(), execed(), unseen(), accepting(), known(),
			created(), hostile(),
		},
		Findings: []dropcap.Finding{{
			Rule: dropcap.RuleWaiver, Severity: caps.Low,
			Because: "The waiver on line 12 matches no container.",
			Fix:     "Delete it from the policy.",
		}},
	}
	a.Summary = dropcap.Count(a.Containers)
	return a
}

func web() dropcap.Judged {
	c := held(fixture(1, "web", "nginx:1.27", "running"), defaults)
	c.Owner = dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"}
	c.Workload = "compose:shop/web"
	return failing(c, netRaw("services:\n  web:\n    cap_drop: [NET_RAW]"))
}

func hardened() dropcap.Judged {
	c := held(fixture(2, "api", "registry.example/shop/api:2026.05.01", "running"),
		caps.Of(caps.NetBindService))
	c.User, c.Kernel.NoNewPrivs, c.Kernel.UserNS = "1000:1000", true, "own"
	c.Kernel.Effective = ptr(caps.Set(0))
	c.Declared = caps.Declared{Add: []string{"CAP_NET_BIND_SERVICE"}, Drop: []string{"ALL"}}
	return c
}

func vpn() dropcap.Judged {
	c := held(fixture(3, "vpn", "wireguard:latest", "running"), defaults|caps.Of(caps.NetAdmin,
		caps.SysModule))
	c.Declared.Add = []string{"NET_ADMIN", "sys_module"}
	return failing(c, dropcap.Finding{
		Rule: dropcap.RuleAdded, Severity: caps.Critical,
		Caps: caps.Of(caps.NetAdmin, caps.SysModule),
		Because: "It holds CAP_NET_ADMIN and CAP_SYS_MODULE because --cap-add asks for them: " +
			"with the latter it can load code into the host's kernel.",
		Fix: "docker run --cap-drop NET_RAW …",
	}, netRaw("docker run --cap-drop NET_RAW --cap-add NET_ADMIN --cap-add SYS_MODULE "+
		"wireguard:latest"))
}

func root() dropcap.Judged {
	c := held(fixture(4, "node-agent", "sha256:"+at(44), "running"), all)
	c.Declared.Privileged = true
	return failing(c, dropcap.Finding{
		Rule: dropcap.RulePrivileged, Severity: caps.Critical, Caps: all,
		Because: "It is privileged: it holds every capability of the host, and nothing confines it.", Fix: "docker run without --privileged",
	})
}

func exited() dropcap.Judged {
	return failing(held(fixture(5, "migrate", "shop/api:2026.05.01", "exited"), defaults),
		netRaw("docker run --cap-drop NET_RAW shop/api:2026.05.01"))
}

func execed() dropcap.Judged {
	c := held(fixture(6, "db", "postgres:16", "running"), caps.Of(caps.Chown, caps.DacOverride,
		caps.Fowner, caps.Setgid, caps.Setuid))
	c.Declared = caps.Declared{Add: []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
		Drop: []string{"ALL"}}
	c.Kernel.Held, c.Kernel.Bounding = ptr(all), ptr(all)
	return failing(c, dropcap.Finding{
		Rule: dropcap.RuleDrift, Severity: caps.Critical, Caps: all.Minus(*c.Predicted),
		Because: "Process 1234 (psql) holds every capability: it came by docker exec --privileged.",
		Fix:     "End it: kill 1234",
	})
}

func unseen() dropcap.Judged {
	c := fixture(7, "sandboxed", "untrusted/job:7", "running")
	c.Predicted, c.Kernel.WhyNot = ptr(defaults),
		"runtime runsc keeps its processes from the host's sight"
	c.Verdict = dropcap.Unknown
	c.Findings = []dropcap.Finding{{
		Rule: dropcap.RuleUnseen, Severity: caps.Medium,
		Because: "What it holds could not be seen: runtime runsc keeps its processes from the " +
			"host's sight.", Fix: "Look inside with the runtime's own tools.",
	}}
	c.Predicted = nil
	return c
}

func accepting() dropcap.Judged {
	c := held(fixture(8, "ping", "smokeping:2", "running"), defaults)
	f := netRaw("docker run --cap-drop NET_RAW smokeping:2")
	f.Waiver = &dropcap.Waiver{
		Containers: dropcap.Selector{Name: "ping"}, Caps: caps.Of(caps.NetRaw), Owner: "netops",
		Reason: "it pings for a living", Line: 4,
		Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	c.Verdict, c.Findings = dropcap.Waived, []dropcap.Finding{f}
	return c
}

func known() dropcap.Judged {
	c := held(fixture(9, "legacy", "legacy:1", "paused"), defaults)
	f := netRaw("docker run --cap-drop NET_RAW legacy:1")
	f.Known = true
	c.Findings = []dropcap.Finding{f}
	return c
}

func created() dropcap.Judged {
	c := held(fixture(10, "batch", "batch:3", "created"), 0)
	c.Declared = caps.Declared{Add: []string{}, Drop: []string{"ALL"}}
	return c
}

func hostile() dropcap.Judged {
	c := held(fixture(11, hostileName, "漢字/イメージ:"+hostileName, "running"),
		defaults.Minus(caps.Of(caps.Mknod, caps.NetRaw))|caps.Of(caps.SysTime))
	c.Workload, c.User, c.Labels = hostileName, hostileName, []string{hostileName}
	c.Declared.Add = []string{"SYS_TIME"}
	return failing(c, dropcap.Finding{
		Rule: dropcap.RuleAdded, Severity: caps.High, Caps: caps.Of(caps.SysTime),
		Because: "Process 99 (" + hostileName +
			") holds CAP_SYS_TIME because --cap-add asks for it.",
		Fix: "docker run --name '" + hostileName + "' image\nline two ```\nline three",
	})
}
