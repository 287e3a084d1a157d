package change_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
)

// consistent checks that the service is entirely as before or entirely as wanted: files,
// containers, and what compose itself would do.
func (p *shop) consistent(t *testing.T, when string) {
	t.Helper()
	switch got := p.read(t, "compose.yaml"); got {
	case shopFile:
		p.all(t, when, "web", 2, shopCaps)
	case editedCIS:
		p.all(t, when, "web", 2, shopCIS)
	default:
		t.Errorf("%s: the file is\n%s", when, got)
	}
	p.settled(t, when)
	h := p.history(t)
	applied := p.read(t, "compose.yaml") == editedCIS
	if len(h) > 0 && (!h[0].State.Over() || h[0].State == dropcap.NeedsPerson ||
		(h[0].State == dropcap.Applied) != applied) {
		t.Errorf("%s: history says %s (%s)", when, h[0].State, h[0].Because)
	}
}

var composeEffects = map[string][]string{
	"apply": {"note-begin", "rehearse", "write-source", "rehearse-new", "note-created",
		"note-switching", "compose-up", "list-service", "inspect-made", "note-checking",
		"note-applied"},
	"probe":  {"note-rolling-back", "restore-source", "compose-up-back", "note-rolled-back"},
	"backup": {"note-backing-out", "restore-source", "compose-up-back", "note-backed-out"},
}

// dropcap is killed before and after effects of a change at the source; recover brings it to one
// end or the other.
func TestComposeKilledAnywhereItRecovers(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	points := map[string][]string{"apply": {"after:write-source"},
		"probe": {"after:restore-source"}}
	if full {
		for op, names := range composeEffects {
			points[op] = nil
			for _, n := range names {
				points[op] = append(points[op], "before:"+n, "after:"+n)
			}
		}
	}
	p := newShop(t, s, "v2")
	p.shell(t, upShop)
	for op, list := range points {
		for _, where := range list {
			t.Run(op+" "+where, func(t *testing.T) { p.killed(t, op, where) })
		}
	}
}

func (p *shop) killed(t *testing.T, op, where string) {
	args := map[string][]string{
		"apply": {"apply", "shop-web-1", "shop-web-2", "--yes", "--soak", "0s", "--no-watch"},
		"probe": {"apply", "shop-web-1", "shop-web-2", "--yes", "--soak", "0s", "--no-watch",
			"--probe", "false", "--timeout", "1s"},
		"backup": {"backout", "--last", "--yes"},
	}[op]
	if op == "backup" {
		if r := p.apply(t); r.status != dropcap.ExitOK {
			t.Fatal(r)
		}
	}
	cmd := p.command(args...)
	cmd.Env = append(slices.Clone(p.env), "DROPCAP_FAULT="+where+"=kill")
	if r := p.wait(t, cmd, args); r.status != -1 {
		t.Fatalf("it was not killed: %v", r)
	}
	if r := p.dropcap(t, "recover"); r.status != dropcap.ExitOK {
		t.Errorf("recover: %v", r)
	}
	p.consistent(t, op+" killed "+where)
	if p.read(t, "compose.yaml") == editedCIS {
		if r := p.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
			t.Errorf("backout after it: %v", r)
		}
		p.consistent(t, "backed out")
	}
}

// dropcap is killed while compose works: whether compose continues or ends with it, recover waits
// for it and reaches one end.
func TestComposeKilledWhileComposeWorks(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	for _, version := range []string{"v5", "v2"} {
		if version == "v2" && !full {
			continue
		}
		t.Run(version, func(t *testing.T) {
			p := newShop(t, s, version)
			// It ignores the signal, so that its stop takes its whole grace period.
			p.write(t, "compose.yaml", strings.Replace(shopFile, "image: app:1\n",
				"image: app:1\n    command: [sh, -c, \"trap '' TERM; while :; do sleep 1; done\"]\n", 1))
			p.shell(t, upShop)
			log := filepath.Join(t.TempDir(), "log")
			args := []string{"apply", "shop-web-1", "shop-web-2", "--yes", "--soak", "0s",
				"--no-watch"}
			cmd := p.command(args...)
			cmd.Env = append(slices.Clone(p.env), "DROPCAP_FAULT_LOG="+log)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			dockertest.Eventually(t, time.Minute, "compose at work", func() bool {
				b, _ := os.ReadFile(log)
				return strings.Contains(string(b), "compose-up\n") &&
					len(strings.Fields(p.shell(t, "docker ps -aq --filter name=web"))) > 2
			})
			cmd.Process.Kill()
			cmd.Wait()
			if r := p.dropcap(t, "recover"); r.status != dropcap.ExitOK {
				t.Errorf("recover: %v\n%s", r, said.String())
			}
			h := p.history(t)
			caps := map[dropcap.ChangeState]string{dropcap.Applied: shopCIS,
				dropcap.RolledBack: shopCaps}[h[0].State]
			p.all(t, "after it", "web", 2, caps)
			p.settled(t, "after it")
			t.Logf("%s: %s", version, h[0].State)
		})
	}
}
