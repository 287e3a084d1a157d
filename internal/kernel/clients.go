package kernel

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// Client is a process that is, or calls itself, a docker client. Its name and arguments are its own to
// choose; the rest is the kernel's word.
type Client struct {
	PID     int
	UID     int      // the user that it runs as, in every respect; -1 if it is several or not known
	Program string   // what it executes, as a path; empty if that may not be seen
	Cgroups []string // its path in each hierarchy
	Args    []string
}

// Clients finds the processes that execute a program called docker, or call themselves so, as far as they
// may be seen.
func (r *Reader) Clients() []Client {
	const word = "docker"
	var list []Client
	_ = r.eachPID(func(pid int) error {
		program, _ := os.Readlink(r.path(pid, "exe"))
		program = strings.TrimSuffix(program, " (deleted)") // by an update, while it runs
		if path.Base(program) != word && firstLine(r.path(pid, "comm")) != word {
			return nil
		}
		text, _ := os.ReadFile(r.path(pid, "cgroup"))
		args, _ := os.ReadFile(r.path(pid, "cmdline"))
		c := Client{
			PID: pid, UID: r.UID(pid), Program: program,
			Args: strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00"),
		}
		for _, m := range parseCgroup(text) {
			c.Cgroups = append(c.Cgroups, m.path)
		}
		list = append(list, c)
		return nil
	})
	return list
}

// UID is the user that a process runs as; -1 if its real, effective, saved and file system ids are not one,
// or cannot be read.
func (r *Reader) UID(pid int) int {
	text, err := os.ReadFile(r.path(pid, "status"))
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) == 5 && string(f[0]) == "Uid:" {
			id, err := strconv.Atoi(string(f[1]))
			for _, other := range f[2:] {
				if err != nil || !bytes.Equal(f[1], other) {
					return -1
				}
			}
			return id
		}
	}
	return -1
}
