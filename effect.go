package dropcap

import (
	"context"
	"encoding/json"
	"time"
)

// Effect is one action on the outside world. It has a name, so that a dry run can show it, a
// timeline can record it, and a test can inject a fault before or after it.
type Effect struct {
	Name   string // a stable slug, unique within a strategy: "create-new", "stop-old"
	Says   string // a short description for people, without secrets: "stop web"
	Action Action
}

// Action is what an effect does: a *Call, *Note, *Run, *File, *Reload, *Carry, *Compare or *Sync.
// Code that performs effects must handle each kind.
type Action interface{ isAction() }

func (*Call) isAction()    {}
func (*Note) isAction()    {}
func (*Run) isAction()     {}
func (*File) isAction()    {}
func (*Reload) isAction()  {}
func (*Carry) isAction()   {}
func (*Compare) isAction() {}
func (*Sync) isAction()    {}

// Call returns the effect's request to the engine; nil if it is of another kind.
func (e Effect) Call() *Call {
	call, _ := e.Action.(*Call)
	return call
}

// Reads reports whether the effect only reads.
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
	Path    string // "/containers/…", without the API version
	Query   map[string]string
	Body    json.RawMessage
	API     string        // API version to use; empty: the negotiated one
	Timeout time.Duration // 0: the default; a stop takes as long as its grace period
	// Fine are statuses besides 2xx that count as success, such as 304 for a container that is
	// stopped already.
	Fine []int
}

// Note is an entry in the journal: the current state of the change, and with the first one what its
// backout needs. It is durable when the effect ends.
type Note struct {
	Change Change
	// Keep is what restores the container (the engine's raw answers). It may hold secrets and never
	// leaves the store. Nil: unchanged.
	Keep map[string]json.RawMessage
}

// Run is a program to run on this host, without a shell.
type Run struct {
	Args    []string
	Dir     string
	Env     []string // nil: this process's environment
	Timeout time.Duration
	// Outlives is set for a program that keeps running if dropcap is killed. No decision may be
	// made before it ends, so it inherits the lock.
	Outlives bool
	// Copies are files that the program gets as private copies: an argument equal to Path becomes
	// the path of the copy.
	Copies []Copy
	// Unchanged are files that the program reads directly, with their digests. None may change
	// while it runs.
	Unchanged map[string]string
	// Engine decides about the program's requests to the engine, which then all go through dropcap.
	// Nil: the program talks to the engine directly.
	Engine Gatekeeper
}

// Copy is a file with the contents that were checked. Where its text has the path of another copied
// file between two NUL, that is replaced by the path of that copy, in quotes.
type Copy struct {
	Path string
	Text []byte
}

// Gatekeeper decides about a program's requests to the engine, except those that only read (GET,
// HEAD).
type Gatekeeper interface {
	// Ask returns the body to send instead of the program's. Path has no API version. An error
	// becomes the answer to the program.
	Ask(ctx context.Context, method, path string, body []byte) ([]byte, error)
	// Answered receives the engine's answer; its error replaces that answer.
	Answered(ctx context.Context, method, path string, status int, body []byte) error
}

// File replaces a whole file: a new file is written beside it, synced and renamed, and the folder
// is synced. Mode and owner stay the same.
type File struct {
	Path string
	Was  []byte // the contents that it must have now, or nothing is written
	Is   []byte
	// Missing says that the file must not exist now. It is created for root, readable by all, and
	// so is its folder.
	Missing bool
	// Remove says that the file is to be removed. Folder says the same of its folder, if that is
	// then empty.
	Remove, Folder bool
}

// Reload makes the engine read its configuration file again (SIGHUP). Only a process that is
// certainly the engine, and reads Config, gets the signal.
type Reload struct {
	Config string
}

// Carry makes the writable layer of container To equal to that of From, which is never written to.
// Both are ids.
type Carry struct {
	From, To string
	// Final is set if From does not run: then both layers are proven to be equal. Otherwise they
	// are equal only as far as From writes nothing.
	Final bool
}

// Compare finds what one container's layer holds that did not come from another's. Its result has
// the form of the engine's GET /containers/ID/changes.
type Compare struct {
	From, To string    // ids: finds what From holds and To does not
	Since    time.Time // when the copy was complete
}

// Sync writes what was copied into a container's layer to disk, so that it survives a power
// failure.
type Sync struct {
	Container string // its id
}

// Result is the result of an effect.
type Result struct {
	Status int // of a Call (HTTP), or of a Run (exit status)
	// a Call's answer; a Run's output (standard output and error together, the last 64 KiB, as a
	// JSON string)
	Body json.RawMessage
}
