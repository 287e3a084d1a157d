package dockertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEngine checks what every engine must do.
func TestEngine(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			began := time.Now()
			e := Start(t, kind)
			t.Logf("%s API %s up in %v", e.Version, e.APIVersion,
				time.Since(began).Round(time.Millisecond))
			began = time.Now()
			if _, err := e.Import("box:1", `LABEL role=test`, `USER web`,
				`CMD ["sleep","1000"]`); err != nil {
				t.Fatal(err)
			}
			t.Logf("image in %v", time.Since(began).Round(time.Millisecond))
			id := e.RunContainer(t, "one", `{"Image":"box:1"}`)
			pid := e.State(t, id).Pid
			if comm := processName(pid); comm != "sleep" {
				t.Errorf("host's process %d is %q, want the container's sleep", pid, comm)
			}
			out, code := e.Exec(t, id, ExecOptions{Cmd: []string{"sh", "-c", "id -u; exit 7"}})
			if strings.TrimSpace(out) != "1000" || code != 7 {
				t.Errorf("exec printed %q and ended with %d, want uid 1000 and 7", out, code)
			}
			began = time.Now()
			if err := e.Stop(); err != nil {
				t.Fatal(err)
			}
			t.Logf("down in %v", time.Since(began).Round(time.Millisecond))
			for _, trace := range traces(e.CgroupName) {
				t.Errorf("left behind: %s", trace)
			}
		})
	}
}

// traces lists what is left on the host of the engine with this id.
func traces(id string) []string {
	var found []string
	for _, pattern := range []string{os.TempDir() + "/" + id, "/sys/fs/cgroup/" + id,
		"/sys/fs/cgroup/*/" + id} {
		files, _ := filepath.Glob(pattern)
		found = append(found, files...)
	}
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range procs {
		// A zombie is its parent's to reap: the host's init, after a sweep.
		if stat, _ := os.ReadFile(dir + "/stat"); strings.Contains(string(stat), ") Z ") {
			continue
		}
		for _, name := range []string{"cmdline", "cgroup", "mountinfo", "environ"} {
			text, _ := os.ReadFile(dir + "/" + name)
			if strings.Contains(string(text), id) {
				found = append(found, dir+"/"+name)
			}
		}
	}
	return found
}
