package recreate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"dropcap"
)

// object is a JSON object whose values stay as the engine wrote them.
type object map[string]json.RawMessage

// inspected is the needed part of GET /containers/ID/json.
type inspected struct {
	ID         string `json:"Id"`
	Name       string
	Image      string
	Platform   string
	Created    string
	State      state
	ExecIDs    []string
	Mounts     []mount
	Config     object
	HostConfig object

	ProcessLabel            string
	ImageManifestDescriptor struct{ Platform *platform }
	NetworkSettings         struct{ Networks map[string]object }
}

type state struct {
	Status                            string
	Running, Paused, Restarting, Dead bool
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// mount is one of Mounts: what is mounted, whatever declared it.
type mount struct {
	Type, Name, Source, Destination, Driver, Mode, Propagation string
	RW                                                         bool
}

// config and hostConfig are the parts of Config and HostConfig that matter here. The rest passes
// through unread.
type config struct {
	Hostname, Image, MacAddress string
	Entrypoint                  []string
	Volumes                     map[string]any
	WorkingDir                  string
	OpenStdin, StdinOnce        bool
	NetworkDisabled             bool
	Healthcheck                 struct{ StartInterval int64 }
}

type hostConfig struct {
	NetworkMode, PidMode, IpcMode, UTSMode, CgroupnsMode string
	Privileged, AutoRemove, PublishAllPorts              bool
	CapAdd, CapDrop                                      []string
	Binds, VolumesFrom, Links, SecurityOpt               []string
	Tmpfs, Sysctls                                       map[string]string
	Mounts                                               []object
	PortBindings                                         map[string][]struct {
		HostIp,
		HostPort string
	}
	ContainerIDFile string
	RestartPolicy   struct{ Name string }
	DeviceRequests  []any
	Init            *bool
	Umask           *uint32
	ConsoleSize     [2]uint
}

// image is the needed part of GET /images/ID/json.
type image struct {
	ID                    string `json:"Id"`
	RepoTags, RepoDigests []string
	Architecture          string
	Config                struct {
		Entrypoint []string
	}
}

var (
	fullID = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-f]{64}$`)
	})
	okName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	}) // moby daemon/names/names.go
	version = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[1-9][0-9]?\.[0-9]{1,3}$`)
	})
	okNumber = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9]{1,3}$`)
	})
)

func read(o Original) (*Recipe, error) {
	r := &Recipe{o: o}
	if err := json.Unmarshal(o.Inspect, &r.in); err != nil {
		return nil, unreadable("what the engine says of the container", err)
	}
	r.id, r.name = r.in.ID, strings.TrimPrefix(r.in.Name, "/")
	switch {
	case !fullID().MatchString(r.id):
		return nil, unreadable("what the engine says of the container", errors.New("it has no id"))
	case !okName().MatchString(r.in.Name):
		return nil, unreadable("what the engine says of "+r.id[:12], errors.New("it has no name"))
	case !version().MatchString(o.API):
		return nil, unreadable("what the engine says of "+r.name,
			fmt.Errorf("%q is not an API version", o.API))
	case r.in.Config == nil || r.in.HostConfig == nil:
		return nil, unreadable("what the engine says of "+r.name,
			errors.New("it has no configuration"))
	}
	for _, part := range []struct {
		raw  json.RawMessage
		into any
		what string
	}{
		{join(r.in.Config), &r.config, "the configuration"},
		{join(r.in.HostConfig), &r.host, "the host configuration"},
		{o.Image, &r.image, "the image"},
	} {
		if len(part.raw) == 0 {
			continue
		}
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			return nil, unreadable(part.what+" of "+r.name, err)
		}
	}
	if err := r.readMAC(); err != nil {
		return nil, err
	}
	if err := r.readChanges(); err != nil {
		return nil, err
	}
	return r, nil
}

func unreadable(what string, err error) error {
	return dropcap.Errorf(dropcap.CodeError, "is it a Docker Engine of version 20.10 or later?",
		"cannot understand %s: %w", what, plain(err))
}

// plain removes values from a decoder's error, since they may be secrets: only the field and the
// type remain.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s is not %s", wrong.Field, wrong.Type)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("it is not JSON (at byte %d)", syntax.Offset)
	}
	return err
}

// readMAC reads the configured MAC address of the main network: Config.MacAddress, which API 1.52
// no longer has.
func (r *Recipe) readMAC() error {
	r.mac = r.config.MacAddress
	if r.mac != "" || len(r.o.Older) == 0 {
		return nil
	}
	var older struct{ Config struct{ MacAddress string } }
	if err := json.Unmarshal(r.o.Older, &older); err != nil {
		return unreadable("what the engine says of "+r.name, err)
	}
	r.mac = older.Config.MacAddress
	return nil
}

// userDefined reports whether a network is user-defined, with names and aliases (moby
// api/types/container, NetworkMode.IsUserDefined).
func userDefined(network string) bool {
	return !slices.Contains([]string{"", "default", "bridge", "host", "none"}, network) &&
		!strings.HasPrefix(network, "container:")
}

// mainNetwork returns the name, in NetworkSettings.Networks, of the network that NetworkMode names;
// empty if the container is not in it.
func (r *Recipe) mainNetwork() string {
	mode := r.host.NetworkMode
	if mode == "default" || mode == "" {
		mode = "bridge"
	}
	if _, ok := r.in.NetworkSettings.Networks[mode]; ok {
		return mode
	}
	for name, endpoint := range r.in.NetworkSettings.Networks {
		// it may be named by its id, full or short
		id := text(endpoint["NetworkID"])
		if len(mode) >= 12 && strings.HasPrefix(id, mode) {
			return name
		}
	}
	return ""
}

// mainFirst returns the names of the container's networks, the main one first.
func (r *Recipe) mainFirst() []string {
	names := slices.Sorted(maps.Keys(r.in.NetworkSettings.Networks))
	if i := slices.Index(names, r.mainNetwork()); i > 0 {
		main := names[i]
		names = slices.Insert(slices.Delete(names, i, i+1), 0, main)
	}
	return names
}

// sharesNetwork reports whether the container is in another one's network namespace.
func (r *Recipe) sharesNetwork() bool { return strings.HasPrefix(r.host.NetworkMode, "container:") }

// text returns a JSON string's value, empty if it is none.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) > 0 && json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// nothing reports whether a value is missing, null or empty.
func nothing(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", `""`, "{}", "[]", "0", "false":
		return true
	}
	return false
}

// join encodes an object. Its values come from a decoder, so they can be encoded.
func join(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return out
}

// cleaned returns a destination as the engine stores it.
func cleaned(destination string) string { return path.Clean(destination) }

// older reports whether version a comes before b; both are like "1.41".
func older(a, b string) bool {
	am, an, _ := strings.Cut(a, ".")
	bm, bn, _ := strings.Cut(b, ".")
	if am != bm {
		return number(am) < number(bm)
	}
	return number(an) < number(bn)
}

func number(s string) (n int) {
	if !okNumber().MatchString(s) {
		return 0
	}
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}
