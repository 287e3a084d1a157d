package change_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// pairFile has two services that depend on each other's being there.
const pairFile = `services:
  web:
    image: app:1
    environment: {KEY: ` + canary + `}
    stop_grace_period: 1s
    depends_on: [db]
  db:
    image: app:1
    cap_add: [SYS_TIME]
    stop_grace_period: 1s
`

// pairEdited is the file after level cis.
var pairEdited = strings.Replace(strings.Replace(pairFile,
	"    image: app:1\n    environment",
	"    image: app:1\n    cap_drop:\n      - NET_RAW\n    environment", 1),
	"    image: app:1\n    cap_add: [SYS_TIME]\n",
	"    image: app:1\n    cap_drop:\n      - NET_RAW\n    cap_add: [SYS_TIME]\n", 1)

const upPair = `cd $SHOP; docker compose -p shop -f compose.yaml up -d --quiet-pull --scale web=3 >/dev/null 2>&1`

func (p *shop) pair(t *testing.T) {
	t.Helper()
	p.write(t, "compose.yaml", pairFile)
	p.shell(t, upPair)
}

// settledBy checks that compose itself, called so, finds nothing to do.
func (p *shop) settledBy(t *testing.T, when, up string) {
	t.Helper()
	out := p.shell(t, strings.Replace(strings.Replace(up, "docker compose",
		"docker compose --dry-run", 1), ">/dev/null", "2>&1 ||", 1))
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Container ") && !strings.HasSuffix(strings.TrimSpace(line),
			"Running") {
			t.Errorf("%s: compose would do more:\n%s", when, out)
		}
	}
}

// Services of one project are one change: one edit, one up, one backout, whoever is named.
func TestComposeProjectIsChangedAsOne(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, version := range []string{"v2", "v5"} {
		t.Run(version, func(t *testing.T) {
			p := newShop(t, s, version)
			p.pair(t)
			r := p.dropcap(t, "apply", "shop-web-1", "shop-web-2", "shop-web-3", "shop-db-1",
				"--yes", "--soak", "0s")
			if r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			if got := p.read(t, "compose.yaml"); got != pairEdited {
				t.Errorf("the file is\n%s", got)
			}
			p.all(t, "applied", "web", 3, "-NET_RAW")
			p.all(t, "applied", "db", 1, "+SYS_TIME -NET_RAW")
			p.settledBy(t, "applied", upPair)
			h := p.history(t)
			if len(h) != 1 || h[0].State != dropcap.Applied || len(h[0].Others) != 3 {
				t.Fatalf("history says %+v", h)
			}
			p.ids(t, h[0])
			if r := p.dropcap(t, "backout", "shop-web-3", "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			if got := p.read(t, "compose.yaml"); got != pairFile {
				t.Errorf("after the backout the file is\n%s", got)
			}
			p.all(t, "backed out", "web", 3, "")
			p.all(t, "backed out", "db", 1, "+SYS_TIME")
			p.settledBy(t, "backed out", upPair)
		})
	}
}

// ids checks that the change names the containers that are there.
func (p *shop) ids(t *testing.T, c dropcap.Change) {
	t.Helper()
	var want, got []string
	for _, service := range []string{"web", "db"} {
		for _, l := range p.look(t, service) {
			want = append(want, fmt.Sprintf("%s %s", l.Name, l.ID))
		}
	}
	for _, o := range c.Containers() {
		got = append(got, fmt.Sprintf("%s %s", o.Name, o.After))
		if o.Before == "" || o.Before == o.After {
			t.Errorf("%s was %q", o.Name, o.Before)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("the change names %v, and there are %v", got, want)
	}
}

// A service that does not pass the gate brings all of the project back.
func TestComposeProjectRollsBackAsOne(t *testing.T) {
	p := newShop(t, newStage(t, dockertest.Docker20), "v2")
	p.pair(t)
	web, db := p.look(t, "web"), p.look(t, "db")
	r := p.dropcap(t, "apply", "shop-web-1", "shop-db-1", "--yes", "--soak", "0s", "--timeout",
		"1s",
		"--probe-exec", "sh -c 'case $KEY in "+canary+") exit 1;; esac'")
	if r.status != dropcap.ExitRolledBack || !strings.Contains(r.err, "shop-web-1: its probe") {
		t.Fatalf("the probe fails in web alone: %v", r)
	}
	if got := p.read(t, "compose.yaml"); got != pairFile {
		t.Errorf("the file is\n%s", got)
	}
	p.all(t, "rolled back", "web", len(web), "")
	p.all(t, "rolled back", "db", len(db), "+SYS_TIME")
	p.settledBy(t, "rolled back", upPair)
	if h := p.history(t); len(h) != 1 || h[0].State != dropcap.RolledBack {
		t.Errorf("history says %+v", h)
	}
}

// Changes of different services of one file are backed out in either order, and what somebody else
// has written in the file since stays.
func TestComposeBackoutsInAnyOrder(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, version := range []string{"v2", "v5"} {
		for _, order := range [][]string{{"shop-web-1", "shop-db-1"}, {"shop-db-1", "shop-web-1"}} {
			t.Run(version+" "+strings.Join(order, " "), func(t *testing.T) {
				p := newShop(t, s, version)
				p.pair(t)
				for _, name := range []string{"shop-web-1", "shop-db-1"} {
					if r := p.dropcap(t, "apply", name, "--yes", "--soak",
						"0s"); r.status != dropcap.ExitOK {
						t.Fatal(r)
					}
				}
				if got := p.read(t, "compose.yaml"); got != pairEdited {
					t.Errorf("the file is\n%s", got)
				}
				for _, name := range order {
					if r := p.dropcap(t, "backout", name, "--yes"); r.status != dropcap.ExitOK {
						t.Fatal(r)
					}
					p.settledBy(t, "backed out "+name, upPair)
				}
				if got := p.read(t, "compose.yaml"); got != pairFile {
					t.Errorf("after the backouts the file is\n%s", got)
				}
				p.all(t, "backed out", "web", 3, "")
				p.all(t, "backed out", "db", 1, "+SYS_TIME")
			})
		}
	}
}
