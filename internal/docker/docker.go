// Package docker is the engine: it finds it as docker's own client does, asks it, and turns its
// answers into the nouns. What an engine says is not trusted: answers are bounded in size and time,
// and one that is not understood is an error, never a guess.
package docker

import (
	"context"
	"net/http"
	"os"
	"time"

	"dropcap"
)

// DefaultTimeout is how long an answer may take when Options do not say.
const DefaultTimeout = 30 * time.Second

// connections is how many requests run at once; the engine's inspect is cheap, and more than this
// gains nothing on its locks.
const connections = 16

// Options say which engine, by the same means as docker's flags and variables.
type Options struct {
	Host      string        // --host
	Context   string        // --context
	ConfigDir string        // --config; else DOCKER_CONFIG, else ~/.docker
	TLS       TLS           // --tls and its kin
	Timeout   time.Duration // for each request, until its answer is complete; 0 is DefaultTimeout
	UserAgent string
	Getenv    func(string) string // nil is os.Getenv
}

// TLS are docker's flags of that name; what is empty is taken from DOCKER_TLS, DOCKER_TLS_VERIFY
// and DOCKER_CERT_PATH.
type TLS struct {
	Enable, Verify            bool
	CAFile, CertFile, KeyFile string
}

// Client asks one engine. It may be used by many goroutines.
type Client struct {
	http      *http.Client
	endpoint  endpoint
	base      string // what stands before a path: scheme, host and the base path
	headers   map[string]string
	userAgent string
	timeout   time.Duration
	engine    engine
	info      answer[infoBody]
	images    imageCache
}

// Open finds the engine and agrees on an API version with it. The error says why there is none, and
// the remedy.
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

// Local gives the path of the engine's socket; false if it is reached in another way.
func (c *Client) Local() (socket string, ok bool) {
	return c.endpoint.socket, c.endpoint.socket != ""
}

// Address is how the engine is reached, as people write it: "unix:///var/run/docker.sock". It
// carries no password.
func (c *Client) Address() string { return c.endpoint.shown() }

// Version is the API version agreed on: "1.41".
func (c *Client) Version() string { return c.engine.agreed }

// Close ends the connections; the Client cannot be used after it.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// podman tells whether the engine is Podman behind Docker's API.
func (c *Client) podman() bool { return c.engine.name == "podman" }

// host starts the noun with what the first greeting told.
func (c *Client) host() dropcap.Host {
	return dropcap.Host{LSM: []string{}, Engine: dropcap.Engine{Name: c.engine.name,
		Version: c.engine.version, API: c.engine.newest}}
}
