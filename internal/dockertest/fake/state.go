package fake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Container is one container of the fake. Add fills in what is empty.
type Container struct {
	ID         string // 64 hex digits
	Name       string
	Image      string // as named at creation
	ImageID    string
	State      string // "created" if empty
	PID        int    // assigned when it starts
	User       string
	Labels     map[string]string
	HostConfig HostConfig
	Created    time.Time
	Bounding   []string       // for Podman's own API; computed if nil
	Files      []byte         // a tar of its root folder, sent by /export and /archive
	Details    map[string]any // merged into the inspect answer

	execs []string
	body  []byte // the inspect answer; nil after a change
}

// HostConfig is the part of the API's that matters here, kept unchanged.
type HostConfig struct {
	Privileged  bool
	CapAdd      []string
	CapDrop     []string
	NetworkMode string
	Runtime     string
}

// Exec is an exec in a container.
type Exec struct {
	ID         string
	Container  string
	Cmd        []string
	PID        int
	Privileged bool
	User       string
	Running    bool
}

// Image is an image. As in engines, its labels are merged into those of its containers.
type Image struct {
	ID     string
	Name   string
	Labels map[string]string
}

// Add adds a container and returns its id.
func (e *Engine) Add(c Container) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.add(c).ID
}

func (e *Engine) add(c Container) *Container {
	e.ids++
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&c.ID, digest("container", e.ids))
	fill(&c.Name, "c"+strconv.Itoa(e.ids))
	fill(&c.Image, "app:1")
	fill(&c.ImageID, "sha256:"+digest("image "+c.Image, 0))
	fill(&c.State, "created")
	fill(&c.HostConfig.NetworkMode, "bridge")
	fill(&c.HostConfig.Runtime, e.defaultRuntime())
	if e.options.Podman {
		e.asPodman(&c)
	}
	if c.Created.IsZero() {
		c.Created = time.Date(2026, 1, 2, 3, 4, 5, e.ids, time.UTC)
	}
	if c.PID == 0 && (c.State == "running" || c.State == "paused") {
		c.PID = 1000 + e.ids
	}
	e.containers = append(e.containers, &c)
	return &c
}

func (e *Engine) defaultRuntime() string {
	if e.options.Podman {
		return "oci"
	}
	return "runc"
}

// AddExec adds a running exec to a container and returns its id.
func (e *Engine) AddExec(container string, x Exec) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.find(container)
	x.Running, x.Container = true, c.ID
	return e.addExec(c, &x).ID
}

func (e *Engine) addExec(c *Container, x *Exec) *Exec {
	e.ids++
	if x.ID == "" {
		x.ID = digest("exec", e.ids)
	}
	if x.Running && x.PID == 0 {
		x.PID = 1000 + e.ids
	}
	e.execs[x.ID] = x
	c.execs = append(c.execs, x.ID)
	c.body = nil
	return x
}

// ForgetExec ends an exec: the container still lists it, but it no longer exists.
func (e *Engine) ForgetExec(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.execs, id)
}

// AddImage adds an image.
func (e *Engine) AddImage(i Image) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i.ID == "" {
		i.ID = "sha256:" + digest("image "+i.Name, 0)
	}
	e.images[i.ID], e.images[i.Name] = &i, &i
	return i.ID
}

// Import creates an image as dockertest's real engines do, but only with the changes "LABEL
// key=value".
func (e *Engine) Import(name string, changes ...string) (id string, err error) {
	labels := map[string]string{}
	for _, c := range changes {
		rest, ok := strings.CutPrefix(c, "LABEL ")
		k, v, pair := strings.Cut(rest, "=")
		if ok && pair {
			labels[k] = strings.Trim(v, `"`)
		}
	}
	return e.AddImage(Image{Name: name, Labels: labels}), nil
}

// Remove removes a container.
func (e *Engine) Remove(idOrName string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove(e.find(idOrName))
}

func (e *Engine) remove(gone *Container) {
	kept := e.containers[:0]
	for _, c := range e.containers {
		if c != gone {
			kept = append(kept, c)
		}
	}
	e.containers = kept
}

// find returns the container with an id, a unique prefix of one, or a name; nil if there is none.
func (e *Engine) find(idOrName string) *Container {
	var match *Container
	for _, c := range e.containers {
		if c.ID == idOrName || c.Name == idOrName {
			return c
		}
		if strings.HasPrefix(c.ID, idOrName) {
			if match != nil {
				return nil
			}
			match = c
		}
	}
	return match
}

// create creates a container from the body of POST /containers/create.
func (e *Engine) create(name string, body []byte) (*Container, int, string) {
	var b struct {
		Image, User string
		Labels      map[string]string
		HostConfig  HostConfig
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, 400, err.Error()
	}
	image := e.images[b.Image]
	if image == nil {
		return nil, 404, "No such image: " + b.Image
	}
	if name != "" && e.find(name) != nil {
		return nil, 409, fmt.Sprintf("Conflict. The container name %q is already in use", "/"+name)
	}
	labels := map[string]string{}
	for _, set := range []map[string]string{image.Labels, b.Labels} {
		for k, v := range set {
			labels[k] = v
		}
	}
	return e.add(Container{Name: name, Image: b.Image, ImageID: image.ID, User: b.User,
		Labels: labels, HostConfig: b.HostConfig}), 201, ""
}

func digest(kind string, n int) string {
	sum := sha256.Sum256([]byte(kind + strconv.Itoa(n)))
	return hex.EncodeToString(sum[:])
}
