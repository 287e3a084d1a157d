//go:build faults

package host

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/apply"
)

// faulty puts the faults of DROPCAP_FAULT around effects: "WHEN:EFFECT=ACTION", several joined by
// ",". WHEN is before or after, EFFECT a name, ACTION kill, stop (goes on at SIGCONT), fail or
// hang. Each happens at its first occasion; EFFECT#2 at its second. DROPCAP_FAULT_LOG names a file
// that gets each effect's name as it begins. Only binaries built with the tag "faults" have this.
func faulty(w apply.Executor) apply.Executor {
	f := &faults{executor: w, log: os.Getenv("DROPCAP_FAULT_LOG"), at: map[string]string{},
		seen: map[string]int{}}
	for _, one := range strings.Split(os.Getenv("DROPCAP_FAULT"), ",") {
		where, action, ok := strings.Cut(one, "=")
		if ok {
			f.at[where] = action
		}
	}
	return f
}

type faults struct {
	executor apply.Executor
	log      string
	mu       sync.Mutex
	at       map[string]string
	seen     map[string]int
}

func (f *faults) Do(ctx context.Context, e dropcap.Effect) (dropcap.Result, error) {
	f.write(e.Name)
	if status, err := f.happen(ctx, "before:"+e.Name); err != nil {
		return dropcap.Result{Status: status}, err
	}
	result, err := f.executor.Do(ctx, e)
	if status, err := f.happen(ctx, "after:"+e.Name); err != nil {
		return dropcap.Result{Status: status}, err
	}
	return result, err
}

func (f *faults) happen(ctx context.Context, where string) (status int, err error) {
	f.mu.Lock()
	f.seen[where]++
	if nth := fmt.Sprintf("%s#%d", where, f.seen[where]); f.at[nth] != "" {
		where = nth
	}
	action := f.at[where]
	delete(f.at, where)
	f.mu.Unlock()
	switch action {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "stop":
		// To this very thread, which does not come back from the call before all is stopped. A
		// signal to the process is taken by any of its threads, and this one goes on until that one
		// gets a processor.
		runtime.LockOSThread()
		_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
		runtime.UnlockOSThread()
	case "fail":
		return 500, fmt.Errorf("a fault %s", where)
	case "hang":
		<-ctx.Done()
		return 0, ctx.Err() // as nobody has answered
	}
	return 0, nil
}

func (f *faults) write(name string) {
	if f.log == "" {
		return
	}
	if file, err := os.OpenFile(f.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		fmt.Fprintln(file, name)
		file.Close()
	}
}

// faultyLocks is the folder of the engine's locks, where tests do things to one engine at once:
// DROPCAP_FAULT_LOCKS.
func faultyLocks() string { return os.Getenv("DROPCAP_FAULT_LOCKS") }

// watchable is whether changes are watched over: what is killed on purpose is looked at as it was
// left, unless DROPCAP_FAULT_WATCH is set.
func watchable() bool { return os.Getenv("DROPCAP_FAULT_WATCH") != "" }
