package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"dropcap"
	"dropcap/internal/printable"
	"dropcap/internal/recreate"
)

// composeGate stands between compose and the engine: whatever compose has read, it gets to make no
// container but its predecessor with the capabilities that were asked for, to start none that was
// not compared, and to touch nobody else's.
type composeGate struct {
	composing
	c     *change
	back  bool // what the former files say is allowed, not what the edited ones do
	looks bool // it may change nothing: a rehearsal

	mu      sync.Mutex
	made    map[string]bool // the ids of what compose has made
	refused error           // the first refusal
}

// looking is for a rehearsal.
func (s composing) looking(c *change) *composeGate {
	return &composeGate{composing: s, c: c, looks: true}
}

// composeUp has compose make the services' containers, by the edited files or the former ones. The
// error is why it was kept from it.
func (s composing) composeUp(ctx context.Context, c *change, name string,
	back bool) (dropcap.Result, error) {
	gate := &composeGate{composing: s, c: c, back: back, made: map[string]bool{}}
	result, err := s.do(ctx, c, s.up(name, !back, gate))
	gate.mu.Lock()
	defer gate.mu.Unlock()
	if gate.refused != nil {
		c.happened(s.now(), name+" was refused: "+gate.refused.Error())
		return result, gate.refused
	}
	return result, err
}

// The requests by which compose makes a service again (docker/compose pkg/compose/convergence.go,
// and executor.go since 5). Its requests about images, volumes, networks and commands are not among
// them: none of that is pending, as the rehearsal has said.
var (
	onContainer = regexp.MustCompile(
		`^/containers/([a-zA-Z0-9][a-zA-Z0-9_.-]*)(?:/(start|stop|kill|wait|rename|archive))?$`)
	onNetwork = regexp.MustCompile(`^/networks/([a-zA-Z0-9][a-zA-Z0-9_.-]*)/connect$`)
)

const toCreate = "/containers/create"

// Ask implements dropcap.Gatekeeper.
func (k *composeGate) Ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return body, k.refuse(func() (err error) {
		body, err = k.decide(ctx, method, path, body)
		return err
	})
}

// refuse keeps the first refusal, after which nothing more is let through.
func (k *composeGate) refuse(do func() error) error {
	if k.refused == nil {
		k.refused = do()
	}
	return k.refused
}

func (k *composeGate) decide(ctx context.Context, method, path string,
	body []byte) ([]byte, error) {
	id, verb := "", ""
	if m := onContainer.FindStringSubmatch(path); m != nil {
		id, verb = m[1], m[2]
	}
	var connected struct{ Container string }
	switch {
	case k.looks:
	case method == http.MethodPost && path == toCreate:
		return k.create(body)
	case method == http.MethodPost && onNetwork.MatchString(path):
		if json.Unmarshal(body, &connected) == nil && k.made[connected.Container] &&
			k.known(onNetwork.FindStringSubmatch(path)[1]) {
			return body, nil // it is compared before it is started
		}
	case method == http.MethodPut && verb == "archive":
		// contents of configs and secrets, which stand in the files
		if k.made[id] {
			return body, nil
		}
	case method == http.MethodPost && verb == "start":
		return body, k.start(ctx, id)
	case method == http.MethodPost && verb != "" && verb != "archive",
		method == http.MethodDelete && id != "" && verb == "":
		return body, k.member(ctx, id)
	}
	return nil, dropcap.Errorf(dropcap.CodeError,
		"do that with docker compose yourself; then plan again",
		"cannot let compose do more than make %s again: it asks for %s %s", k.c.Title(), method,
		printable.Cut(path, 200))
}

// create lets a container of a service be made, with the labels that say where its files are, since
// compose was given copies, and what it depends on, since compose was told of these services alone.
func (k *composeGate) create(body []byte) ([]byte, error) {
	var whole map[string]json.RawMessage
	var labels map[string]string
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, fmt.Errorf("cannot read what compose wants to make: it is no JSON")
	}
	if err := json.Unmarshal(whole["Labels"], &labels); err != nil {
		return nil, fmt.Errorf("cannot read what compose wants to make: it has no labels")
	}
	const p = "com.docker.compose."
	was, ok := k.predecessor(labels)
	if labels[p+"project"] != k.from.Project.Name || !ok {
		return nil, dropcap.Errorf(dropcap.CodeError, "",
			"cannot let compose make a container that is not in the place of one of the service's")
	}
	for _, name := range []string{p + "project.config_files", p + "project.environment_file",
		p + "depends_on"} {
		delete(labels, name)
		if v, ok := was.labels[name]; ok {
			labels[name] = v
		}
	}
	text, err := json.Marshal(labels)
	if err != nil {
		return nil, err
	}
	whole["Labels"] = text
	return json.Marshal(whole)
}

// Answered implements dropcap.Gatekeeper: what was made is compared before anything is stopped for
// it.
func (k *composeGate) Answered(ctx context.Context, method, path string, status int,
	body []byte) error {
	if method != http.MethodPost || path != toCreate || status != http.StatusCreated {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	id, err := createdID(body)
	if err != nil {
		return k.refuse(func() error { return err })
	}
	k.made[id] = true
	err = k.refuse(func() error {
		now, err := k.look(ctx, k.c, "inspect-made", id)
		if err != nil || now == nil {
			return err
		}
		// before, the other networks come later
		return k.differing(ctx, k.c, now, k.back, !older(k.c, "1.44"))
	})
	if err == nil {
		return nil
	}
	if _, no := k.do(ctx, k.c, remove("remove-made", "remove what compose has made otherwise",
		id)); no != nil {
		k.log("%s: %v", k.c.Name, no)
	}
	return err
}

// start lets a member be started that is the former container itself, or as its predecessor was.
func (k *composeGate) start(ctx context.Context, id string) error {
	now, err := k.look(ctx, k.c, "inspect-made", id)
	switch {
	case err != nil:
		return err
	case now == nil:
		return nil // the engine will say so
	case k.former(now.ID):
		return nil
	}
	return k.differing(ctx, k.c, now, k.back, true)
}

// member refuses what is about somebody else's container.
func (k *composeGate) member(ctx context.Context, id string) error {
	list, err := k.list(ctx, k.c)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.ID == id || m.name() == id {
			return nil
		}
	}
	if k.made[id] {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeError,
		"do that with docker compose yourself; then plan again",
		"cannot let compose touch %s, which is not of the services", printable.Cut(id, 200))
}

// known reports whether one of the former ones is in a network, by its name or id.
func (s composing) known(network string) bool {
	for _, f := range s.formerOnes() {
		var b struct {
			NetworkSettings struct {
				Networks map[string]struct{ NetworkID string }
			}
		}
		_ = json.Unmarshal(f.raw, &b) // one that cannot be read knows none
		for name, n := range b.NetworkSettings.Networks {
			if name == network || n.NetworkID == network {
				return true
			}
		}
	}
	return false
}

// predecessor is the former one of the service and number in labels.
func (s composing) predecessor(labels map[string]string) (formerOne, bool) {
	const p = "com.docker.compose."
	if one := s.from.service(labels[p+"service"]); one != nil {
		for _, f := range one.former() {
			if f.labels[p+"container-number"] == labels[p+"container-number"] {
				return f, true
			}
		}
	}
	return formerOne{}, false
}

// differing is nil if a container is as its predecessor was, but for the capabilities, which are as
// the files say, the edited ones or those before. Without networks, one that is missing does not
// count yet. Of a change that an older dropcap began, no former ones are known.
func (s composing) differing(ctx context.Context, c *change, now *containerState, back,
	networks bool) error {
	if len(s.formerOnes()) == 0 {
		return nil
	}
	var b struct {
		Config struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(now.raw, &b); err != nil {
		return fmt.Errorf("cannot read what compose has made: %w", err)
	}
	was, ok := s.predecessor(b.Config.Labels)
	if !ok {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot tell what %s is in the place of",
			now.Name)
	}
	o, err := c.original()
	if err != nil {
		return err
	}
	partners, err := s.partners(ctx, c, was, now)
	if err != nil {
		return err
	}
	recipe, err := recreate.Read(recreate.Original{
		API: o.API, Engine: o.Engine, Version: o.Version, Inspect: was.raw, Networks: o.Networks,
	}.Pointing(partners))
	if err != nil {
		return err
	}
	g := s.from.service(b.Config.Labels["com.docker.compose.service"]).grant(back)
	var list []recreate.Difference
	for _, d := range recipe.Remade(now.raw, g) {
		if networks || !(strings.HasPrefix(d.Path, "NetworkSettings.Networks.") &&
			d.Because == "missing") {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeError,
		"see what has changed in the files, the environment or the engine; or change the "+
			"container itself with --strategy recreate",
		"cannot let compose make %s otherwise than it was: it differs in more than capabilities: %s", was.name, places(list))
}

// older reports whether the engine's API is older than a version.
func older(c *change, than string) bool {
	o, err := c.original()
	if err != nil {
		return true
	}
	var a, b, x, y int
	_, err1 := fmt.Sscanf(o.API, "%d.%d", &a, &b)
	_, err2 := fmt.Sscanf(than, "%d.%d", &x, &y)
	return err1 != nil || err2 != nil || a < x || a == x && b < y
}
