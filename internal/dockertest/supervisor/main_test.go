package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

func TestMain(m *testing.M) {
	if os.Getenv("DROPCAP_TEST_RUN_MAIN") == "1" {
		main()
	}
	os.Exit(m.Run())
}

func supervisor(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DROPCAP_TEST_RUN_MAIN=1")
	return cmd
}

func TestCommandSeesTheEngineAndItsExitCodeIsPassedOn(t *testing.T) {
	testenv.Need(t, dockertest.Docker20.Needs()...)
	script := `echo "${DOCKER_HOST#unix://}"; test -S "${DOCKER_HOST#unix://}" || exit 9; exit 7`
	out, err := supervisor("--kind", "docker20", "--image", "box:1", "--", "sh", "-c", script).
		Output()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 7 {
		t.Errorf("ended with %v, want 7; printed %s", err, out)
	}
	assertGone(t, strings.TrimSpace(string(out)))
}

func TestKilledSupervisorTakesCommandAndEngineAlong(t *testing.T) {
	testenv.Need(t, dockertest.Docker20.Needs()...)
	note := filepath.Join(t.TempDir(), "note")
	cmd := supervisor("--", "sh", "-c", `echo "$$ ${DOCKER_HOST#unix://}" >`+note+`.new; mv `+note+
		`.new `+note+`; exec sleep 100`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var fields []string
	dockertest.Eventually(t, time.Minute, "command under the supervisor", func() bool {
		text, _ := os.ReadFile(note)
		fields = strings.Fields(string(text))
		return len(fields) == 2
	})
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()
	dockertest.Eventually(t, 10*time.Second, "end of the command", func() bool {
		comm, _ := os.ReadFile("/proc/" + fields[0] + "/cmdline")
		return len(comm) == 0 // gone, or a zombie of init's
	})
	assertGone(t, fields[1])
}

func TestWrongUseIsExplained(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--kind", "docker19", "--", "true"}, "no such kind; choose from"},
		{nil, "no command given"},
	} {
		out, err := supervisor(tc.args...).CombinedOutput()
		var status *exec.ExitError
		if !errors.As(err, &status) || status.ExitCode() != engineTrouble ||
			!strings.Contains(string(out), tc.want) {
			t.Errorf("%v: %v, %s", tc.args, err, out)
		}
	}
}

func assertGone(t *testing.T, socket string) {
	t.Helper()
	if !strings.HasSuffix(socket, "/d.sock") {
		t.Fatalf("%q is no engine's socket", socket)
	}
	dockertest.Eventually(t, 10*time.Second, "end of the engine", func() bool {
		_, err := os.Stat(filepath.Dir(socket))
		return os.IsNotExist(err)
	})
}
