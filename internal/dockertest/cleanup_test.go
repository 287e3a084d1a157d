package dockertest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap/internal/testenv"
)

// victim is the environment variable that makes this test program start an engine with a busy
// container, print its traces, and wait to be killed.
const victim = "DROPCAP_TEST_VICTIM"

func TestMain(m *testing.M) {
	if kind := os.Getenv(victim); kind != "" {
		if err := beVictim(Kind(kind)); err != nil {
			fmt.Println("error:", err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func beVictim(kind Kind) error {
	e, _, err := StartMain(kind)
	if err != nil {
		return err
	}
	if _, err := e.Import("box:1"); err != nil {
		return err
	}
	// One container that would come back, one that is frozen.
	for _, name := range []string{"again", "frozen"} {
		id, err := e.create(name,
			`{"Image":"box:1","Cmd":["sh","-c","sleep 1000 & sleep 1001"],"HostConfig":{"RestartPolicy":{"Name":"always"}}}`)
		if err != nil {
			return err
		}
		ctx, cancel := callContext()
		defer cancel()
		for _, op := range map[string][]string{"again": {"start"},
			"frozen": {"start", "pause"}}[name] {
			if err := e.call(ctx, "POST", "/containers/"+id+"/"+op, "", nil); err != nil {
				return err
			}
		}
	}
	supervisor := e.keeper.PID()
	fmt.Println("ready", e.CgroupName, supervisor)
	// until it is killed, or the test that started it has ended
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// A killed test process leaves nothing of its engine behind.
func TestKilledTestLeavesNothing(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			cmd, id, _ := startVictim(t, kind)
			// A search that finds nothing would prove nothing. Processes appear a moment after the
			// engine's answer.
			Eventually(t, time.Minute, "traces of the running engine "+id, func() bool {
				return len(traces(id)) >= 10
			})
			began := time.Now()
			cmd.Process.Kill()
			cmd.Wait()
			Eventually(t, time.Minute, "end of the engine "+id, func() bool {
				return len(traces(id)) == 0
			})
			t.Logf("gone after %v", time.Since(began).Round(time.Millisecond))
		})
	}
}

// If the supervisor is killed too, the next start cleans up.
func TestNextStartSweepsUp(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			// In a folder of its own: tests of other packages start engines at the same time, and
			// clean up too.
			own, err := os.MkdirTemp("/tmp", "dcs-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(own) })
			t.Setenv("TMPDIR", own)
			cmd, id, supervisor := startVictim(t, kind)
			if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			cmd.Process.Kill()
			cmd.Wait()
			Eventually(t, 10*time.Second, "end of the supervisor", func() bool {
				return syscall.Kill(supervisor, 0) == syscall.ESRCH
			})
			if len(traces(id)) == 0 {
				t.Fatal("nothing was left to sweep up: the test shows nothing")
			}
			Start(t, kind)
			for _, trace := range traces(id) {
				t.Errorf("left behind: %s", trace)
			}
		})
	}
}

func startVictim(t *testing.T, kind Kind) (cmd *exec.Cmd, id string, supervisor int) {
	t.Helper()
	testenv.Need(t, kind.Needs()...)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+string(kind))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[0] != "ready" {
		t.Fatalf("victim says %q", line)
	}
	supervisor, err = strconv.Atoi(fields[2])
	if err != nil {
		t.Fatal(err)
	}
	return cmd, fields[1], supervisor
}
