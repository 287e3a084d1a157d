package truth_test

import (
	"fmt"
	"net/http"
	"strconv"
)

// process is one of a container's processes, by the host's numbers.
type process struct{ pid, uid, gid int }

func (c *container) processes() ([]process, error) {
	var top struct{ Processes [][]string }
	if err := c.do(http.MethodGet, "/top?ps_args=-eo%20pid,uid,gid", "", &top); err != nil {
		return nil, err
	}
	var list []process
	for _, row := range top.Processes {
		var n [3]int
		for i := range n {
			if i < len(row) {
				n[i], _ = strconv.Atoi(row[i])
			}
		}
		list = append(list, process{n[0], n[1], n[2]})
	}
	return list, nil
}

// gaveUpRoot checks that there is a worker, and that all workers have given up root's group with
// root.
func (c *container) gaveUpRoot() error {
	list, err := c.processes()
	if err != nil {
		return err
	}
	workers := 0
	for _, p := range list {
		if p.uid != 0 {
			workers++
		}
		if p.uid != 0 && p.gid == 0 {
			return fmt.Errorf("a worker of user %d has kept the group of root", p.uid)
		}
	}
	if workers == 0 {
		return fmt.Errorf("no worker has given up root: %v", list)
	}
	return nil
}

// replaced checks that no old worker is left.
func (c *container) replaced(old []process) error {
	list, err := c.processes()
	if err != nil {
		return err
	}
	for _, p := range list {
		for _, o := range old {
			if p.pid == o.pid && p.uid != 0 {
				return fmt.Errorf("process %d of user %d is still there", p.pid, p.uid)
			}
		}
	}
	return nil
}
