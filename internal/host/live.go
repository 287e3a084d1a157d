package host

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dropcap"
	"dropcap/internal/audit"
	"dropcap/internal/docker"
	"dropcap/internal/evidence"
)

// Event is something that happened to a container, as the engine reports it.
type Event = docker.Event

// Events passes what happens to containers to tell, as the engine reports it, until the context
// ends. A connection that is lost comes back by itself (docker.Reconnected); the error is of the
// first one.
func (h *Host) Events(ctx context.Context, tell func(Event)) error {
	s, err := h.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := s.Events(ctx, now())
	if err != nil {
		return err
	}
	for e := range events {
		tell(e)
	}
	return ctx.Err()
}

// Ping asks the engine whether it answers.
func (h *Host) Ping(ctx context.Context) error {
	s, err := h.Open(ctx)
	if err != nil {
		return err
	}
	return s.Close()
}

// Support returns what the store's evidence says of a container of the result; false if nothing.
func (r AuditResult) Support(c dropcap.Container) (evidence.Support, bool) {
	held := c.Holds()
	if held == nil || len(r.options.Evidence) == 0 {
		return evidence.Support{}, false
	}
	return evidence.For(r.options.Evidence, evidence.Subject{Workload: c.Workload,
		Revision: c.Revision, Host: r.Audit.Host.ID, Held: *held | c.GaveUp()})
}

// StoreStamp changes whenever somebody writes to the store; empty if there is none.
func (h *Host) StoreStamp() string {
	stamp := ""
	for _, name := range []string{"store.db", "store.db-wal"} {
		if i, err := os.Stat(filepath.Join(h.config.Store, name)); err == nil {
			stamp += fmt.Sprintf("%d %d ", i.Size(), i.ModTime().UnixNano())
		}
	}
	return stamp
}

// Busy names the process that does what name says ("learn", "change") with this store; empty if
// none does. It takes no lock, so that it is in nobody's way (proc_locks(5)).
func (h *Host) Busy(name string) string {
	path := filepath.Join(h.config.Store, name+".lock")
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return ""
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer f.Close()
	inode := fmt.Sprintf(":%d", st.Ino)
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) > 5 && fields[1] == "FLOCK" && strings.HasSuffix(fields[5], inode) {
			return "process " + fields[4]
		}
	}
	return ""
}

// Explain says why a container of the result holds what it holds.
func (r AuditResult) Explain(c dropcap.Judged) dropcap.Explanation {
	return audit.Explain(c, r.Audit, r.options)
}
