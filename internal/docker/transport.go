package docker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/docker/cli/cli/connhelper"
	dcontext "github.com/docker/cli/cli/context"
	"github.com/docker/go-connections/sockets"
	"github.com/docker/go-connections/tlsconfig"
	"github.com/moby/moby/client"

	"dropcap"
)

// sshConnections limits the pool over ssh://, where each connection is a login: beyond ten that are
// not yet authenticated, sshd by default refuses at random (MaxStartups).
const sshConnections = 4

// connect prepares the connection to the engine. Dialers, TLS and host syntax are docker's. The
// pool is ours, since moby's own client keeps 6 idle connections, traces each request and decodes
// everything.
func connect(ep endpoint, o Options) (*Client, error) {
	tr, base, err := transport(ep)
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "see --host, --context and the TLS files",
			"cannot use %s: %s", ep.shown(), redacted(err.Error()))
	}
	return &Client{
		http:      &http.Client{Transport: tr, CheckRedirect: client.CheckRedirect},
		endpoint:  ep,
		base:      base,
		headers:   ep.headers,
		userAgent: o.UserAgent,
		timeout:   o.Timeout,
	}, nil
}

func transport(ep endpoint) (*http.Transport, string, error) {
	tr := &http.Transport{IdleConnTimeout: 30 * time.Second}
	pool(tr, connections)
	helper, err := connhelper.GetConnectionHelper(ep.Host)
	if err != nil {
		return nil, "", err
	}
	if helper != nil {
		pool(tr, sshConnections)
		tr.DialContext = helper.Dialer
		return tr, helper.Host, nil
	}
	u, err := client.ParseHostURL(ep.Host)
	if err != nil {
		return nil, "", err
	}
	if err := sockets.ConfigureTransport(tr, u.Scheme, u.Host); err != nil {
		return nil, "", err
	}
	if u.Scheme == "unix" || u.Scheme == "npipe" {
		return tr, "http://" + client.DummyHost, nil
	}
	tr.TLSClientConfig, err = ep.tlsConfig()
	if err != nil {
		return nil, "", err
	}
	if tr.TLSClientConfig != nil {
		return tr, "https://" + u.Host + u.Path, nil
	}
	return tr, "http://" + u.Host + u.Path, nil
}

func pool(tr *http.Transport, n int) {
	tr.MaxIdleConns, tr.MaxIdleConnsPerHost, tr.MaxConnsPerHost = n, n, n
}

// tlsFrom is docker/cli's own rule (cli/context/docker/load.go, tlsConfig), which it does not
// export: a CA replaces the system's.
func tlsFrom(data *dcontext.TLSData, skipVerify bool) (*tls.Config, error) {
	cfg := tlsconfig.ClientDefault()
	cfg.InsecureSkipVerify = skipVerify // --tls without --tlsverify: the user's choice
	if data == nil {
		return cfg, nil
	}
	if data.CA != nil {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(data.CA) {
			return nil, errors.New("ca.pem holds no certificate")
		}
	}
	if data.Key != nil && data.Cert != nil {
		pair, err := tls.X509KeyPair(data.Cert, data.Key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
