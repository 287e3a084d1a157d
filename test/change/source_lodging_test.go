package change_test

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// vpnFile has a provider and two services in its namespaces.
const vpnFile = `services:
  vpn:
    image: app:1
    container_name: vpn
    stop_grace_period: 1s
    ipc: shareable
  web:
    image: app:1
    container_name: web
    stop_grace_period: 1s
    command: sleep 100000
    network_mode: "service:vpn"
  job:
    image: app:1
    container_name: job
    stop_grace_period: 1s
    command: sleep 100000
    network_mode: "service:vpn"
    pid: "service:vpn"
    ipc: "service:vpn"
`

// edited is the file after level cis for some of its services.
func edited(file string, services ...string) string {
	for _, name := range services {
		head := "  " + name + ":\n    image: app:1\n"
		file = strings.Replace(file, head, head+"    cap_drop:\n      - NET_RAW\n", 1)
	}
	return file
}

const upHome = `cd $SHOP; docker compose -p home up -d --quiet-pull >/dev/null 2>&1`

// newHome brings such a project up.
func newHome(t *testing.T, s *stage, version, file string) (*shop, *household) {
	t.Helper()
	p := newShop(t, s, version)
	p.write(t, "compose.yaml", file)
	p.shell(t, upHome)
	h := &household{stage: p.stage}
	h.ids = h.idsNow(t)
	h.reach(t, "at first")
	return p, h
}

// engines are each engine with each compose, or those that make test takes.
func engines(t *testing.T, do func(t *testing.T, s *stage, version string)) {
	for _, one := range []struct {
		kind dockertest.Kind
		list []string
	}{{dockertest.Docker20, []string{"v2", "v5"}}, {dockertest.Docker29, []string{"v5", "v2"}}} {
		var s *stage
		for _, version := range one.list {
			if version != one.list[0] && !full {
				continue
			}
			if s == nil {
				s = newStage(t, one.kind)
			}
			t.Run(string(one.kind)+" "+version, func(t *testing.T) { do(t, s, version) })
		}
	}
}

// home checks that all of the project is as it should be: file, namespaces, and what compose
// itself would do.
func (p *shop) home(t *testing.T, h *household, when string, drops ...string) {
	t.Helper()
	if got, want := p.read(t, "compose.yaml"), edited(vpnFile, drops...); got != want {
		t.Errorf("%s: the file is\n%s", when, got)
	}
	h.reach(t, when)
	h.alone(t, when)
	for i, got := range strings.Fields(h.drops(t)) {
		name := []string{"vpn", "web", "job"}[i]
		if (got != "[]") != slices.Contains(drops, name) {
			t.Errorf("%s: %s drops %s", when, name, got)
		}
	}
	p.settledBy(t, when, upHome)
	if got := p.shell(t, "docker ps -aq | wc -l"); got != "3" {
		t.Errorf("%s: there are %s containers", when, got)
	}
}

// What lives in the namespaces of another service of a Compose project is made again with it, by
// one up, and taken back with it, whether it loses something itself or not.
func TestComposeServicesInAnothersNamespaces(t *testing.T) {
	engines(t, func(t *testing.T, s *stage, version string) {
		p, h := newHome(t, s, version, vpnFile)
		list := [][]string{{"vpn", "web"}}
		if full || version == "v2" {
			r := h.dropcap(t, append([]string{"apply", "vpn", "web", "--probe", "false",
				"--timeout", "1s"}, quick...)...)
			if r.status != dropcap.ExitRolledBack {
				t.Fatalf("a probe that fails: %v", r)
			}
			p.home(t, h, "rolled back")
			list = [][]string{{"vpn"}, {"web"}}
		}
		if full {
			list = append(list, []string{"vpn", "web"})
		}
		for _, names := range list {
			if r := h.dropcap(t, slices.Concat([]string{"apply"}, names,
				quick)...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			when := strings.Join(names, " and ")
			p.home(t, h, when, names...)
			c := h.history(t)[0]
			if want := map[bool]int{true: 2, false: 0}[names[0] == "vpn"]; len(c.Others) != want ||
				c.State != dropcap.Applied {
				t.Errorf("%s: history says %+v", when, c)
			}
			if r := h.dropcap(t, "backout", names[0], "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			p.home(t, h, when+" backed out")
		}
	})
}

// Where compose's own way would lose what the provider has written, or would leave one of them
// behind, all of them are re-created as one, with compose's labels, and none is left over that
// compose would count.
func TestComposeNamespacesThatComposeWouldNotKeep(t *testing.T) {
	named := strings.Replace(vpnFile, `network_mode: "service:vpn"`,
		"network_mode: \"container:vpn\"\n    depends_on: [vpn]", 1)
	s := newStage(t, dockertest.Docker20)
	for _, one := range []struct{ name, version, file, prepare, why string }{
		{"layer", "v2", vpnFile, "docker exec vpn sh -c 'echo mark >/srv/mark'",
			"its owner would lose what was written into a container's own layer"},
		{"lodger's layer", "v5", vpnFile, "docker exec web sh -c 'echo mark >/srv/mark'",
			"compose would not make web again with it"},
		{"named", "v5", named, "true", "its file does not name the service"},
	} {
		if one.name == "lodger's layer" && !full {
			continue
		}
		t.Run(one.name, func(t *testing.T) {
			p, h := newHome(t, s, one.version, one.file)
			p.shell(t, one.prepare)
			r := h.dropcap(t, "plan", "vpn", "web")
			if !strings.Contains(r.out, "change, with vpn") {
				t.Errorf("the row of web does not say that it is done with vpn: %v", r)
			}
			r = h.dropcap(t, "plan", "vpn")
			if !strings.Contains(strings.Join(strings.Fields(r.out), " "), one.why) {
				t.Errorf("%v", r)
			}
			marks := func() string {
				return p.shell(t, "for c in vpn web job; do docker exec $c sh -c 'cat /srv/mark 2>/dev/null || true'; done")
			}
			before := marks()
			check := func(when, drops string) {
				h.reach(t, when)
				h.alone(t, when)
				if got := strings.ReplaceAll(h.drops(t), "CAP_", ""); got != drops {
					t.Errorf("%s: they drop %s", when, got)
				}
				if got := p.shell(t, "docker ps -aq | wc -l"); got != "3" {
					t.Errorf("%s: there are %s containers", when, got)
				}
				if got := marks(); got != before {
					t.Errorf("%s: what they have written is %q", when, got)
				}
				if got := p.read(t, "compose.yaml"); got != one.file {
					t.Errorf("%s: the file is\n%s", when, got)
				}
			}
			if r := h.dropcap(t, append([]string{"apply", "vpn", "web"},
				quick...)...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			check("changed", "[NET_RAW] [NET_RAW] []")
			if r := h.dropcap(t, "backout", "vpn", "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			check("backed out", "[] [] []")
			if one.name == "layer" && !full {
				return
			}
			if r := h.dropcap(t, append([]string{"apply", "vpn"},
				quick...)...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			vpn := p.shell(t, "docker inspect -f '{{.Id}}' vpn")
			p.shell(t, upHome) // which may make those in its namespaces again, and nothing else
			if got := p.shell(t, "docker inspect -f '{{.Id}}' vpn"); got != vpn {
				t.Error("compose has made the provider again")
			}
			h.reach(t, "after compose's up")
			h.alone(t, "after compose's up")
		})
	}
}
