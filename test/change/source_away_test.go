package change_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// Where the project's file is not on this host, the container itself is changed, and compose leaves
// it alone as long as the file says the same.
func TestComposeFileIsElsewhere(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, version := range []string{"v2", "v5"} {
		t.Run(version, func(t *testing.T) {
			p := newShop(t, s, version)
			p.pair(t)
			if err := os.Remove(filepath.Join(p.dir, "compose.yaml")); err != nil {
				t.Fatal(err)
			}
			web, db := p.look(t, "web"), p.look(t, "db")
			names := []string{"shop-web-1", "shop-web-2", "shop-web-3"}
			r := p.dropcap(t, append([]string{"plan"}, names...)...)
			if r.status != dropcap.ExitFindings || !strings.Contains(r.out, "not on this host") ||
				!strings.Contains(r.out, "cap_drop: [NET_RAW]") ||
				strings.Contains(r.out+r.err, canary) {
				t.Errorf("the plan: %v", r)
			}
			args := append([]string{"apply", "--yes", "--soak", "0s"}, names...)
			if r := p.dropcap(t, args...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			for _, h := range p.history(t) {
				if h.Strategy != dropcap.StrategyRecreate || h.State != dropcap.Applied {
					t.Errorf("history says %+v", h)
				}
			}
			changed := p.all(t, "applied", "web", len(web), "-NET_RAW")
			p.write(t, "compose.yaml", pairFile)
			p.settledBy(t, "applied", upPair)
			p.shell(t, upPair)
			p.same(t, "after compose up", "web", changed)
			p.same(t, "after compose up", "db", db)
			p.undone(t)

			// What compose has made since is another container: the change is gone with the old
			// one.
			p.write(t, "compose.yaml", pairFile)
			p.shell(t, upPair)
			if r := p.dropcap(t, append([]string{"apply", "--yes", "--soak", "0s", "--strategy",
				"recreate"}, names[0])...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			if r := p.dropcap(t, "backout", names[0], "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			p.all(t, "backed out", "web", len(web), "")
			p.settledBy(t, "backed out", upPair)
		})
	}
}

// same checks that a service has the very same containers.
func (p *shop) same(t *testing.T, when, service string, want []looks) {
	t.Helper()
	if now := p.look(t, service); !slices.Equal(now, want) {
		t.Errorf("%s: %s was %+v, is %+v", when, service, want, now)
	}
}

// undone has somebody change the file, so that compose makes the service again as that says, and
// checks that audit tells.
func (p *shop) undone(t *testing.T) {
	t.Helper()
	p.write(t, "compose.yaml", strings.Replace(pairFile, "KEY:", "OTHER:", 1))
	p.shell(t, upPair)
	if r := p.dropcap(t, "audit", "shop-web-1", "--format", "json"); !strings.Contains(r.out,
		`"reverted"`) {
		t.Errorf("audit does not tell that the change came undone: %v", r)
	}
}

const injectedFile = `services:
  web:
    image: app:1
    stop_grace_period: 1s
    configs:
      - {source: app, target: /etc/app/app.conf}
      - motd
    secrets:
      - {source: token, target: /srv/token}
configs:
  app: {content: "port=80"}
  motd: {content: hello}
secrets:
  token: {environment: TOKEN}
`

// What compose writes into the containers by itself comes back by itself, and does not bar a change
// of the file; what the program has written there does.
func TestComposeInjectsAgain(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, version := range []string{"v2", "v5"} {
		t.Run(version, func(t *testing.T) {
			p := newShop(t, s, version)
			p.write(t, "compose.yaml", injectedFile)
			p.write(t, ".env", "TOKEN="+canary+"\n")
			up :=
				`cd $SHOP; docker compose -p shop -f compose.yaml up -d --quiet-pull >/dev/null 2>&1`
			p.shell(t, up)
			read := "docker exec shop-web-1 cat /etc/app/app.conf /motd /srv/token"
			before := p.shell(t, read)
			if !strings.Contains(before, canary) || !strings.Contains(before, "port=80") {
				t.Fatalf("compose has written %q", before)
			}
			p.shell(t, "docker exec shop-web-1 sh -c 'echo data >/etc/app/data'")
			plan := p.dropcap(t, "plan", "shop-web-1", "--format", "{{.Strategy}} {{.Refused}}")
			if plan.out != "recreate \n" {
				t.Errorf("what the program wrote would not be carried along: %v", plan)
			}
			r := p.dropcap(t, "apply", "shop-web-1", "--yes", "--soak", "0s", "--strategy",
				"source")
			if r.status == dropcap.ExitOK || !strings.Contains(r.err, "/etc/app/data") ||
				strings.Contains(r.err, "app.conf") {
				t.Errorf("what the program wrote: %v", r)
			}
			p.shell(t, "docker exec shop-web-1 rm /etc/app/data")
			p.write(t, ".env", "")
			r = p.dropcap(t, "apply", "shop-web-1", "--yes", "--soak", "0s")
			if r.status == dropcap.ExitOK || !strings.Contains(r.err, "TOKEN") {
				t.Errorf("without the variable: %v", r)
			}
			p.write(t, ".env", "TOKEN="+canary+"\n")
			for _, step := range [][]string{{"apply", "shop-web-1", "--soak", "0s"},
				{"backout", "--last"}} {
				if r := p.dropcap(t, append(step, "--yes")...); r.status != dropcap.ExitOK {
					t.Fatal(r)
				}
				if got := p.shell(t, read); got != before {
					t.Errorf("after %s: %q", step[0], got)
				}
				p.settledBy(t, step[0], up)
			}
			if got := p.read(t, "compose.yaml"); got != injectedFile {
				t.Errorf("the file is\n%s", got)
			}
		})
	}
}
