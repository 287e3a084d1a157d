package fake

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// Fault is one way to misbehave. Exactly one of Hang, Raw, Status and Body is set, or only Delay.
type Fault struct {
	Path   string // requests whose path contains it; all if empty
	Times  int    // how often, 0 means always
	Delay  time.Duration
	Hang   bool   // never answers, until the request ends
	Raw    string // sent instead of any HTTP, then the connection is closed
	Status int    // with Body as the answer's body, or an engine's ordinary message
	Body   string // with status 200 unless Status is set
	Header http.Header

	used int
}

// Misbehave adds a fault; the first one that matches a request applies.
func (e *Engine) Misbehave(f Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, &f)
}

// Behave removes all faults.
func (e *Engine) Behave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = nil
}

// VanishAfterList removes a container as soon as it has been listed.
func (e *Engine) VanishAfterList(idOrName string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.vanishing = append(e.vanishing, idOrName)
}

func (e *Engine) removeVanishing() {
	for _, name := range e.vanishing {
		if c := e.find(name); c != nil {
			e.remove(c)
		}
	}
	e.vanishing = nil
}

func (e *Engine) fault(r *http.Request) *Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.faults {
		if strings.Contains(r.URL.Path, f.Path) && (f.Times == 0 || f.used < f.Times) {
			f.used++
			return f
		}
	}
	return nil
}

// act applies the fault; false if the request is to be answered all the same.
func (f *Fault) act(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return true
		}
	}
	for k, v := range f.Header {
		w.Header()[k] = v
	}
	switch {
	case f.Hang:
		if f.Body != "" { // the beginning of an answer, and then nothing
			io.WriteString(w, f.Body)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	case f.Raw != "":
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			io.WriteString(conn, f.Raw)
			conn.Close()
		}
	case f.Status != 0 && f.Body == "":
		fail(w, f.Status, http.StatusText(f.Status))
	case f.Status != 0:
		w.WriteHeader(f.Status)
		io.WriteString(w, f.Body)
	case f.Body != "":
		io.WriteString(w, f.Body)
	default:
		return false
	}
	return true
}
