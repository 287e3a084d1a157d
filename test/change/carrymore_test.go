package change_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/dockertest"
)

// A program that writes all the time, also by mmap, is carried to its last byte: between the proof
// and the start of the new one both layers are the same.
func TestAWriterIsCarriedToItsLastByte(t *testing.T) {
	kinds := []dockertest.Kind{dockertest.Docker20, dockertest.Docker29}
	if !full {
		kinds = kinds[1:]
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := crashStage(t, kind)
			r := s.rig(t, "web", "no")
			r.shell(t, "docker rm -f web")
			r.old = r.shell(t, "docker run -d --name web --env WRITES=/srv/w app:1")
			dockertest.Eventually(t, endsWithin, "a writer at work", func() bool {
				return strings.Count(r.file(t, "web", "/srv/w/log"), "\n") > 20
			})
			cmd, said := r.stopped(t, applies, "before:start-new")
			before := told(t, r.upper(t, r.old))
			if !strings.Contains(r.file(t, r.old, "/srv/w/log"), "end\n") {
				t.Error("the old one was not let end")
			}
			new := strings.TrimSpace(r.shell(t, "docker ps -aq --no-trunc --filter name='^/?web$'"))
			if got := told(t, r.upper(t, new)); new == r.old || got != before {
				t.Errorf("the new layer differs: %s", firstDifference(before, got))
			}
			goOn(cmd)
			if e := r.end(t, cmd, said, "apply"); e.status != dropcap.ExitOK {
				t.Fatal(e)
			}
			if a, b := r.file(t, r.old, "/srv/w/log"),
				r.file(t, "web", "/srv/w/log"); !strings.HasPrefix(b, a) {
				t.Error("the new one does not go on where the old one ended")
			}
			// What the new one has written since is told, and stays.
			e := r.dropcap(t, "backout", "web", "--yes")
			h := r.history(t)[0]
			if e.status != dropcap.ExitOK ||
				!strings.Contains(e.err, "its own layer holds /srv/w/") || h.Retained() != new {
				t.Errorf("retained is %.12s: %v", h.Retained(), e)
			}
			if got := told(t, r.upper(t, new)); !strings.Contains(got, "srv/w/log") {
				t.Errorf("what the new one has written is gone: %s", got)
			}
		})
	}
}

// Once the old container is pruned, its data live in the new one's layer only: a backout has them,
// and all that was written since.
func TestABackoutAfterAPruneLosesNothing(t *testing.T) {
	s := crashStage(t, dockertest.Docker29)
	for _, fault := range []string{"", "before:carry-again=kill", "after:carry-again=kill"} {
		t.Run(fault, func(t *testing.T) {
			r := s.rig(t, "web", "always")
			r.ready(t, backsOut)
			r.shell(t, "docker exec web sh -c 'echo since >/srv/since; rm /etc/group'")
			if e := r.dropcap(t, "prune", "--older-than", "0s",
				"--yes"); e.status != dropcap.ExitOK {
				t.Fatal(e)
			}
			e := r.do(t, backsOut, fault)
			if fault != "" {
				e = r.recover(t)
			}
			if h := r.history(t)[0]; e.status != dropcap.ExitOK || h.State != dropcap.BackedOut {
				t.Errorf("%s: %v", h.State, e)
			}
			got := r.shell(t, "docker exec web sh -c 'cat /srv/mark /srv/since; ls /etc'; docker "+
				"inspect --format '{{.HostConfig.CapDrop}}' web")
			if !strings.HasPrefix(got, "data\nsince\n") || strings.Contains(got, "group") ||
				strings.Contains(got, "NET_RAW") {
				t.Errorf("the old one, made again, has %q", got)
			}
			if all := r.list(t); len(all) != 1 {
				t.Errorf("there are %d containers", len(all))
			}
		})
	}
}

// A disk without room is found before anything stops: by the plan, by the copy, or, where the last
// bytes fill it, in time to go back.
func TestAFullDiskIsFoundBeforeAnythingStops(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(disk, 0o711), unix.Mount("tmpfs", disk, "tmpfs", 0, "size=320m"))
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s := crashStage(t, dockertest.Docker20,
		dockertest.Config("data-root", filepath.Join(disk, "data")))
	full := filepath.Join(disk, "full")
	fill := func(leave int64) {
		t.Helper()
		must(t, os.RemoveAll(full))
		var fs unix.Statfs_t
		must(t, unix.Statfs(disk, &fs),
			os.WriteFile(full, make([]byte, int64(fs.Bavail)*fs.Bsize-leave), 0o600))
	}
	write := func(r *rig, name string, mib int) {
		t.Helper()
		r.shell(t, fmt.Sprintf("docker exec %s dd if=/dev/urandom of=/srv/%s bs=1M count=%d",
			r.name, name, mib))
	}
	for name, try := range map[string]func(t *testing.T, r *rig) ended{
		"seen by the plan": func(t *testing.T, r *rig) ended {
			fill(90 << 20)
			return r.do(t, applies, "")
		},
		"seen by the copy": func(t *testing.T, r *rig) ended {
			cmd, said := r.stopped(t, applies, "before:carry-layer")
			fill(90 << 20)
			goOn(cmd)
			return r.end(t, cmd, said, "apply")
		},
		"seen at the end": func(t *testing.T, r *rig) ended {
			cmd, said := r.stopped(t, applies, "before:stop-old")
			write(r, "more", 30)
			fill(70 << 20)
			goOn(cmd)
			return r.end(t, cmd, said, "apply")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.rig(t, "web", "always")
			t.Cleanup(func() { os.Remove(full) })
			write(r, "big", 40)
			var before, after struct{ State struct{ StartedAt string } }
			r.Inspect(t, r.old, &before)
			e := try(t, r)
			r.Inspect(t, r.old, &after)
			want, says := dropcap.ExitRolledBack, "the disk has no room for it"
			if name == "seen by the plan" {
				want, says = dropcap.ExitIncomplete, "its disk has room for"
			}
			if e.status != want || !strings.Contains(e.err, says) ||
				!strings.Contains(e.err, "make room") {
				t.Errorf("want status %d and %q: %v", want, says, e)
			}
			if name != "seen at the end" && before != after {
				t.Errorf("the old one was stopped: %v", e)
			}
			r.whole(t)
		})
	}
}

// Whoever is asked to carry much, and interrupts it, has stopped nothing.
func TestACopyCanBeInterrupted(t *testing.T) {
	s := crashStage(t, dockertest.Docker20)
	r := s.rig(t, "web", "always")
	cmd, said := r.stopped(t, applies, "before:carry-layer")
	must(t, cmd.Process.Signal(os.Interrupt), cmd.Process.Signal(syscall.SIGCONT))
	e := r.end(t, cmd, said, "apply")
	if e.status != dropcap.ExitInterrupt || !strings.Contains(e.err, "nothing was stopped") {
		t.Errorf("%v", e)
	}
	r.whole(t)
}
