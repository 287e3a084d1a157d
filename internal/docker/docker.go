// Package docker is the client of the engine: it finds the engine as docker's own client does,
// sends requests, and turns the answers into the nouns. It does not trust an engine: answers are
// bounded in size and time, and an answer that it does not understand is an error, never a guess.
package docker

import (
	"context"
	"net/http"
	"os"
	"time"

	"dropcap"
)

// DefaultTimeout limits the wait for an answer if Options sets no timeout.
const DefaultTimeout = 30 * time.Second

// connections is how many requests run at once. Inspect is cheap for the engine, and its locks make
// more useless.
const connections = 16

// Options selects the engine, by the same means as docker's flags and variables.
type Options struct {
	Host      string // --host
	Context   string // --context
	ConfigDir string // --config; else DOCKER_CONFIG, else ~/.docker
	TLS       TLS    // --tls and the flags that go with it
	// for each request, until its answer is complete; 0 means DefaultTimeout
	Timeout   time.Duration
	UserAgent string
	Getenv    func(string) string // nil means os.Getenv
}

// TLS holds docker's TLS flags. Empty fields come from DOCKER_TLS, DOCKER_TLS_VERIFY and
// DOCKER_CERT_PATH.
type TLS struct {
	Enable, Verify            bool
	CAFile, CertFile, KeyFile string
}

// Client talks to one engine. It is safe for concurrent use.
type Client struct {
	http      *http.Client
	endpoint  endpoint
	base      string // prefix of every path: scheme, host and base path
	headers   map[string]string
	userAgent string
	timeout   time.Duration
	engine    engineInfo
	info      shared[infoBody]
	images    imageCache
}

// Open finds the engine and agrees on an API version with it. The error says why that failed, and
// names the remedy.
func Open(ctx context.Context, o Options) (*Client, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	ep, err := resolve(o)
	if err != nil {
		return nil, err
	}
	c, err := connect(ep, o)
	if err != nil {
		return nil, err
	}
	if err := c.negotiate(ctx, o.Getenv(envAPIVersion)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Local returns the path of the engine's socket; false if the engine is reached in another way.
func (c *Client) Local() (socket string, ok bool) {
	return c.endpoint.socket, c.endpoint.socket != ""
}

// Address returns the engine's address as people write it: "unix:///var/run/docker.sock". It
// contains no password.
func (c *Client) Address() string { return c.endpoint.shown() }

// Version returns the agreed API version: "1.41".
func (c *Client) Version() string { return c.engine.agreed }

// Close closes the connections. The Client is unusable afterwards.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// podman reports whether the engine is Podman behind Docker's API.
func (c *Client) podman() bool { return c.engine.name == "podman" }

// host returns a Host with what the greeting contained.
func (c *Client) host() dropcap.Host {
	return dropcap.Host{LSM: []string{}, Engine: dropcap.Engine{Name: c.engine.name,
		Version: c.engine.version, API: c.engine.newest}}
}
