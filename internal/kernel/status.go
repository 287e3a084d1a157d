package kernel

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"dropcap/caps"
)

// masks are the sets of one thread, and what decides how to read them. They are comparable: threads
// with the same masks are counted once.
type masks struct {
	inheritable, permitted, effective, bounding, ambient caps.Set

	noNewPrivs bool
	userNS     string // as in dropcap.Process
}

// held returns the capabilities that any of the sets allows to use or to regain.
func (m masks) held() caps.Set {
	return m.inheritable | m.permitted | m.effective | m.bounding | m.ambient
}

// status holds the fields of /proc/PID/status that matter here (proc_pid_status(5)).
type status struct {
	name    string
	tgid    int
	parent  int
	threads int
	zombie  bool
	masks   masks
}

var errStatus = errors.New("the kernel's status file has no capability sets")

// parseStatus parses a status file. The first line of each field counts. A process cannot write
// lines of its own: the kernel escapes newlines in names (fs/proc/array.c, proc_task_name).
func parseStatus(text []byte) (status, error) {
	var s status
	var found, bad int
	set := func(to *caps.Set, value []byte) {
		v, err := strconv.ParseUint(string(value), 16, 64)
		if err != nil {
			bad++
		}
		*to, found = caps.Set(v), found+1
	}
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t\n")
		switch string(key) {
		case "Name":
			name, _, _ := bytes.Cut(line, []byte("\n"))
			s.name = comm(strings.TrimPrefix(string(name), "Name:\t"))
		case "State":
			s.zombie = len(value) > 0 && (value[0] == 'Z' || value[0] == 'X')
		case "Tgid":
			s.tgid = number(value, &bad)
		case "PPid":
			s.parent = number(value, &bad)
		case "Threads":
			s.threads = number(value, &bad)
		case "CapInh":
			set(&s.masks.inheritable, value)
		case "CapPrm":
			set(&s.masks.permitted, value)
		case "CapEff":
			set(&s.masks.effective, value)
		case "CapBnd":
			set(&s.masks.bounding, value)
		case "CapAmb":
			set(&s.masks.ambient, value)
		case "NoNewPrivs":
			s.masks.noNewPrivs = string(value) == "1"
		}
	}
	if found < 4 || bad > 0 { // CapAmb is missing before Linux 4.3
		return status{}, errStatus
	}
	return s, nil
}

// comm undoes the kernel's escapes in a name, \n and \\.
func comm(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(s)
}

func number(value []byte, bad *int) int {
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 0 {
		*bad++
		return 0
	}
	return n
}

// status reads the status file of a process or thread; name is "123" or "123/task/124".
func (r *Reader) status(name string) (status, error) {
	var s status
	var bad error
	err := withFile(cwd, r.proc+"/"+name+"/status", func(text []byte) {
		s, bad = parseStatus(text)
	})
	if err != nil {
		return s, err
	}
	return s, bad
}
