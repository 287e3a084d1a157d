package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"encoding/json"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// Six containers that take long to stop are restarted in parallel. The recording's time begins when
// the last one is up, so that each one's start is recorded; one that does not come back is named at
// once, and in the result.
func TestARestartSeesEveryContainerStart(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	source := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(source, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, more ...string) {
		args := append([]string{"run", "-d", "--name", name, "--stop-timeout", "4"}, more...)
		s.docker(append(args, "app:1", "sh", "-c",
			`trap "" TERM; chown 1 /tmp; while :; do sleep 1; done`)...)
	}
	names := []string{"app", "broken", "cache", "db", "vpn", "web"}
	run("vpn")
	run("app", "--network", "container:vpn")
	run("broken", "--mount", "type=bind,source="+source+",target=/file")
	for _, name := range []string{"cache", "db", "web"} {
		run(name)
	}
	if err := os.Remove(source); err != nil { // without it the engine cannot start it again
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.Binary(t),
		append([]string{"learn", "--restart", "--yes", "--for", "2s", "--format", "json", "--store",
			s.folder}, names...)...)
	cmd.Env = append(os.Environ(), e.Env()...)
	var out, said heard
	cmd.Stdout, cmd.Stderr = &out, &said
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != 1 {
		t.Errorf("exit status %d: %s", got, said.String())
	}
	for _, want := range []string{"warning: broken did not come back",
		"warning: not seen starting: broken;", "error: cannot restart broken"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q: %s", want, said.String())
		}
	}
	document, _, _ := strings.Cut(out.String(), "\n{\"error\"")
	found := evidenceIn(t, document)
	for _, name := range names {
		src := found[name].Sources
		if name == "broken" {
			continue
		}
		if len(src) != 1 || src[0].StartsWarm != 1 || src[0].Stops != 1 {
			t.Errorf("%s: %+v", name, src)
		}
	}
	var doc dropcap.Evidence
	if err := json.Unmarshal([]byte(document), &doc); err != nil ||
		!slices.Equal(doc.NotStarted, []string{"broken"}) {
		t.Errorf("not started: %v, %v", doc.NotStarted, err)
	}
}
