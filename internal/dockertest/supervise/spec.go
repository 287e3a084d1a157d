// Package supervise runs a private container engine for tests: it starts the engine's daemons in
// namespaces of their own and takes everything down again, even if the test process that wanted
// them was killed.
//
// It runs in a process of its own (see Main), which the test process holds by a pipe. It ends only
// processes that descend from it or live in the engine's own cgroups, and never selects one by
// name.
package supervise

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Environment is the variable that turns a program into a supervisor; see Main.
const Environment = "DROPCAP_TEST_SUPERVISE"

// Prefix starts the name of every cgroup and root folder of a private engine.
const Prefix = "dct-"

// Spec says what to run. The test process writes it as one line of JSON into the pipe.
type Spec struct {
	// names the cgroup, the root folder and the containerd namespaces; starts with Prefix
	ID     string
	Root   string   // a folder of this engine alone; removed at the end
	Helper *Command // containerd, started before the engine; nil for none
	Engine Command
	// Binds maps a host's file to the one that the engine sees in its place.
	Binds map[string]string
	// HideUnified hides /sys/fs/cgroup/unified from the engine.
	HideUnified bool
	// ContainerCgroups are containers' cgroups outside /ID, for an engine that has no
	// setting for their parent: names below a cgroup mount with %s for a container's id.
	ContainerCgroups []string
	// ContainerList is the engine's JSON file of containers, [{"id":…}], for ContainerCgroups.
	ContainerList string
	// SharedCgroups are removed at the end if they are empty.
	SharedCgroups []string
}

// Command is a daemon. It is up once Socket accepts connections.
type Command struct {
	Args   []string
	Env    []string
	Log    string // file for its output
	Socket string
}

// Request is a request of the test process, one line of JSON.
type Request struct {
	Op string // "start", "restart" (SIGTERM, then start) or "kill" (SIGKILL)
}

// Reply answers the spec and each request.
type Reply struct {
	Pid   int // the engine's; 0 when it does not run
	Error string
}

// record is what a later run needs to clean up after a killed supervisor.
type record struct {
	Spec    Spec
	Pid     int
	Started string // field 22 of /proc/PID/stat, so that a reused pid is not taken for ours
}

const recordFile = "supervisor.json"

func (s Spec) check() error {
	switch {
	case !strings.HasPrefix(s.ID, Prefix) || strings.ContainsAny(s.ID, "/. "):
		return fmt.Errorf("cannot supervise %q: bad id", s.ID)
	case filepath.Base(s.Root) != s.ID || !filepath.IsAbs(s.Root):
		return fmt.Errorf("cannot supervise in %q: the folder is not named after the id", s.Root)
	}
	return nil
}

func (s Spec) save() error {
	out, err := json.Marshal(record{Spec: s, Pid: os.Getpid(), Started: look(os.Getpid()).started})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Root, recordFile), out, 0o600)
}
