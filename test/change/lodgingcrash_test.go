package change_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// points are where a kill is tried: some, or before and after each of those names.
func points(some, names []string) (list []string) {
	if !full {
		return some
	}
	for _, n := range names {
		list = append(list, "before:"+n, "after:"+n)
	}
	return list
}

// dropcap is killed while compose makes services again that live in another one's namespaces, or
// takes them back: recover brings all of them to one end, each in the one that is there.
func TestComposeNamespacesKilledItRecovers(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	made := []string{"inspect-made#1", "inspect-made#2", "inspect-made#3", "inspect-made#5",
		"inspect-made#7"}
	for op, list := range map[string][]string{
		"apply": points([]string{"after:inspect-made#3"},
			append(slices.Clone(composeEffects["apply"]), made...)),
		"probe": points(nil, composeEffects["probe"]),
		"backup": points([]string{"after:inspect-made#2"},
			append(made, composeEffects["backup"]...)),
	} {
		for _, where := range list {
			version := []string{"v2", "v5"}[len(where)%2]
			t.Run(op+" "+where+" "+version, func(t *testing.T) {
				p, h := newHome(t, s, version, vpnFile)
				p.killedAtHome(t, h, op, where)
			})
		}
	}
}

func (p *shop) killedAtHome(t *testing.T, h *household, op, where string) {
	apply := append([]string{"apply", "vpn", "web"}, quick...)
	args := map[string][]string{
		"apply":  apply,
		"probe":  append(slices.Clone(apply), "--probe", "false", "--timeout", "1s"),
		"backup": {"backout", "--last", "--yes"},
	}
	if op == "backup" {
		if r := h.dropcap(t, args["apply"]...); r.status != dropcap.ExitOK {
			t.Fatal(r)
		}
	}
	cmd := h.command(args[op]...)
	cmd.Env = append(slices.Clone(h.env), "DROPCAP_FAULT="+where+"=kill")
	if r := h.wait(t, cmd, args[op]); r.status != -1 {
		t.Fatalf("it was not killed: %v", r)
	}
	p.recovered(t, h, where)
}

// recovered checks that recover leads to one end, and a backout from there to the beginning.
func (p *shop) recovered(t *testing.T, h *household, where string) {
	t.Helper()
	if r := h.dropcap(t, "recover", "--call-timeout", "5s"); r.status != dropcap.ExitOK {
		t.Errorf("recover: %v", r)
	}
	list := h.history(t)
	if len(list) > 0 && list[0].State == dropcap.Applied {
		p.home(t, h, where+" recovered", "vpn", "web")
		if r := h.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
			t.Fatalf("backout: %v", r)
		}
	} else if len(list) > 0 && !list[0].State.Over() {
		t.Errorf("%s: history says %s", where, list[0].State)
	}
	p.home(t, h, where+" at the end")
}

// pausedAt runs dropcap until it has stopped itself at an effect.
func (s *stage) pausedAt(t *testing.T, where string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd, said := s.command(args...), &bytes.Buffer{}
	cmd.Env = append(slices.Clone(s.env), "DROPCAP_FAULT="+where+"=stop", "DROPCAP_WATCH=off")
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !testenv.Within(endsWithin, func() bool {
		return processState(cmd.Process.Pid) == "T"
	}) {
		cmd.Process.Kill()
		t.Fatalf("it does not come to %s: %s", where, said)
	}
	return cmd, said
}

// The engine is killed under dropcap while it changes containers that use each other, and comes
// back: dropcap ends it one way or the other, and none is left down.
func TestThoseThatUseEachOtherWhoseEngineIsKilled(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	t.Run("namespaces", s.killedUnderNamespaces)
	t.Run("links", s.killedUnderLinks)
	t.Run("compose", s.killedUnderCompose)
}

func (s *stage) killedUnderNamespaces(t *testing.T) {
	for _, where := range points([]string{"after:start-new"},
		[]string{"stop-old-2", "stop-old", "rename-new", "hold-old-3", "start-new", "start-new-2",
			"note-checking"}) {
		t.Run(where, func(t *testing.T) {
			h := newHousehold(t, s, "unless-stopped")
			h.program = s.program
			h.engineDies(t, where, append([]string{"apply", "vpn", "web"}, quick...)...)
			h.dropcap(t, "recover", "--call-timeout", "5s")
			h.reach(t, where)
			h.alone(t, where)
			if list := h.history(t); list[0].State == dropcap.Applied {
				if r := h.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
			}
			h.asBefore(t, where+" at the end")
		})
	}
}

func (s *stage) engineDies(t *testing.T, where string, args ...string) {
	t.Helper()
	cmd, said := s.pausedAt(t, where, args...)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	goOn(cmd)
	if err := s.Revive(); err != nil {
		t.Fatal(err)
	}
	if r := s.wait(t, cmd, args); r.status == dropcap.ExitPerson || r.status < 0 {
		t.Errorf("%s: status %d: %s", where, r.status, said)
	}
}

// killedUnderLinks is about links, too, which an engine that is started ties anew.
func (s *stage) killedUnderLinks(t *testing.T) {
	for _, where := range points([]string{"after:rename-new"}, []string{"stop-old-2", "rename-old",
		"rename-new", "rename-old-2", "start-new", "start-new-2", "note-checking"}) {
		t.Run(where, func(t *testing.T) {
			l := newLinked(t, s, "unless-stopped")
			l.program = s.program
			l.engineDies(t, where, append([]string{"apply", "db", "app"}, quick...)...)
			if r := l.dropcap(t, "recover", "--call-timeout", "5s"); r.status != dropcap.ExitOK {
				t.Errorf("recover: %v", r)
			}
			drops := "[] []"
			if l.history(t)[0].State == dropcap.Applied {
				drops = "[NET_RAW] [NET_RAW]"
			}
			l.shell(t, "docker start tool >/dev/null") // which dropcap has nothing to do with
			l.tied(t, where, drops)
			if drops != "[] []" {
				if r := l.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
			}
			l.tied(t, where+" at the end", "[] []")
			if got := l.shell(t, "docker ps -aq | wc -l"); got != "3" {
				t.Errorf("there are %s containers:\n%s", got, l.shell(t, "docker ps -a"))
			}
		})
	}
}

// killedUnderCompose is while compose makes services again.
func (s *stage) killedUnderCompose(t *testing.T) {
	for _, where := range points([]string{"after:inspect-made#3"}, []string{"write-source",
		"rehearse-new", "inspect-made#2", "inspect-made#4", "inspect-made#6", "compose-up",
		"note-checking"}) {
		t.Run(where, func(t *testing.T) {
			p, h := newHome(t, s, "v5", strings.ReplaceAll(vpnFile, "    image: app:1\n",
				"    image: app:1\n    restart: unless-stopped\n"))
			h.engineDies(t, where, append([]string{"apply", "vpn", "web"}, quick...)...)
			if r := h.dropcap(t, "recover", "--call-timeout", "5s"); r.status != dropcap.ExitOK {
				t.Errorf("recover: %v", r)
			}
			if h.history(t)[0].State == dropcap.Applied {
				if r := h.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
			}
			h.reach(t, where)
			h.alone(t, where)
			p.settledBy(t, where, upHome)
		})
	}
}
