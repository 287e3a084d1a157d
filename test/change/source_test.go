package change_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// shop is a compose project in a folder of root's alone, and a docker with the compose of that
// component.
type shop struct {
	*stage
	dir string
}

const canary = "canary-3f9c1e"

const shopFile = "# the shop\r\n" + `services:
  web: # serves
    image: app:1
    environment:
      KEY: ` + canary + `
      VERSION: ${VERSION:-unset}
    env_file: [web.env]
    cap_add:
      - CAP_SYS_TIME
    stop_grace_period: 1s
    volumes: ["data:/data", /anonymous]
    networks: {front: {aliases: [shop-web]}}

  db:
    image: app:1
    stop_grace_period: 1s
    networks: [front]
volumes: {data: {}}
networks: {front: {}}
`

const shopOverride = `services: {web: {cap_add: [SYS_NICE], labels: {a: "b"}}}`

func newShop(t *testing.T, s *stage, version string) *shop {
	t.Helper()
	testenv.Need(t, testenv.Root, testenv.Compose)
	dir := testenv.RootFolder(t)
	tools := t.TempDir()
	plugins := filepath.Join(tools, "cli-plugins")
	if err := os.Mkdir(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		filepath.Join(tools, "docker"):           "docker26/usr/bin/docker",
		filepath.Join(plugins, "docker-compose"): "compose/" + version + "/docker-compose",
	} {
		if err := os.Symlink(filepath.Join(testenv.Cache(), to), link); err != nil {
			t.Fatal(err)
		}
	}
	own := *s
	own.store = filepath.Join(t.TempDir(), "store")
	own.env = append(own.env[:len(own.env):len(own.env)], "PATH="+tools+":"+os.Getenv("PATH"),
		"DOCKER_CONFIG="+tools, "SHOP="+dir, "VERSION=seven")
	p := &shop{&own, dir}
	t.Cleanup(func() { p.sweep(t) })
	p.write(t, "compose.yaml", shopFile)
	p.write(t, "override.yaml", shopOverride)
	p.write(t, "web.env", "FROM_FILE=1\n")
	return p
}

func (p *shop) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func (p *shop) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const upShop = `cd $SHOP; docker compose -p shop -f compose.yaml -f override.yaml up -d --quiet-pull --scale web=2 >/dev/null 2>&1`

// looks is what is visible of the project: each service's containers.
type looks struct {
	Name, ID, Started, Caps string
	Running                 bool
}

func (p *shop) look(t *testing.T, service string) []looks {
	t.Helper()
	var out []looks
	for _, id := range strings.Fields(p.shell(t,
		"docker ps -aq --no-trunc --filter label=com.docker.compose.service="+service)) {
		var b struct {
			Name  string
			State struct {
				Running   bool
				StartedAt string
			}
			HostConfig struct{ CapAdd, CapDrop []string }
		}
		if err := json.Unmarshal(p.inspect(t, id, ""), &b); err != nil {
			t.Fatal(err)
		}
		var caps []string
		for sign, list := range map[string][]string{"+": b.HostConfig.CapAdd,
			"-": b.HostConfig.CapDrop} {
			for _, n := range list {
				caps = append(caps, sign+strings.TrimPrefix(n, "CAP_"))
			}
		}
		slices.Sort(caps)
		out = append(out, looks{strings.TrimPrefix(b.Name, "/"), id, b.State.StartedAt,
			strings.Join(caps, " "), b.State.Running})
	}
	slices.SortFunc(out, func(a, b looks) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// all checks that the service has n containers, all running, with these capabilities and compose's
// own names.
func (p *shop) all(t *testing.T, when, service string, n int, caps string) []looks {
	t.Helper()
	list := p.look(t, service)
	if len(list) != n {
		t.Errorf("%s: %d containers of %s: %+v", when, len(list), service, list)
	}
	for _, c := range list {
		if !c.Running || c.Caps != caps || !strings.HasPrefix(c.Name, "shop-"+service+"-") {
			t.Errorf("%s: %+v, want running with %s", when, c, caps)
		}
	}
	return list
}

const (
	shopCaps  = "+SYS_NICE +SYS_TIME"
	shopCIS   = "+SYS_NICE +SYS_TIME -NET_RAW"
	shopLeast = "-ALL"
)

// edited is compose.yaml after level cis, and after level least.
var (
	editedCIS = strings.Replace(shopFile, "      - CAP_SYS_TIME\n",
		"      - CAP_SYS_TIME\n    cap_drop:\n      - NET_RAW\n", 1)
	editedAll = strings.Replace(shopFile, "    cap_add:\n      - CAP_SYS_TIME\n",
		"    cap_drop:\n      - ALL\n", 1)
)

func (p *shop) apply(t *testing.T, args ...string) ended {
	t.Helper()
	return p.dropcap(t, append([]string{"apply", "shop-web-1", "shop-web-2", "--yes", "--soak",
		"0s"}, args...)...)
}

// untouched checks that files and containers are as they were.
func (p *shop) untouched(t *testing.T, when string, web, db []looks) {
	t.Helper()
	if p.read(t, "compose.yaml") != shopFile || p.read(t, "override.yaml") != shopOverride {
		t.Errorf("%s: the files have changed:\n%s%s", when, p.read(t, "compose.yaml"),
			p.read(t, "override.yaml"))
	}
	if now := p.look(t, "web"); !slices.Equal(now, web) {
		t.Errorf("%s: web was %+v, is %+v", when, web, now)
	}
	if now := p.look(t, "db"); !slices.Equal(now, db) {
		t.Errorf("%s: db was %+v, is %+v", when, db, now)
	}
}

// settled checks that compose itself finds nothing to do.
func (p *shop) settled(t *testing.T, when string) {
	t.Helper()
	out := p.shell(t, strings.Replace(strings.Replace(upShop, "docker compose",
		"docker compose --dry-run", 1), ">/dev/null", "2>&1 ||", 1))
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Container ") && !strings.HasSuffix(strings.TrimSpace(line),
			"Running") {
			t.Errorf("%s: compose would do more:\n%s", when, out)
		}
	}
}

// A service is changed in its own files, by its own compose, all its containers at once, and comes
// back from the old files.
func TestComposeServiceIsChangedAtItsSource(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	for _, version := range []string{"v2", "v5"} {
		t.Run(version, func(t *testing.T) {
			p := newShop(t, s, version)
			p.shell(t, upShop)
			p.shell(t, "docker exec shop-web-1 sh -c 'echo kept >/data/x'")
			p.all(t, "before", "web", 2, shopCaps)
			db := p.look(t, "db")
			if r := p.apply(t, "--dry-run"); r.status != dropcap.ExitFindings ||
				!strings.Contains(r.out, "write-source") || !strings.Contains(r.out, "compose-up") {
				t.Errorf("a dry run: %v", r)
			}
			for _, level := range []struct{ name, caps, base, over string }{
				{"cis", shopCIS, editedCIS, shopOverride},
				{"least", shopLeast, editedAll, strings.Replace(shopOverride, "cap_add: [SYS_NICE]",
					"cap_add: []", 1)},
			} {
				if version == "v5" && level.name != "cis" && !full {
					continue
				}
				r := p.apply(t, "--level", level.name, "--accept", "low")
				if r.status != dropcap.ExitOK {
					t.Fatalf("level %s: %v", level.name, r)
				}
				if got := p.read(t, "compose.yaml") + p.read(t,
					"override.yaml"); got != level.base+level.over {
					t.Errorf("level %s: the files are\n%s", level.name, got)
				}
				p.all(t, "after level "+level.name, "web", 2, level.caps)
				p.settled(t, "after level "+level.name)
				if now := p.look(t, "db"); !slices.Equal(now, db) {
					t.Errorf("level %s has touched db", level.name)
				}
				h := p.history(t)
				if h[0].State != dropcap.Applied || h[0].Strategy != dropcap.StrategySource ||
					h[0].After == "" || h[0].DowntimeMS <= 0 {
					t.Errorf("history says %+v", h[0])
				}
				if r := p.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
				web := p.all(t, "after the backout", "web", 2, shopCaps)
				p.untouched(t, "after the backout", web, db)
				p.settled(t, "after the backout")
			}
			if got := p.shell(t, "docker exec shop-web-1 cat /data/x"); got != "kept" {
				t.Errorf("the volume holds %q", got)
			}
			if r := p.dropcap(t, "history", "--format", "json"); strings.Contains(r.out+r.err,
				canary) {
				t.Error("the history tells a secret")
			}
		})
	}
}

// A change that fails the gate is undone: the old files, and the containers that compose creates
// from them.
func TestComposeServiceRollsBack(t *testing.T) {
	p := newShop(t, newStage(t, dockertest.Docker20), "v2")
	p.shell(t, upShop)
	db := p.look(t, "db")
	r := p.apply(t, "--probe", "false", "--timeout", "1s")
	if r.status != dropcap.ExitRolledBack || strings.Contains(r.out+r.err, canary) {
		t.Fatalf("a probe that fails: %v", r)
	}
	p.untouched(t, "after the rollback", p.all(t, "after the rollback", "web", 2, shopCaps), db)
	p.settled(t, "after the rollback")
	if h := p.history(t); h[0].State != dropcap.RolledBack {
		t.Errorf("history says %+v", h[0])
	}
}

// What dropcap must not do alone is refused with its reason, and nothing is touched.
func TestComposeServiceIsRefused(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	p := newShop(t, s, "v2")
	p.shell(t, upShop)
	web, db := p.look(t, "web"), p.look(t, "db")
	for _, c := range []struct{ name, before, after, says string }{
		{"others may write the file", "chmod 666 $SHOP/compose.yaml",
			"chmod 640 $SHOP/compose.yaml", "others may write"},
		{"others may write the folder", "chmod 777 $SHOP", "chmod 755 $SHOP", "others may write"},
		{"it belongs to somebody else", "chown 1000 $SHOP/override.yaml",
			"chown 0 $SHOP/override.yaml", "belongs to user 1000"},
		{"a link", "mv $SHOP/override.yaml $SHOP/o; ln -s o $SHOP/override.yaml",
			"mv $SHOP/o $SHOP/override.yaml", "is a link"},
		{"a container mounts it", "docker run -d --name peer -v $SHOP:/x app:1",
			"docker rm -f peer", "the container peer mounts"},
		{"a volume of a container is it",
			"docker volume create -o type=none -o o=bind -o device=$SHOP vol; docker run -d " +
				"--name peer -v vol:/x app:1",
			"docker rm -f peer; docker volume rm vol", "the container peer mounts"},
		{"the environment file may be anybody's", "touch $SHOP/.env; chmod 666 $SHOP/.env",
			"rm $SHOP/.env", "others may write"},
		{"another image has its name",
			"docker tag app:1 keep:1; docker build -q -t app:1 - <<-E\n\tFROM keep:1\n\tLABEL " +
				"x=y\nE\n", "docker tag keep:1 app:1", "compose would do more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.shell(t, c.before)
			defer p.shell(t, c.after)
			r := p.apply(t)
			if r.status == dropcap.ExitOK || !strings.Contains(r.err, c.says) ||
				strings.Contains(r.out+r.err, canary) {
				t.Errorf("it is not refused: %v", r)
			}
		})
		p.untouched(t, c.name, web, db)
	}
	t.Run("another of its containers has something in its layer", func(t *testing.T) {
		p.shell(t, "docker exec shop-web-2 sh -c 'echo data >/srv/data'")
		defer p.shell(t, "docker exec shop-web-2 rm /srv/data")
		// what compose would lose of the other one: so this one itself is made again
		r := p.dropcap(t, "apply", "shop-web-1", "--yes", "--soak", "0s")
		if got := p.look(t, "web"); r.status != dropcap.ExitOK || got[1] != web[1] ||
			p.read(t, "compose.yaml") != shopFile ||
			strings.TrimSpace(p.shell(t, "docker exec shop-web-2 cat /srv/data")) != "data" {
			t.Errorf("the other one is %+v, and was %+v: %v", got[1], web[1], r)
		}
		if r := p.dropcap(t, "backout", "shop-web-1", "--yes"); r.status != dropcap.ExitOK {
			t.Errorf("no way back: %v", r)
		}
		web = p.look(t, "web")
	})
	t.Run("one of its containers does not run", func(t *testing.T) {
		p.shell(t, "docker stop shop-web-2")
		r := p.dropcap(t, "apply", "shop-web-1", "--yes", "--soak", "0s")
		if r.status == dropcap.ExitOK || p.read(t, "compose.yaml") != shopFile ||
			p.look(t, "web")[1].Running {
			t.Errorf("it is not refused: %v", r)
		}
		p.shell(t, "docker start shop-web-2")
		web = p.look(t, "web")
	})
	t.Run("another change is pending", func(t *testing.T) {
		p.write(t, "compose.yaml", strings.Replace(shopFile, "KEY:", "OTHER:", 1))
		r := p.apply(t)
		if r.status == dropcap.ExitOK || !strings.Contains(r.err, "compose would do more") {
			t.Errorf("it is not refused: %v", r)
		}
		p.write(t, "compose.yaml", shopFile)
		p.untouched(t, "another change is pending", web, db)
	})
	t.Run("a variable has another value", func(t *testing.T) {
		own := *p.stage
		own.env = append(own.env[:len(own.env):len(own.env)], "VERSION=eight")
		q := &shop{&own, p.dir}
		if r := q.apply(t); r.status == dropcap.ExitOK ||
			!strings.Contains(r.err, "compose would do more") {
			t.Errorf("it is not refused: %v", r)
		}
		p.untouched(t, "a variable has another value", web, db)
	})
}
