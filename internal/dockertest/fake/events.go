package fake

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// events holds the latest 256, as many as engines keep, and the listeners.
type events struct {
	kept      []event
	listeners map[chan event]bool
	cut       chan struct{} // closed to disconnect all listeners
}

type event struct {
	line []byte
	nano int64
}

// Emit sends an event of a container, as if it had happened: "health_status: healthy".
func (e *Engine) Emit(container, action string, attributes map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(e.find(container), action, attributes)
}

// CutEvents ends every stream of events, as an engine's restart does; forget is for an engine that
// was killed.
func (e *Engine) CutEvents(forget bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.events.cut != nil {
		close(e.events.cut)
		e.events.cut = nil
	}
	if forget {
		e.events.kept = nil
	}
}

// Listeners returns how many streams of events are open.
func (e *Engine) Listeners() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.events.listeners)
}

func (e *Engine) emit(c *Container, action string, attributes map[string]string) {
	now := time.Now().UnixNano()
	all := map[string]string{"name": c.Name, "image": c.Image}
	maps.Copy(all, attributes)
	maps.Copy(all, c.Labels)
	line, _ := json.Marshal(map[string]any{
		"status": action, "id": c.ID, "from": c.Image, "Type": "container", "Action": action,
		"Actor": map[string]any{"ID": c.ID, "Attributes": all},
		"scope": "local", "time": now / 1e9, "timeNano": now,
	})
	one := event{append(line, '\n'), now}
	if e.events.kept = append(e.events.kept, one); len(e.events.kept) > 256 {
		e.events.kept = e.events.kept[1:]
	}
	for l := range e.events.listeners {
		select {
		case l <- one:
		default:
		}
	}
}

func (e *Engine) emitExec(x *Exec, action string, attributes map[string]string) {
	all := map[string]string{"execID": x.ID}
	maps.Copy(all, attributes)
	e.emit(e.find(x.Container), action, all)
}

// end is the effect on a container of a signal that ends its first process.
func (e *Engine) end(c *Container, signal, status string) {
	e.emit(c, "kill", map[string]string{"signal": signal})
	c.State, c.PID, c.execs, c.body = "exited", 0, nil, nil
	e.emit(c, "die", map[string]string{"exitCode": status})
}

// serveEvents answers GET /events: the events kept since the requested time, then new ones, until
// the requested end.
func (e *Engine) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	since, future := nanoseconds(r.URL.Query().Get("since")), make(chan event, 1024)
	e.mu.Lock()
	past := append([]event(nil), e.events.kept...)
	if e.events.listeners == nil {
		e.events.listeners = map[chan event]bool{}
	}
	if e.events.cut == nil {
		e.events.cut = make(chan struct{})
	}
	e.events.listeners[future] = true
	cut := e.events.cut
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.events.listeners, future)
		e.mu.Unlock()
	}()
	for _, one := range past {
		if since != 0 && one.nano >= since {
			w.Write(one.line)
		}
	}
	var until <-chan time.Time
	if at := nanoseconds(r.URL.Query().Get("until")); at != 0 {
		until = time.After(time.Until(time.Unix(0, at)))
	}
	for {
		w.(http.Flusher).Flush()
		select {
		case one := <-future:
			w.Write(one.line)
		case <-until:
			return
		case <-cut:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// nanoseconds parses "1700000000.000000001".
func nanoseconds(text string) int64 {
	whole, rest, _ := strings.Cut(text, ".")
	s, _ := strconv.ParseInt(whole, 10, 64)
	n, _ := strconv.ParseInt((rest + "000000000")[:9], 10, 64)
	return s*1e9 + n
}

// archive answers /export and /archive with the container's own tar.
func (e *Engine) archive(w http.ResponseWriter, c *Container, what, path string) {
	if what == "archive" && path == "" {
		fail(w, http.StatusBadRequest, "bad parameter: path cannot be empty")
		return
	}
	w.Header().Set("Content-Type", "application/x-tar")
	w.Write(c.Files)
}
