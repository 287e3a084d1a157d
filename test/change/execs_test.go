package change_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
)

// transcript holds what a program has printed so far.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// What docker exec runs ends with its container, so a short one is waited for. The corpus of
// refusals has a permanent one ("an exec at work").
func TestAShortExecIsWaitedFor(t *testing.T) {
	s := newStage(t, dockertest.Docker29)
	s.shell(t, `docker run -d --name web app:1`)
	// It ends when the file exists.
	s.shell(t, `docker exec -d web sh -c 'until test -e /tmp/go; do sleep 0.1; done; sleep 0.5'
		until docker top web | grep -q /tmp/go; do sleep 0.1; done`)
	planned := s.dropcap(t, "plan", "web")
	if planned.status != dropcap.ExitFindings ||
		!strings.Contains(planned.out, "a docker exec runs in it") {
		t.Errorf("the plan says nothing of it: %v", planned)
	}
	cmd := s.command("apply", "web", "--yes", "--soak", "0s", "--no-watch")
	said := &transcript{}
	cmd.Stderr, cmd.Stdout = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dockertest.Eventually(t, time.Minute, "wait for the exec", func() bool {
		return strings.Contains(said.String(),
			"waiting for what docker exec runs in web to end, at most 30 s")
	})
	if got := s.shell(t, `docker ps --format '{{.Names}}'`); strings.TrimSpace(got) != "web" {
		t.Errorf("while it waits there are %q", got)
	}
	s.shell(t, `docker exec web touch /tmp/go`)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if got := s.shell(t,
		`docker inspect --format '{{.HostConfig.CapDrop}}' web`); !strings.Contains(got,
		"NET_RAW") {
		t.Errorf("web drops %s\n%s", got, said)
	}
}

// The engine mounts the shared memory of such a container where the host sees it: that is no sign
// that a process on the host runs in the container.
func TestAContainerWithShareableIPCIsChangedFromItsHost(t *testing.T) {
	s := newStage(t, dockertest.Docker20, dockertest.Config("default-ipc-mode", "shareable"))
	s.shell(t, `docker run -d --name web app:1; docker run -d --name asked --ipc shareable app:1`)
	there := strings.Fields(s.there(t))
	for _, name := range []string{"web", "asked"} {
		id := s.shell(t, "docker inspect --format '{{.Id}}' "+name)
		s.shell(t, strings.Join(there, " ")+" grep -q /containers/"+id+
			"/mounts/shm /proc/self/mountinfo")
		args := []string{"apply", name, "--yes", "--soak", "0s", "--no-watch"}
		cmd := s.command(args...)
		cmd.Args = append(there, append([]string{s.program}, cmd.Args[1:]...)...)
		cmd.Path = "/usr/bin/nsenter"
		if r := s.wait(t, cmd, args); r.status != dropcap.ExitOK {
			t.Errorf("%s: %v", name, r)
		}
	}
}
