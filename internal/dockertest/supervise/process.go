package supervise

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// descendants returns every process below pid.
func descendants(pid int) []int {
	children := map[int][]int{}
	for _, child := range processes() {
		parent := look(child).parent
		children[parent] = append(children[parent], child)
	}
	var all []int
	for next := children[pid]; len(next) > 0; {
		all = append(all, next...)
		var deeper []int
		for _, p := range next {
			deeper = append(deeper, children[p]...)
		}
		next = deeper
	}
	return all
}

// process holds fields of /proc/PID/stat.
type process struct {
	state   string // field 3: "Z" has ended and waits for its parent
	parent  int    // field 4
	started string // field 22, in ticks since boot
}

// look returns the zero process when there is none with this pid.
func look(pid int) process {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	// The name in field 2 may hold spaces and brackets.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return process{}
	}
	parent, _ := strconv.Atoi(fields[1])
	return process{state: fields[0], parent: parent, started: fields[19]}
}

// processes returns every process of the host.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
