package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/kernel"
	"dropcap/internal/learn"
	"dropcap/internal/printable"
)

// The memory that a daemon's heap is kept within, and how much garbage may gather: it runs for
// weeks beside what it watches.
const (
	serviceMemory  = 48 << 20
	serviceGarbage = 40
)

// logging prepares for a daemon: a line on standard error for what is worth one, which the journal
// dates.
func (a *app) logging() {
	debug.SetGCPercent(serviceGarbage)
	debug.SetMemoryLimit(serviceMemory)
	a.say("starting")
}

func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, "dropcap: %s\n", oneLine(fmt.Sprintf(format, args...)))
}

// ready tells systemd, and gives back what the start has used.
func (a *app) ready() {
	debug.FreeOSMemory()
	kernel.ForgetProgram()
	a.say("recording")
	notify("READY=1\nSTATUS=recording")
}

// sayOnce warns of the same thing once in ten minutes: a full disk is told of, and not each time
// that it is still full.
func (a *app) sayOnce() func(error) {
	const again, most = 10 * time.Minute, 1000
	var mu sync.Mutex
	said := map[string]time.Time{}
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		text := err.Error()
		var e *dropcap.Error
		if errors.As(err, &e) && e.Hint != "" {
			text = e.Message + " (" + e.Hint + ")"
		}
		if time.Since(said[text]) < again {
			return
		}
		if len(said) >= most {
			clear(said)
		}
		said[text] = time.Now()
		a.warn(errors.New(text))
	}
}

// alive tells systemd's watchdog that the recording goes on, and once a minute what it has come to.
func (a *app) alive() func(learn.Session) {
	var last time.Time
	return func(s learn.Session) {
		if time.Since(last) < time.Minute {
			return
		}
		last = time.Now()
		notify(fmt.Sprintf("WATCHDOG=1\nSTATUS=%s running, %d so far, %s lost",
			printable.Count(s.Live, "container"), s.Containers,
			printable.Count(int(s.Lost), "check")))
	}
}

// notify tells the service manager, if there is one that listens (sd_notify(3)). Nobody is told
// when that fails: the service goes on.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' { // an abstract address
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}
