package fake

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

var versioned = regexp.MustCompile(`^/v([0-9.]+)(/.*)$`)

// ServeHTTP implements the API.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.requests = append(e.requests, r.Method+" "+r.URL.Path)
	e.mu.Unlock()
	if f := e.fault(r); f != nil && f.act(w, r) {
		return
	}
	e.headers(w.Header())
	path := r.URL.Path
	if m := versioned.FindStringSubmatch(path); m != nil {
		if text := e.badVersion(m[1], m[2]); text != "" {
			fail(w, http.StatusBadRequest, text)
			return
		}
		path = m[2]
	}
	body, _ := io.ReadAll(r.Body)
	if path == "/events" {
		e.serveEvents(w, r)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.route(w, r, strings.Split(strings.Trim(path, "/"), "/"), body)
}

// headers sets the headers that identify an engine.
func (e *Engine) headers(h http.Header) {
	h.Set("Api-Version", e.options.API)
	h.Set("Ostype", "linux")
	if e.options.Podman {
		h.Set("Server", "Libpod/"+e.options.Version+" (linux)")
		h.Set("Libpod-Api-Version", e.options.Version)
		return
	}
	h.Set("Server", "Docker/"+e.options.Version+" (linux)")
}

// badVersion returns the engine's message about an unsupported version in the path.
func (e *Engine) badVersion(v, path string) string {
	switch {
	case strings.HasPrefix(path, "/libpod/"):
		return ""
	case minor(v) > minor(e.options.API):
		return "client version " + v + " is too new. Maximum supported API version is " +
			e.options.API
	case minor(v) < minor(e.options.MinAPI):
		return "client version " + v + " is too old. Minimum supported API version is " +
			e.options.MinAPI + ", please upgrade your client to a newer version"
	}
	return ""
}

func minor(v string) int {
	_, m, _ := strings.Cut(v, ".")
	n, _ := strconv.Atoi(m)
	return n
}

func (e *Engine) route(w http.ResponseWriter, r *http.Request, p []string, body []byte) {
	switch {
	case is(p, "_ping"):
		io.WriteString(w, "OK")
	case is(p, "version"):
		reply(w, 200, e.versionBody())
	case is(p, "info"):
		reply(w, 200, e.infoBody())
	case is(p, "libpod", "info") && e.options.Podman:
		reply(w, 200, e.libpodInfoBody())
	case is(p, "containers", "json"):
		e.list(w, r)
	case is(p, "containers", "create") && r.Method == http.MethodPost:
		c, status, text := e.create(r.URL.Query().Get("name"), body)
		if c == nil {
			fail(w, status, text)
			return
		}
		e.emit(c, "create", nil)
		reply(w, status, map[string]any{"Id": c.ID, "Warnings": []string{}})
	case len(p) == 3 && p[0] == "images" && p[2] == "json":
		e.image(w, p[1])
	case len(p) == 3 && p[0] == "exec":
		e.exec(w, p[1], p[2])
	case len(p) == 4 && p[0] == "libpod" && p[1] == "containers" && e.options.Podman:
		e.withContainer(w, p[2], func(c *Container) { reply(w, 200, e.libpodBody(c)) })
	case len(p) >= 2 && p[0] == "containers":
		e.withContainer(w, p[1], func(c *Container) { e.container(w, r, c, p[2:], body) })
	default:
		fail(w, http.StatusNotFound, "page not found")
	}
}

func is(p []string, want ...string) bool {
	return strings.Join(p, "/") == strings.Join(want, "/")
}

func (e *Engine) withContainer(w http.ResponseWriter, name string, do func(*Container)) {
	c := e.find(name)
	if c == nil {
		fail(w, http.StatusNotFound, "No such container: "+name)
		return
	}
	do(c)
}

// container answers requests below /containers/{id}.
func (e *Engine) container(w http.ResponseWriter, r *http.Request, c *Container, p []string,
	body []byte) {
	switch {
	case is(p) && r.Method == http.MethodDelete:
		if c.PID != 0 {
			e.end(c, "9", "137")
		}
		e.remove(c)
		e.emit(c, "destroy", nil)
		w.WriteHeader(http.StatusNoContent)
	case is(p, "json"):
		if c.body == nil {
			c.body, _ = json.Marshal(e.inspectBody(c))
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(c.body)
	case is(p, "start"):
		e.ids++
		c.State, c.PID, c.body = "running", 1000+e.ids, nil
		e.emit(c, "start", nil)
		w.WriteHeader(http.StatusNoContent)
	case is(p, "restart"):
		e.end(c, "15", "143")
		e.emit(c, "stop", nil)
		e.ids++
		c.State, c.PID, c.body = "running", 1000+e.ids, nil
		e.emit(c, "start", nil)
		e.emit(c, "restart", nil)
		w.WriteHeader(http.StatusNoContent)
	case is(p, "rename"):
		former := c.Name
		c.Name, c.body = r.URL.Query().Get("name"), nil
		e.emit(c, "rename", map[string]string{"oldName": "/" + former})
		w.WriteHeader(http.StatusNoContent)
	case is(p, "export"), is(p, "archive"):
		e.archive(w, c, p[0], r.URL.Query().Get("path"))
	case is(p, "pause"):
		c.State, c.body = "paused", nil
		w.WriteHeader(http.StatusNoContent)
	case is(p, "stop"):
		e.end(c, "15", "143")
		e.emit(c, "stop", nil)
		w.WriteHeader(http.StatusNoContent)
	case is(p, "exec"):
		var x Exec
		json.Unmarshal(body, &x)
		x.Container = c.ID
		defer func() { e.emitExec(&x, "exec_create: "+strings.Join(x.Cmd, " "), nil) }()
		reply(w, http.StatusCreated, map[string]string{"Id": e.addExec(c, &x).ID})
	default:
		fail(w, http.StatusNotFound, "page not found")
	}
}

// exec answers requests below /exec/{id}. An exec of "true" ends at once, any other runs until its
// container stops.
func (e *Engine) exec(w http.ResponseWriter, id, what string) {
	x := e.execs[id]
	if x == nil {
		fail(w, http.StatusNotFound, "No such exec instance: "+id)
		return
	}
	switch what {
	case "json":
		reply(w, 200, execBody(x))
	case "start":
		c := e.find(x.Container)
		e.ids++
		x.PID, x.Running, c.body = 1000+e.ids, true, nil
		e.emitExec(x, "exec_start: "+strings.Join(x.Cmd, " "), nil)
		if len(x.Cmd) > 0 && x.Cmd[0] == "true" && !e.options.Podman {
			// Podman forgets it only after minutes
			delete(e.execs, id)
			c.execs = without(c.execs, id)
			e.emitExec(x, "exec_die", map[string]string{"exitCode": "0"})
		}
	}
}

func without(list []string, gone string) []string {
	var kept []string
	for _, s := range list {
		if s != gone {
			kept = append(kept, s)
		}
	}
	return kept
}

func (e *Engine) image(w http.ResponseWriter, name string) {
	i := e.images[name]
	if i == nil {
		fail(w, http.StatusNotFound, "No such image: "+name)
		return
	}
	reply(w, 200, map[string]any{"Id": i.ID, "RepoTags": []string{i.Name},
		"Config": map[string]any{"Labels": i.Labels, "Cmd": []string{"sh"}}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]string{"message": text})
}
