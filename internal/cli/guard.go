package cli

import (
	"context"
	"os"
	"syscall"
	"time"

	"dropcap"
)

// guard is a lock that a program inherits, so that it is held until that has ended too: when dropcap is killed, compose goes on, and nobody
// must decide anything about its containers before it is done.
type guard struct{ f *os.File }

// guardWait is how long an earlier compose is waited for; its own longest stop is as long.
const guardWait = 35 * time.Minute

// newGuard waits until no program of an earlier session runs.
func (a *app) newGuard(ctx context.Context, file string) (*guard, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot lock %s: %w", file, bare(err))
	}
	told := false
	for end := time.Now().Add(guardWait); ; {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return &guard{f}, nil
		}
		if err != syscall.EWOULDBLOCK || time.Now().After(end) {
			f.Close()
			return nil, dropcap.Errorf(dropcap.CodeError, "wait for its end, or end it", "cannot begin: a docker compose that an earlier dropcap has started still runs")
		}
		if !told {
			a.warn(dropcap.Errorf(dropcap.CodeError, "", "a docker compose that an earlier dropcap has started still runs: waiting for its end"))
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

// release gives the lock up for whatever has inherited it, too.
func (g *guard) release() {
	_ = syscall.Flock(int(g.f.Fd()), syscall.LOCK_UN)
	g.f.Close()
}
