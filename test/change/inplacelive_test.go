package change_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// config is the engine's own configuration: its text, mode and owner.
func (x *switchable) config(t *testing.T) string {
	t.Helper()
	return x.shell(t, "stat -c '%a %u %g' "+x.configFile()+"; cat "+x.configFile())
}

func (x *switchable) configFile() string {
	return filepath.Join(filepath.Dir(x.DataRoot), "daemon.json")
}

// lentBack checks that the engine is configured as it was, and that live-restore is off again.
func (x *switchable) lentBack(t *testing.T, when, was string) {
	t.Helper()
	if now := x.config(t); now != was {
		t.Errorf("%s the engine's configuration is\n%s, was\n%s", when, now, was)
	}
	if got := x.shell(t, "docker info -f '{{.LiveRestoreEnabled}}'"); got != "false" {
		t.Errorf("%s live-restore is on: %s", when, got)
	}
	if left := x.shell(t, "ls -A "+filepath.Dir(x.DataRoot)); strings.Contains(left, ".dropcap-") {
		t.Errorf("%s there is %s", when, left)
	}
}

// Live-restore that is off is lent by a reload: no other container is stopped, and the engine's
// configuration is put back to the byte, after a change, a rollback and a backout.
func TestInPlaceLendsLiveRestore(t *testing.T) {
	for _, c := range []struct {
		kind dockertest.Kind
		opts []dockertest.Option
	}{
		{kind: dockertest.Docker20},
		{kind: dockertest.Docker29},
		{kind: dockertest.Docker20,
			opts: []dockertest.Option{dockertest.Config("live-restore", false)}},
	} {
		if len(c.opts) > 0 && !full {
			continue
		}
		t.Run(fmt.Sprint(c.kind, len(c.opts)), func(t *testing.T) {
			x := newSwitchable(t, newStage(t, c.kind, c.opts...))
			was, inspect, other, held := x.file(t), x.inspect(t, x.web, ""), x.started(t, x.other),
				x.bounding(t)
			config := x.config(t)
			if r := x.dropcap(t, "plan", "web", "--in-place"); !strings.Contains(r.out,
				"live-restore is off") || !strings.Contains(r.out, x.configFile()) {
				t.Errorf("the plan does not say so: %v", r)
			}
			if r := x.dropcap(t, x.args("--probe", "false", "--timeout",
				"1s")...); r.status != dropcap.ExitRolledBack {
				t.Fatalf("a probe that fails: %v", r)
			}
			x.same(t, "after the rollback", was, inspect, other, held)
			x.lentBack(t, "after the rollback", config)
			if r := x.dropcap(t, x.args()...); r.status != dropcap.ExitOK {
				t.Fatalf("apply: %v", r)
			}
			x.lentBack(t, "after the change", config)
			if got := x.started(t, x.other); got != other {
				t.Errorf("the other one was %s, is %s", other, got)
			}
			if got := x.bounding(t); got == held {
				t.Errorf("it still holds %s", got)
			}
			if r := x.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
				t.Fatalf("backout: %v", r)
			}
			x.same(t, "after the backout", was, inspect, other, held)
			x.lentBack(t, "after the backout", config)
		})
	}
}

// A configuration that others may write is not touched.
func TestInPlaceLendsNothingWhereOthersMayWrite(t *testing.T) {
	x := newSwitchable(t, newStage(t, dockertest.Docker20))
	for _, c := range []struct{ name, before, after, says string }{
		{"others may write", "chmod 0666 $FILE", "chmod 0600 $FILE", "others may write"},
		{"another user's", "chown 1000 $FILE", "chown 0 $FILE", "belongs to user 1000"},
		{"a link", "mv $FILE $FILE.real; ln -s $FILE.real $FILE", "rm $FILE; mv $FILE.real $FILE",
			"is a link"},
		{"a container mounts it", "docker run -d --name peer -v $FILE:/x app:1",
			"docker rm -f peer", "the container peer mounts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := "FILE=" + x.configFile() + "; "
			was, other := x.config(t), x.started(t, x.other)
			x.shell(t, set+c.before)
			r := x.dropcap(t, x.args()...)
			x.shell(t, set+c.after)
			if r.status != dropcap.ExitIncomplete || !strings.Contains(r.err, c.says) {
				t.Errorf("%v", r)
			}
			x.lentBack(t, "refused,", was)
			if got := x.started(t, x.other); got != other {
				t.Errorf("the other one was %s, is %s", other, got)
			}
		})
	}
}

// dropcap is killed while live-restore is lent: recover puts the engine's configuration back as
// well.
func TestInPlaceKilledWhileLiveRestoreIsLent(t *testing.T) {
	x := newSwitchable(t, crashStage(t, dockertest.Docker20))
	was, inspect, other, held := x.file(t), x.inspect(t, x.web, ""), x.started(t, x.other),
		x.bounding(t)
	config := x.config(t)
	points := []string{"after:write-config", "after:stop-engine", "after:unset-config",
		"before:restore-config"}
	if full {
		points = nil
		for _, n := range []string{"note-live-restore", "write-config", "reload-engine",
			"stop-engine", "write-file", "start-engine", "unset-config",
			"reload-engine-off", "restore-config", "restart-new", "note-checking"} {
			points = append(points, "before:"+n, "after:"+n)
		}
	}
	for _, where := range points {
		t.Run(where, func(t *testing.T) {
			args := x.args()
			cmd := x.command(args...)
			cmd.Env = append(slices.Clone(x.env), "DROPCAP_FAULT="+where+"=kill",
				"DROPCAP_WATCH=off")
			if r := x.wait(t, cmd, args); r.status != -1 {
				t.Fatalf("it was not killed: %v", r)
			}
			if now, _ := os.ReadFile(x.configFile()); where == "after:stop-engine" &&
				!strings.Contains(string(now), `"live-restore": true`) {
				t.Errorf("live-restore was not lent: %s", now)
			}
			if r := x.dropcap(t, "recover"); r.status != dropcap.ExitOK {
				t.Fatalf("recover: %v", r)
			}
			x.lentBack(t, "recovered,", config)
			if h := x.history(t); len(h) > 0 && h[0].State == dropcap.Applied {
				if r := x.dropcap(t, "backout", "--last", "--yes"); r.status != dropcap.ExitOK {
					t.Fatalf("backout: %v", r)
				}
			}
			x.same(t, "afterwards", was, inspect, other, held)
			x.lentBack(t, "afterwards", config)
		})
	}
}
