package change_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

const mainFile = `include:
  - sub/log.yaml
x-base: &base
  image: app:1
  stop_grace_period: 1s
  cap_add: [SYS_TIME]
services:
  web: &web
    <<: *base
    depends_on: [db, log]
  db:
    <<: *web
    depends_on: []
    environment: {KEY: ` + canary + `}
`

const includedFile = `services:
  log:
    image: app:1
    env_file: log.env
    environment: {WHO: "${WHO:-nobody}"}
    stop_grace_period: 1s
    volumes: ["./data:/data"]
`

// Three services of two files, one of which the other includes, and two of which share what anchors
// name, are changed as one and come back to the byte.
func TestComposeOfIncludedFiles(t *testing.T) {
	s := newStage(t, dockertest.Docker20)
	const up = `cd $SHOP; docker compose -p shop -f compose.yaml up -d --quiet-pull >/dev/null 2>&1`
	for _, version := range []string{"v2", "v5"} {
		t.Run(version, func(t *testing.T) {
			p := newShop(t, s, version)
			if err := os.MkdirAll(filepath.Join(p.dir, "sub/data"), 0o755); err != nil {
				t.Fatal(err)
			}
			p.write(t, "compose.yaml", mainFile)
			p.write(t, "sub/log.yaml", includedFile)
			p.write(t, "sub/log.env", "FROM_FILE=1\n")
			p.write(t, "sub/.env", "WHO=somebody\n")
			p.shell(t, up)
			before := p.shell(t, "docker exec shop-log-1 env | grep -E '^(WHO|FROM_FILE)=' | sort")
			names := []string{"shop-web-1", "shop-db-1", "shop-log-1"}
			args := append([]string{"apply", "--yes", "--soak", "0s"}, names...)
			r := p.dropcap(t, append(args, "--timeout", "1s", "--probe-exec",
				"sh -c '[ -z \"$FROM_FILE\" ]'")...)
			if r.status != dropcap.ExitRolledBack || strings.Contains(r.out+r.err, canary) {
				t.Fatalf("log does not pass: %v", r)
			}
			p.asIncluded(t, "rolled back", up)
			if r := p.dropcap(t, args...); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			p.all(t, "applied", "web", 1, "+SYS_TIME -NET_RAW")
			p.all(t, "applied", "db", 1, "+SYS_TIME -NET_RAW")
			p.all(t, "applied", "log", 1, "-NET_RAW")
			p.settledBy(t, "applied", up)
			if got := p.shell(t,
				"docker exec shop-log-1 env | grep -E '^(WHO|FROM_FILE)=' | sort"); got != before {
				t.Errorf("log has %q, had %q", got, before)
			}
			if h := p.history(t); len(h) != 2 || len(h[0].Others) != 2 {
				t.Errorf("history says %+v", h)
			}
			if r := p.dropcap(t, "backout", "shop-log-1", "--yes"); r.status != dropcap.ExitOK {
				t.Fatal(r)
			}
			p.asIncluded(t, "backed out", up)

			if err := os.Chmod(filepath.Join(p.dir, "sub/log.yaml"), 0o666); err != nil {
				t.Fatal(err)
			}
			if r := p.dropcap(t, args...); r.status == dropcap.ExitOK ||
				!strings.Contains(r.err, "others may write") {
				t.Errorf("an included file that others may write: %v", r)
			}
			p.asIncluded(t, "refused", up)
		})
	}
}

// asIncluded checks that files and containers are as they were.
func (p *shop) asIncluded(t *testing.T, when, up string) {
	t.Helper()
	if got := p.read(t, "compose.yaml") + p.read(t, "sub/log.yaml"); got != mainFile+includedFile {
		t.Errorf("%s: the files are\n%s", when, got)
	}
	p.all(t, when, "web", 1, "+SYS_TIME")
	p.all(t, when, "db", 1, "+SYS_TIME")
	p.all(t, when, "log", 1, "")
	p.settledBy(t, when, up)
}
