package docker

import (
	"crypto/tls"
	"encoding/csv"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	dcontext "github.com/docker/cli/cli/context"
	ddocker "github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/docker/cli/opts"

	"dropcap"
)

const (
	envHost       = "DOCKER_HOST"
	envContext    = "DOCKER_CONTEXT"
	envConfig     = "DOCKER_CONFIG"
	envTLS        = "DOCKER_TLS"
	envTLSVerify  = "DOCKER_TLS_VERIFY"
	envCertPath   = "DOCKER_CERT_PATH"
	envHeaders    = "DOCKER_CUSTOM_HEADERS"
	envAPIVersion = "DOCKER_API_VERSION"

	defaultContext = "default" // the context made of flags and environment
)

// endpoint is the engine's address and the means to reach it.
type endpoint struct {
	ddocker.Endpoint
	context string
	socket  string // the path of the unix socket; empty for other addresses
	headers map[string]string
}

// shown returns the host without a password.
func (e endpoint) shown() string { return redacted(e.Host) }

var password = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`://([^/@:\s]*):[^@\s]*@`)
})

// redacted removes passwords from the addresses in a text, even from malformed ones.
func redacted(text string) string { return password().ReplaceAllString(text, "://$1:xxxxx@") }

// resolve finds the endpoint in docker's order of preference (docker/cli cli/command/cli.go,
// resolveContextName and resolveDefaultDockerEndpoint). It does not import their package, which
// brings all of docker's commands.
func resolve(o Options) (endpoint, error) {
	dir := configDir(o)
	file, fileErr := config.Load(dir)
	name, err := contextName(o, file, fileErr)
	if err != nil {
		return endpoint{}, err
	}
	ep := endpoint{context: name}
	if name == defaultContext {
		ep.Endpoint, err = fromFlags(o, dir)
	} else {
		ep.Endpoint, err = fromStore(dir, name)
	}
	if err != nil {
		return endpoint{}, err
	}
	if path, ok := strings.CutPrefix(ep.Host, "unix://"); ok {
		ep.socket = path
	}
	ep.headers, err = headers(o, file)
	return ep, err
}

func configDir(o Options) string {
	if o.ConfigDir != "" {
		return o.ConfigDir
	}
	if dir := o.Getenv(envConfig); dir != "" {
		return dir
	}
	return config.Dir()
}

// contextName selects the context. An unreadable config file is an error only if the file decides,
// because a guess could mean another engine.
func contextName(o Options, file *configfile.ConfigFile, fileErr error) (string, error) {
	switch {
	case o.Context != "" && o.Host != "":
		return "", dropcap.Errorf(dropcap.CodeUsage, "give only one of them",
			"cannot use --host and --context together")
	case o.Context != "":
		return o.Context, nil
	case o.Host != "", o.Getenv(envHost) != "":
		return defaultContext, nil
	case o.Getenv(envContext) != "":
		return o.Getenv(envContext), nil
	case fileErr != nil:
		return "", dropcap.Errorf(dropcap.CodeUsage,
			"mend that file, or name the engine with --host",
			"cannot read docker's configuration: %w", fileErr)
	case file.CurrentContext != "":
		return file.CurrentContext, nil
	}
	return defaultContext, nil
}

// fromFlags returns the endpoint of the default context.
func fromFlags(o Options, dir string) (ddocker.Endpoint, error) {
	files, verify, on := tlsFlags(o, dir)
	host := o.Host
	if host == "" {
		host = o.Getenv(envHost)
	}
	parsed, err := opts.ParseHost(on, host)
	if err != nil {
		return ddocker.Endpoint{}, dropcap.Errorf(dropcap.CodeUsage,
			"write it like unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host",
			"cannot use the host %q: %s", redacted(host), redacted(err.Error()))
	}
	ep := ddocker.Endpoint{EndpointMeta: ddocker.EndpointMeta{Host: parsed}}
	if !on {
		return ep, nil
	}
	ep.SkipTLSVerify = !verify
	ep.TLSData, err = dcontext.TLSDataFromFiles(files.CAFile, files.CertFile, files.KeyFile)
	if err != nil {
		return ddocker.Endpoint{}, dropcap.Errorf(dropcap.CodeUsage,
			"see DOCKER_CERT_PATH, --tlscacert, --tlscert and --tlskey",
			"cannot read the TLS files: %w", err)
	}
	return ep, nil
}

// tlsFlags completes the flags from the environment. A default certificate and key may be missing
// (docker/cli cli/flags/options.go, SetDefaultOptions).
func tlsFlags(o Options, dir string) (files TLS, verify, on bool) {
	verify = o.TLS.Verify || o.Getenv(envTLSVerify) != ""
	on = o.TLS.Enable || verify || o.Getenv(envTLS) != ""
	certs := o.Getenv(envCertPath)
	if certs == "" {
		certs = dir
	}
	files = o.TLS
	if files.CAFile == "" {
		files.CAFile = filepath.Join(certs, "ca.pem")
	}
	if files.CertFile == "" {
		files.CertFile = ifExists(filepath.Join(certs, "cert.pem"))
	}
	if files.KeyFile == "" {
		files.KeyFile = ifExists(filepath.Join(certs, "key.pem"))
	}
	return files, verify, on
}

func ifExists(path string) string {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return path
}

// fromStore reads a named context.
func fromStore(dir, name string) (ddocker.Endpoint, error) {
	s := store.New(filepath.Join(dir, "contexts"), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(ddocker.DockerEndpoint, func() any {
			return &ddocker.EndpointMeta{}
		}),
	))
	fail := func(err error) (ddocker.Endpoint, error) {
		return ddocker.Endpoint{}, dropcap.Errorf(dropcap.CodeUsage, "see 'docker context ls'",
			"cannot use the context %q: %w", name, err)
	}
	meta, err := s.GetMetadata(name)
	if err != nil {
		return fail(err)
	}
	ep, err := ddocker.EndpointFromContext(meta)
	if err != nil {
		return fail(err)
	}
	full, err := ddocker.WithTLSData(s, name, ep)
	if err != nil {
		return fail(err)
	}
	if full.Host == "" {
		return fail(errors.New("it names no host"))
	}
	return full, nil
}

// headers returns the headers that a user's proxy before the engine may need: the config file's
// HttpHeaders, replaced by DOCKER_CUSTOM_HEADERS as docker does.
func headers(o Options, file *configfile.ConfigFile) (map[string]string, error) {
	line := o.Getenv(envHeaders)
	if line == "" {
		return file.HTTPHeaders, nil
	}
	fields, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return nil, badHeaders()
	}
	set := map[string]string{}
	for _, f := range fields {
		k, v, ok := strings.Cut(f, "=")
		if k = strings.TrimSpace(k); k == "" || !ok {
			return nil, badHeaders()
		}
		set[http.CanonicalHeaderKey(k)] = v
	}
	return set, nil
}

// badHeaders does not quote the value, which may be a secret.
func badHeaders() error {
	return dropcap.Errorf(dropcap.CodeUsage, "write it as name=value,name=value", "cannot read %s",
		envHeaders)
}

// tlsConfig returns the connection's TLS configuration from the endpoint's data; nil without TLS.
func (e endpoint) tlsConfig() (*tls.Config, error) {
	if e.socket != "" || (e.TLSData == nil && !e.SkipTLSVerify) {
		return nil, nil
	}
	return tlsFrom(e.TLSData, e.SkipTLSVerify)
}
