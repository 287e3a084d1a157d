package dockertest

import (
	"strconv"
	"strings"
)

// Option changes how an engine is started.
type Option func(*settings)

type settings struct {
	config       map[string]any // daemon.json
	flags        []string
	remap        bool
	capabilities []string // Podman's defaults; nil means Debian's
}

// Config sets a key of dockerd's daemon.json, overriding the harness.
func Config(key string, value any) Option {
	return func(s *settings) { s.config[key] = value }
}

// Flags adds flags to dockerd, or to podman before "system service".
func Flags(flags ...string) Option {
	return func(s *settings) { s.flags = append(s.flags, flags...) }
}

// LiveRestore keeps containers running while dockerd is down.
func LiveRestore() Option { return Config("live-restore", true) }

// UsernsRemap gives containers a user namespace: their root is the host's uid RemapBase.
func UsernsRemap() Option { return func(s *settings) { s.remap = true } }

// RemapBase is the host's uid and gid of a container's root under UsernsRemap.
const RemapBase = 231072

// DefaultCapabilities sets the capabilities that Podman grants by default, in the spelling of
// containers.conf ("CHOWN" or "CAP_CHOWN"). An empty list is valid.
func DefaultCapabilities(names ...string) Option {
	return func(s *settings) { s.capabilities = append([]string{}, names...) }
}

// quoted formats a list of strings for TOML.
func quoted(names []string) string {
	var out []string
	for _, name := range names {
		out = append(out, strconv.Quote(name))
	}
	return strings.Join(out, ", ")
}
