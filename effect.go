package dropcap

import (
	"context"
	"encoding/json"
	"time"
)

// Effect is one thing that is done to the world outside. Each has a name, so that it can be shown
// before it is done (a dry run), written to a timeline, and have a fault put before or after it by
// a test.
type Effect struct {
	Name   string // a stable slug, unique within a strategy: "create-new", "stop-old"
	Says   string // what it does, in a few words for a person, without secrets: "stop web"
	Action Action
}

// Action is what an effect does: a *Call, *Note, *Run, *File, *Reload, *Carry, *Compare or *Sync.
// Whoever performs effects handles each kind.
type Action interface{ isAction() }

func (*Call) isAction()    {}
func (*Note) isAction()    {}
func (*Run) isAction()     {}
func (*File) isAction()    {}
func (*Reload) isAction()  {}
func (*Carry) isAction()   {}
func (*Compare) isAction() {}
func (*Sync) isAction()    {}

// Call returns the request that the effect makes of the engine; nil if it is of another kind.
func (e Effect) Call() *Call {
	call, _ := e.Action.(*Call)
	return call
}

// Reads reports whether the effect only looks.
func (e Effect) Reads() bool {
	if _, looks := e.Action.(*Compare); looks {
		return true
	}
	call := e.Call()
	return call != nil && call.Method == "GET"
}

// IsNote reports whether the effect is an entry in the journal.
func (e Effect) IsNote() bool {
	_, note := e.Action.(*Note)
	return note
}

// Call is a request to the engine's API. The body may hold secrets and is never printed.
type Call struct {
	Method  string
	Path    string // begins with "/containers/…"; without the version
	Query   map[string]string
	Body    json.RawMessage
	API     string        // version to ask under; empty: the agreed one
	Timeout time.Duration // 0: the engine's usual; a stop takes as long as its grace period
	// Fine are statuses beside 2xx that are as good: 304 where the container is stopped already.
	Fine []int
}

// Note is an entry in the journal: the change as it is now, and, first of all, what its backout
// needs. It is durable when the effect ends.
type Note struct {
	Change Change
	// Keep is what restores the container (raw answers of the engine); it may hold secrets and
	// never leaves the store. Nil: as before.
	Keep map[string]json.RawMessage
}

// Run is a program that is run on this host, without a shell.
type Run struct {
	Args    []string
	Dir     string
	Env     []string // nil: this process's own
	Timeout time.Duration
	// Outlives is set for a program that goes on when dropcap is killed, and that nobody may decide
	// anything before the end of: it inherits the lock that says so.
	Outlives bool
	// Copies are files of which the program is given private copies: an argument that is Path
	// becomes the copy's path.
	Copies []Copy
	// Unchanged are files that the program reads by itself, with their digests: none may change
	// while it runs.
	Unchanged map[string]string
	// Engine decides on what the program asks of the engine, which it then reaches through dropcap
	// only. Nil: it reaches the engine by itself.
	Engine Gatekeeper
}

// Copy is a file as it was checked. Where its text has the path of another copied file between two
// NUL, the path of that copy is put, in quotes.
type Copy struct {
	Path string
	Text []byte
}

// Gatekeeper stands between a program and the engine. Whoever only looks (GET, HEAD) is not asked
// about.
type Gatekeeper interface {
	// Ask returns the body to send in the place of the program's. Path is without the version. An
	// error is what the program gets for an answer.
	Ask(ctx context.Context, method, path string, body []byte) ([]byte, error)
	// Answered is told what the engine answered; its error takes the answer's place.
	Answered(ctx context.Context, method, path string, status int, body []byte) error
}

// File is a file that is replaced as a whole: written beside, synced, renamed, its folder synced.
// Mode and owner stay the former file's.
type File struct {
	Path string
	Was  []byte // what must stand there now, or nothing is written
	Is   []byte
	// Missing says that nothing must stand there now: a file of root's is made, which all may read,
	// and the folder that it is in as well.
	Missing bool
	// Remove says that nothing is to stand there afterwards. Folder says the same of the folder
	// that it is in, if that is empty then.
	Remove, Folder bool
}

// Reload has the engine read its configuration file again (SIGHUP). Only a process that is
// certainly the engine, and reads Config, is sent anything.
type Reload struct {
	Config string
}

// Carry makes the writable layer of one container equal to that of another one, which is never
// written to. Both are named by their ids.
type Carry struct {
	From, To string
	// Final is set where the first one does not run. Both layers are proven to be the same then;
	// before, as far as the container holds still.
	Final bool
}

// Compare looks at what one container's layer holds that was not carried into it from another's.
// Its result is in the form of the engine's GET /containers/ID/changes.
type Compare struct {
	From, To string    // ids: what From holds and To does not
	Since    time.Time // when the carrying was over
}

// Sync brings to disk what was carried into a container's layer, so that it outlives a loss of
// power.
type Sync struct {
	Container string // its id
}

// Result is what an effect gave.
type Result struct {
	Status int // of a Call (HTTP), or of a Run (exit status)
	// a Call's answer; a Run's output (standard output and error together, the last 64 KiB, as a
	// JSON string)
	Body json.RawMessage
}
