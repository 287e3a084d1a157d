// Package flag has the groups of flags that several commands share.
package flag

import (
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"dropcap/internal/docker"
)

// Engine says which engine to talk to: docker's own flags, with its own meaning and environment
// variables.
type Engine struct {
	host, context, config string
	timeout               time.Duration
	tls                   docker.TLS
}

// Register adds the flags.
func (e *Engine) Register(f *pflag.FlagSet) {
	f.StringVarP(&e.host, "host", "H", "",
		"engine to talk to: unix://, tcp:// or ssh:// (default: DOCKER_HOST, or the context's)")
	f.StringVarP(&e.context, "context", "c", "",
		"docker context to use (default: DOCKER_CONTEXT, or the current one)")
	f.StringVar(&e.config, "config", "",
		"docker's folder of client configuration (default: DOCKER_CONFIG, or ~/.docker)")
	f.DurationVar(&e.timeout, "timeout", 30*time.Second,
		"give up a request to the engine after this time")
	f.BoolVar(&e.tls.Enable, "tls", false, "use TLS")
	f.BoolVar(&e.tls.Verify, "tlsverify", false,
		"use TLS and verify the engine (default: DOCKER_TLS_VERIFY)")
	f.StringVar(&e.tls.CAFile, "tlscacert", "", "trust certificates that are signed by this CA")
	f.StringVar(&e.tls.CertFile, "tlscert", "", "TLS certificate")
	f.StringVar(&e.tls.KeyFile, "tlskey", "", "TLS key")
}

// Options returns what the flags say.
func (e *Engine) Options() docker.Options {
	return docker.Options{
		Host: e.host, Context: e.context, ConfigDir: e.config, TLS: e.tls, Timeout: e.timeout,
	}
}

// Args returns arguments by which another process, in any folder, reaches the same engine.
func (e *Engine) Args() []string {
	var line []string
	for _, f := range []struct {
		name, value string
		path        bool
	}{
		{"host", e.host, false}, {"context", e.context, false}, {"config", e.config, true},
		{"tlscacert", e.tls.CAFile, true}, {"tlscert", e.tls.CertFile, true},
		{"tlskey", e.tls.KeyFile, true},
	} {
		value := f.value
		if f.path {
			value = Absolute(value)
		}
		if value != "" {
			line = append(line, "--"+f.name, value)
		}
	}
	if e.tls.Enable {
		line = append(line, "--tls")
	}
	if e.tls.Verify {
		line = append(line, "--tlsverify")
	}
	return line
}

// Absolute returns a path for a process that runs in another folder; empty stays empty.
func Absolute(path string) string {
	abs, err := filepath.Abs(path)
	if path == "" || err != nil {
		return path
	}
	return abs
}
