package bpf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// A program counts as the image's only if path, inode and content are the image's own, however
// short it lives and whatever becomes of its file afterwards.
func TestEngineOnlyTheImagesProgramsAreTheImages(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	tr := start(t, Options{})
	volume := t.TempDir()
	if err := os.Chmod(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	const plant = "cp /bin/busybox %[1]s/chown && %[1]s/chown 1 /tmp && rm %[1]s/chown"
	for _, c := range []struct{ name, script, want string }{
		{"the image's own", "/bin/chown 1 /tmp", dropcap.FromImage},
		{"the image's own, through its own mount",
			"mkdir /mnt && mount --bind /bin /mnt && /mnt/chown 1 /tmp", dropcap.FromImage},
		{"written and unlinked", fmt.Sprintf(plant, "/tmp"), dropcap.FromWritten},
		{"written where the image has one",
			"cp /bin/busybox /tmp/b && mv /tmp/b /bin/busybox && /bin/chown 1 /tmp",
			dropcap.FromWritten},
		{"changed in place", "chmod 711 /bin/busybox && /bin/chown 1 /tmp", dropcap.FromWritten},
		{"another name for the image's", "ln /bin/busybox /tmp/chown && /tmp/chown 1 /tmp",
			dropcap.FromWritten},
		{"in /dev", fmt.Sprintf(plant, "/dev"), dropcap.FromMemory},
		{"in /dev/shm", "mount -o remount,exec /dev/shm; " + fmt.Sprintf(plant, "/dev/shm"),
			dropcap.FromMemory},
		{"in a tmpfs", fmt.Sprintf(plant, "/scratch"), dropcap.FromMemory},
		{"in a volume", fmt.Sprintf(plant, "/named"), dropcap.FromVolume},
		{"in a folder of the host", fmt.Sprintf(plant, "/bound"), dropcap.FromVolume},
		{"in an overlay of its own",
			"mkdir /scratch/l /scratch/u /scratch/w /mnt && cp /bin/busybox /scratch/l/chown && " +
				"mount -t overlay -o lowerdir=/scratch/l,upperdir=/scratch/u,workdir=/scratch/w " +
				"none " +
				"/mnt && /mnt/chown 1 /tmp", dropcap.FromVolume},
		{"in a root of its own",
			"cp /bin/busybox /scratch/busybox && mkdir /scratch/bin /scratch/tmp && ln -s " +
				"/busybox /scratch/bin/sh && " +
				"chroot /scratch /busybox chown 1 /tmp", dropcap.FromMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := map[string]any{
				"Tmpfs": map[string]string{"/scratch": "exec"},
				"Binds": []string{volume + ":/bound"}, "CapAdd": []string{"SYS_ADMIN"},
				"SecurityOpt": []string{"seccomp=unconfined", "apparmor=unconfined"},
			}
			body, _ := json.Marshal(map[string]any{
				"Image": "app:1", "Cmd": []string{"sh", "-ec", c.script},
				"Volumes": map[string]any{"/named": map[string]any{}}, "HostConfig": host,
			})
			id := e.Create(t, "", string(body))
			e.StartContainer(t, id)
			if code := e.WaitExit(t, id); code != 0 {
				t.Fatalf("the container ended with %d", code)
			}
			if got := chownsFrom(checksOf(t, tr, id)); len(got) != 1 || got[0] != c.want {
				t.Errorf("its chown comes from %q, want %q", got, c.want)
			}
		})
	}
}

// chownsFrom returns where the programs that used CHOWN come from.
func chownsFrom(list []dropcap.KernelCheck) (from []string) {
	for _, c := range list {
		if c.Cap == caps.Chown && c.Granted && c.OwnCred && !slices.Contains(from, c.Exe.From) {
			from = append(from, c.Exe.From)
		}
	}
	return from
}

// A recording that begins after the container knows its programs too.
func TestEngineProvenanceIsKnownOfContainersThatRanBefore(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	image := e.RunContainer(t, "",
		`{"Image":"app:1","Cmd":["sh","-c","while :; do chown 1 /tmp; sleep 0.1; done"]}`)
	planted := e.RunContainer(t, "",
		`{"Image":"app:1","Cmd":["sh","-c","cp /bin/busybox /tmp/chown; while :; do /tmp/chown 1 /tmp; sleep 0.1; done"]}`)
	tr := start(t, Options{})
	want, got := map[string]string{image: dropcap.FromImage, planted: dropcap.FromWritten},
		map[string]string{}
	cgroups := map[uint64]string{}
	dockertest.Eventually(t, 20*time.Second, "a check of each", func() bool {
		sightings, err := tr.Sightings()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sightings {
			cgroups[s.Cgroup] = s.Name
		}
		all, _, err := tr.Checks()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Cap == caps.Chown && c.Granted && c.OwnCred {
				got[cgroups[c.Cgroup]] = c.Exe.From
			}
		}
		return got[image] != "" && got[planted] != ""
	})
	if got[image] != want[image] || got[planted] != want[planted] {
		t.Errorf("from %v, want %v", got, want)
	}
}

// On a file system without layers, a file is original if it has not changed since the container
// started.
func TestProvenanceOfARootWithoutLayersGoesByTheLastChange(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	b.run("setuid0 copy")
	list := b.expect(tr, map[string]uint64{"SETUID setuid current granted": 1,
		"SETGID setgid current granted": 2})
	for call, old := range map[caps.Cap]bool{caps.Setuid: true, caps.Setgid: false} {
		for _, c := range find(list, call, strings.ToLower(call.Short())) {
			if c.Exe.From == dropcap.FromImage || c.Exe.Old != old {
				t.Errorf("%s by %+v, want old %v", call, c.Exe, old)
			}
		}
	}
}

// Each kernel shows whether a file of an overlay has a part in the upper layer.
func TestProvenanceInAnOverlayGoesByItsLayers(t *testing.T) {
	tr, b := start(t, Options{}), newBox(t)
	root := layered(t)
	for _, step := range []struct {
		name, program string
		before        func() error
		want          string
	}{
		{"in a lower layer", "/actor", func() error { return nil }, dropcap.FromImage},
		{"copied up", "/actor", func() error {
			return os.Chmod(filepath.Join(root, "actor"), 0o711)
		}, dropcap.FromWritten},
		{"made in the upper", "/made", func() error {
			return copyFile(self(t), filepath.Join(root, "made"))
		}, dropcap.FromWritten},
	} {
		if err := step.before(); err != nil {
			t.Fatal(err)
		}
		cmd := b.command(step.program, "setuid0")
		cmd.SysProcAttr.Chroot, cmd.Dir = root, "/"
		finish(t, cmd)
		_, list := b.counts(tr)
		mine := func(c dropcap.KernelCheck) bool {
			return c.Syscall == "setuid" && strings.HasSuffix(c.Exe.Path, step.program) &&
				c.Exe.From == step.want
		}
		if !slices.ContainsFunc(list, mine) {
			t.Errorf("%s: %+v", step.name, list)
		}
	}
}

// layered mounts an overlay whose lower layer has this program as "actor"; the libraries that it
// needs are mounted.
func layered(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"lower", "upper", "work", "root"} {
		if err := os.Mkdir(at(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyFile(self(t), at("lower/actor")); err != nil {
		t.Fatal(err)
	}
	options := "lowerdir=" + at("lower") + ",upperdir=" + at("upper") + ",workdir=" + at("work")
	if err := unix.Mount("overlay", at("root"), "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at("root"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for _, libraries := range []string{"lib", "lib64", "usr/lib"} {
		on := filepath.Join(at("root"), libraries)
		if _, err := os.Stat("/" + libraries); err != nil {
			continue
		}
		if err := errors.Join(os.MkdirAll(on, 0o755), unix.Mount("/"+libraries, on, "",
			unix.MS_BIND, "")); err != nil {
			t.Fatal(err)
		}
	}
	return at("root")
}

func copyFile(from, to string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, program, 0o755)
}
