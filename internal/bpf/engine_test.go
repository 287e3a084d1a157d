package bpf

import (
	"os"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// Engines with runc 1.1 and runc 1.3: each makes hundreds of checks of its own in the container's
// cgroup before the container's program begins, and none of them may be counted. A program that
// lives for milliseconds must be.
func TestEngineContainersOfMillisecondsAreAttributed(t *testing.T) {
	kinds := []dockertest.Kind{dockertest.Docker20}
	if os.Getenv("DROPCAP_TEST_FULL") == "1" {
		kinds = append(kinds, dockertest.Docker29)
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) { milliseconds(t, kind) })
	}
}

func milliseconds(t *testing.T, kind dockertest.Kind) {
	e := dockertest.Start(t, kind)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	tr := start(t, Options{})
	bodies := map[string]string{
		"default":   `{"Image":"app:1","Cmd":["chown","1","/tmp"]}`,
		"host PIDs": `{"Image":"app:1","Cmd":["chown","1","/tmp"],"HostConfig":{"PidMode":"host"}}`,
	}
	if kind == dockertest.Docker29 {
		bodies["privileged"] =
			`{"Image":"app:1","Cmd":["chown","1","/tmp"],"HostConfig":{"Privileged":true}}`
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			id := e.Create(t, "", body)
			e.StartContainer(t, id)
			if code := e.WaitExit(t, id); code != 0 {
				t.Fatalf("the container ended with %d", code)
			}
			only(t, checksOf(t, tr, id), caps.Chown)
		})
	}
}

// checksOf finds a container's checks by the sighting of its name.
func checksOf(t *testing.T, tr *Tracer, id string) []dropcap.KernelCheck {
	t.Helper()
	sightings, err := tr.Sightings()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(sightings, func(s Sighting) bool { return strings.Contains(s.Name, id) })
	if i < 0 {
		t.Fatalf("%s is not in %+v", id, sightings)
	}
	all, _, err := tr.Checks()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(c dropcap.KernelCheck) bool {
		return c.Cgroup != sightings[i].Cgroup
	})
}

// only expects one granted check of the capability by the program, and otherwise only the kernel's
// check of SYS_ADMIN on memory allocation.
func only(t *testing.T, list []dropcap.KernelCheck, want caps.Cap) {
	t.Helper()
	var n uint64
	for _, c := range list {
		if c.Exe.Path != "/bin/busybox" || c.Origin != dropcap.OriginInit {
			t.Errorf("not the container's program: %+v", c)
		}
		switch {
		case c.Cap == want && c.Granted && c.OwnCred:
			n += c.Count
		case c.Cap == caps.SysAdmin && slices.ContainsFunc(c.Frames, func(f string) bool {
			return strings.Contains(f, "vm_enough_memory")
		}):
		case !c.OwnCred: // overlayfs checks with the mounter's credentials
		default:
			t.Errorf("a check that the program does not make: %+v", c)
		}
	}
	if n != 1 {
		t.Errorf("%v was counted %d times, want 1: %+v", want, n, list)
	}
}

func TestEngineExecsAreToldFromTheContainersOwn(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	tr := start(t, Options{})
	id := e.RunContainer(t, "",
		`{"Image":"app:1","Cmd":["sh","-c","chown 1 /tmp; while :; do sleep 1; done"]}`)
	e.Exec(t, id, dockertest.ExecOptions{Cmd: []string{"sh", "-c", "mknod /tmp/d c 1 3"}})
	origins := map[caps.Cap]string{}
	for _, c := range checksOf(t, tr, id) {
		if c.OwnCred && c.Granted && c.Exe.Path == "/bin/busybox" {
			origins[c.Cap] = c.Origin
		}
	}
	if origins[caps.Chown] != dropcap.OriginInit || origins[caps.Mknod] != dropcap.OriginExec {
		t.Errorf("origins %v", origins)
	}
}
