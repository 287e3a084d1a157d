package kernel

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// Client is a process that is, or calls itself, a docker client. The process chooses its own name
// and arguments; the kernel supplies the rest.
type Client struct {
	PID     int
	UID     int      // the user it runs as, in every respect; -1 if ids differ or are unknown
	Program string   // the path of its executable; empty if unreadable
	Cgroups []string // its path in each hierarchy
	Args    []string
}

// Clients returns the visible processes that execute a program called docker, or call themselves
// so.
func (r *Reader) Clients() []Client {
	const word = "docker"
	var list []Client
	_ = r.eachPID(func(pid int) error {
		program, _ := os.Readlink(r.path(pid, "exe"))
		program = strings.TrimSuffix(program, " (deleted)") // an update replaced it while it ran
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

// UID returns the user that a process runs as; -1 if its real, effective, saved and file system ids
// differ, or cannot be read.
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
