package dockertest

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
)

const sleeper = `{"Image":"box:1","Cmd":["sleep","1000"]}`

func startWithImage(t *testing.T, kind Kind, opts ...Option) *Engine {
	t.Helper()
	e := Start(t, kind, opts...)
	if _, err := e.Import("box:1"); err != nil {
		t.Fatal(err)
	}
	return e
}

// With live-restore a container outlives its engine's death and restart, with its pid.
func TestLiveRestoreKeepsContainers(t *testing.T) {
	for _, kind := range []Kind{Docker20, Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			e := startWithImage(t, kind, LiveRestore())
			id := e.RunContainer(t, "web", sleeper)
			pid, engine := e.State(t, id).Pid, e.PID
			if err := e.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := e.Raw(t.Context(), http.MethodGet, "/_ping", ""); err == nil ||
				e.PID != 0 {
				t.Error("a killed engine answers")
			}
			if processName(pid) != "sleep" {
				t.Error("the container did not outlive its engine")
			}
			if err := e.Revive(); err != nil {
				t.Fatal(err)
			}
			if err := e.Restart(); err != nil {
				t.Fatal(err)
			}
			if now := e.State(t, id); !now.Running || now.Pid != pid {
				t.Errorf("after a restart the container is %+v, want pid %d", now, pid)
			}
			if e.PID == engine {
				t.Error("the restarted engine has its old pid")
			}
		})
	}
}

// Without live-restore a restart of the engine stops its containers.
func TestRestartStopsContainers(t *testing.T) {
	e := startWithImage(t, Docker20)
	id := e.RunContainer(t, "web", `{"Image":"box:1","Cmd":["sleep","1000"],"StopTimeout":1}`)
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	if s := e.State(t, id); s.Running {
		t.Errorf("the container still runs: %+v", s)
	}
}

// With UsernsRemap a container's root is an unprivileged user of the host, and the
// host's own user files are not touched.
func TestUsernsRemap(t *testing.T) {
	before, _ := os.ReadFile("/etc/subuid")
	for _, kind := range []Kind{Docker20, Docker29} {
		t.Run(string(kind), func(t *testing.T) {
			e := startWithImage(t, kind, UsernsRemap())
			pid := e.State(t, e.RunContainer(t, "web", sleeper)).Pid
			uids, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/uid_map")
			if got := strings.Fields(string(uids)); len(got) != 3 || got[0] != "0" ||
				got[1] != strconv.Itoa(RemapBase) {
				t.Errorf("uid_map is %v, want 0 at %d", got, RemapBase)
			}
			if after, _ := os.ReadFile("/etc/subuid"); string(after) != string(before) {
				t.Error("/etc/subuid of the host has changed")
			}
		})
	}
}

// Podman's default capabilities are those of the option.
func TestDefaultCapabilities(t *testing.T) {
	for name, tc := range map[string]struct {
		opts []Option
		want string // CapBnd
	}{
		"Debian's": {nil, "00000000800405fb"},
		"two":      {[]Option{DefaultCapabilities("CHOWN", "CAP_NET_RAW")}, "0000000000002001"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startWithImage(t, Podman4, tc.opts...)
			pid := e.State(t, e.RunContainer(t, "web", sleeper)).Pid
			status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
			if !strings.Contains(string(status), "CapBnd:\t"+tc.want) {
				t.Errorf("want CapBnd %s in\n%s", tc.want, status)
			}
		})
	}
}

// Engine 29 runs privileged containers and privileged execs even if the host lacks
// CAP_SYS_RESOURCE.
func TestPrivilegedRunsOn29(t *testing.T) {
	e := startWithImage(t, Docker29)
	full, _ := os.ReadFile("/proc/self/status")
	_, want, _ := strings.Cut(string(full), "CapBnd:")
	want = strings.Fields(want)[0]
	for what, pid := range map[string]int{
		"container": e.State(t,
			e.RunContainer(t, "priv",
				`{"Image":"box:1","Cmd":["sleep","1000"],"HostConfig":{"Privileged":true}}`)).Pid,
		"exec": e.ExecDetached(t, e.RunContainer(t, "plain", sleeper),
			ExecOptions{Privileged: true, Cmd: []string{"sleep", "1000"}}),
	} {
		status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if !strings.Contains(string(status), "CapBnd:\t"+want) {
			t.Errorf("privileged %s: want CapBnd %s in\n%s", what, want, status)
		}
	}
}

// The CLI talks to this engine and no other, and Compose is at hand.
func TestCLI(t *testing.T) {
	e := startWithImage(t, Docker20)
	id := e.RunContainer(t, "web", sleeper)
	if out, err := e.CLI("ps", "--no-trunc", "--quiet"); err != nil ||
		strings.TrimSpace(out) != id {
		t.Errorf("docker ps printed %q (%v), want %s", out, err, id)
	}
	testenv.Need(t, testenv.Docker26) // Compose comes with it
	if out, err := e.CLI("compose", "version", "--short"); err != nil ||
		!strings.HasPrefix(out, "2.26.") {
		t.Errorf("docker compose version printed %q (%v), want 2.26", out, err)
	}
	if _, err := e.CLI("inspect", "nonesuch"); err == nil ||
		!strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("docker inspect nonesuch: error %v, want its stderr", err)
	}
}

// Many containers start quickly, and the bulk helpers lose none.
func TestMany(t *testing.T) {
	e := startWithImage(t, Docker20)
	began := time.Now()
	ids := e.CreateMany(t, "c", 100, sleeper)
	t.Logf("100 created in %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	e.StartAll(t, ids[:20])
	t.Logf("20 started in %v", time.Since(began).Round(time.Millisecond))
	_, answer, err := e.Raw(t.Context(), http.MethodGet, "/containers/json?all=1", "")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ ID, State string }
	if err := json.Unmarshal(answer, &list); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range list {
		count[c.State]++
	}
	if count["running"] != 20 || count["created"] != 80 {
		t.Errorf("there are %v, want 20 running and 80 created", count)
	}
	began = time.Now()
	e.RemoveAll(t, ids[:50])
	t.Logf("50 removed in %v", time.Since(began).Round(time.Millisecond))
}
