package host

import (
	"context"
	"os"
	"syscall"
	"time"

	"dropcap"
)

// composeLock is a lock that docker compose inherits, so that it is held until that has ended too:
// when dropcap is killed, compose goes on, and nobody must decide anything about its containers
// before.
type composeLock struct{ f *os.File }

// composeWait is how long an earlier compose is waited for; its own longest stop is as long.
const composeWait = 35 * time.Minute

// lockCompose waits until no program of an earlier session runs.
func (h *Host) lockCompose(ctx context.Context, file string) (*composeLock, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot lock %s: %w", file, Cause(err))
	}
	told := false
	for end := time.Now().Add(composeWait); ; {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return &composeLock{f}, nil
		}
		if err != syscall.EWOULDBLOCK || time.Now().After(end) {
			f.Close()
			return nil, dropcap.Errorf(dropcap.CodeError, "wait for its end, or end it",
				"cannot begin: a docker compose that an earlier dropcap has started still runs")
		}
		if !told {
			h.observer.Warn(dropcap.Errorf(dropcap.CodeError, "",
				"a docker compose that an earlier dropcap has started still runs: waiting for "+
					"its end"))
			told = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// release returns the lock up for whatever has inherited it, too.
func (l *composeLock) release() {
	_ = syscall.Flock(int(l.f.Fd()), syscall.LOCK_UN)
	l.f.Close()
}
