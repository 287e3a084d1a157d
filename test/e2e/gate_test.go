package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// lookaround is the case against which the gate is tested: a supervisor starts workers that give up
// everything to become another user, and then look into a folder of root's, as does a program whose
// HOME is /root. That is denied whatever the container holds.
const lookaround = `while :; do su -s /bin/sh web -c 'while :; do ls /root 2>/dev/null; sleep 1; done'; sleep 1; done`

// The gate counts what a process was denied that the old container would have been granted, and
// nothing else.
func TestTheGateTellsWhatWasGivenUpFromWhatIsMissed(t *testing.T) {
	testenv.Need(t, testenv.BTF)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, keep, said string
		status           int
	}{
		{"works", "CAP_SETUID, CAP_SETGID", "", 0},
		// no worker can become its user any more, and the supervisor lives
		{"broken", "CAP_CHOWN", "needed CAP_SETGID", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stage{t, e, filepath.Join(t.TempDir(), "store")}
			s.docker("run", "-d", "--name", c.name, "--stop-timeout", "1", "app:1", "sh", "-c",
				lookaround)
			policy := filepath.Join(t.TempDir(), "policy.yaml")
			text := fmt.Sprintf("keep:\n  - containers: {name: %s}\n    capabilities: [%s]\n    "+
				"reason: its workers become another user\n", c.name, c.keep)
			if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			said := s.dropcap(c.status, "apply", c.name, "--yes", "--level", "least", "--accept",
				"low", "--policy", policy)
			if !strings.Contains(said, c.said) {
				t.Errorf("it does not say %q: %s", c.said, said)
			}
		})
	}
}

// While a container runs again its inspect reports 0, whatever its last exit status; the engine's
// events have it.
func TestTheGateTellsWhatARestartingContainerHadEndedWith(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	s.docker("run", "-d", "--name", "moody", "--restart", "always", "--stop-timeout", "1", "app:1",
		"sh", "-c",
		// 14 defaults, NET_RAW among them
		`grep -q 'CapBnd.*a80425fb' /proc/self/status && exec sleep 3600; sleep 1; exit 7`)
	if said := s.dropcap(4, "apply", "moody", "--yes", "--no-watch"); !strings.Contains(said,
		"it restarts by itself (last exit status 7)") {
		t.Errorf("it does not say how: %s", said)
	}
}
