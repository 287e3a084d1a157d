package change_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// linked is a container, one that has a legacy link to it, and one that uses its volumes.
type linked struct {
	*stage
	ids string
}

const upLinked = `docker run -d --name db --restart %[1]s --stop-timeout 1 -v data:/shared --env SHARED=/shared app:1 >/dev/null
	docker run -d --name app --restart %[1]s --stop-timeout 1 --link db:other app:1 sleep 100000 >/dev/null 2>&1
	docker run -d --name tool --restart %[1]s --stop-timeout 1 --volumes-from db app:1 sleep 100000 >/dev/null
	docker exec app sh -c 'echo mark >/srv/mark'`

func newLinked(t *testing.T, s *stage, policy string) *linked {
	t.Helper()
	own := *s
	own.store = filepath.Join(t.TempDir(), "store")
	l := &linked{stage: &own}
	l.shell(t, strings.ReplaceAll(upLinked, "%[1]s", policy))
	l.ids = l.idsNow(t)
	t.Cleanup(func() { l.sweep(t) })
	l.tied(t, "at first", "[] []")
	return l
}

func (l *linked) idsNow(t *testing.T) string {
	t.Helper()
	return l.shell(t, "docker inspect -f '{{.Id}}' db app")
}

// tied checks that all run, that app is linked to the db that runs and finds it by its alias, and
// that its own data is there.
func (l *linked) tied(t *testing.T, when, drops string) {
	t.Helper()
	got := l.shell(t, `docker inspect -f '{{.State.Running}} {{.HostConfig.Links}}' db app tool | xargs
		ip=$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' db)
		docker exec app grep -q "^$ip	other" /etc/hosts && echo found || docker exec app cat /etc/hosts
		docker exec app cat /srv/mark; docker exec tool ls /shared/log`)
	if got != "true [] true [/db:/app/other] true []\nfound\nmark\n/shared/log" {
		t.Errorf("%s: %s", when, got)
	}
	got = l.shell(t, "docker inspect -f '{{.HostConfig.CapDrop}}' db app | xargs")
	if strings.ReplaceAll(got, "CAP_", "") != drops {
		t.Errorf("%s: they drop %s", when, got)
	}
}

// asBefore checks that the very same containers run, and no other.
func (l *linked) asBefore(t *testing.T, when string) {
	t.Helper()
	l.tied(t, when, "[] []")
	if got := l.idsNow(t); got != l.ids {
		t.Errorf("%s they are\n%s\nwere\n%s", when, got, l.ids)
	}
	if got := l.shell(t, "docker ps -aq | wc -l"); got != "3" {
		t.Errorf("%s there are %s containers", when, got)
	}
}

// The target of a legacy link is changed together with whoever links to it, so that the link leads
// to the new one; and taken back with it, also after the engine was started anew, which ties links
// by names.
func TestLinksLeadToTheNewOne(t *testing.T) {
	for _, kind := range []dockertest.Kind{dockertest.Docker20, dockertest.Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			s := newStage(t, kind)
			t.Run("two targets", func(t *testing.T) {
				if full || kind == dockertest.Docker20 {
					twoTargets(t, s)
				}
			})
			l := newLinked(t, s, "unless-stopped")
			args := append([]string{"apply", "db", "app"}, quick...)
			if full || kind == dockertest.Docker20 {
				r := l.dropcap(t, append(slices.Clone(args), "--probe", "false", "--timeout",
					"1s")...)
				if r.status != dropcap.ExitRolledBack {
					t.Fatalf("a probe that fails: %v", r)
				}
				l.asBefore(t, "rolled back")
			}
			if r := l.dropcap(t, args...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			l.tied(t, "changed", "[NET_RAW] [NET_RAW]")
			if r := l.dropcap(t, "backout", "db", "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			l.asBefore(t, "backed out")

			if r := l.dropcap(t, "apply", "db", "--yes", "--soak", "0s",
				"--no-watch"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			l.tied(t, "db changed", "[NET_RAW] []")
			if err := l.Restart(); err != nil {
				t.Fatal(err)
			}
			dockertest.Eventually(t, endsWithin, "all of them running", func() bool {
				return l.shell(t, "docker ps -q | wc -l") == "3"
			})
			l.tied(t, "after a start of the engine", "[NET_RAW] []")
			if r := l.dropcap(t, "backout", "db", "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			l.tied(t, "backed out after a start of the engine", "[] []")
			if got := l.shell(t, "docker ps -aq | wc -l"); got != "3" {
				t.Errorf("there are %s containers:\n%s", got, l.shell(t, "docker ps -a"))
			}
		})
	}
}

// Two targets of one container are changed in one step, and taken back so.
func twoTargets(t *testing.T, s *stage) {
	l := newLinked(t, s, "no")
	l.shell(t, `docker rm -f app >/dev/null; docker run -d --name mq --stop-timeout 1 app:1 sleep 100000 >/dev/null
		docker run -d --name app --stop-timeout 1 --link db:other --link mq app:1 sleep 100000 >/dev/null
		docker exec app sh -c 'echo mark >/srv/mark'`)
	look := func() string {
		out := l.shell(t, `docker inspect -f '{{.Name}} {{.HostConfig.CapDrop}} {{json .HostConfig.Links}} {{.State.Running}}' app db mq`)
		// the engine tells links in any order
		return strings.Replace(out, `"/mq:/app/mq","/db:/app/other"`,
			`"/db:/app/other","/mq:/app/mq"`, 1)
	}
	before := look()
	r := l.dropcap(t, "apply", "--all-ready", "--yes", "--soak", "0s", "--no-watch")
	if r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	if got := look(); strings.Count(got, "NET_RAW") != 3 || strings.Count(got, "true") != 3 ||
		!strings.Contains(got, `"/db:/app/other"`) || !strings.Contains(got, `"/mq:/app/mq"`) {
		t.Errorf("there is %s", got)
	}
	if h := l.history(t); len(h) != 2 || len(h[0].Others)+len(h[1].Others) != 2 {
		t.Errorf("history says %+v", h) // tool, which only uses volumes, is one of its own
	}
	if r := l.dropcap(t, "backout", "--all", "--yes"); r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	if got := look(); got != before {
		t.Errorf("there is %s, and was %s", got, before)
	}
}
