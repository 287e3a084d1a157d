package docker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	ddocker "github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"

	"dropcap"
	"dropcap/internal/dockertest/fake"
)

type env map[string]string

func (e env) get(k string) string { return e[k] }

// saveContext writes a docker context as `docker context create` does.
func saveContext(t *testing.T, dir, name, host string, files map[string][]byte) {
	t.Helper()
	s := store.New(filepath.Join(dir, "contexts"), store.NewConfig(func() any {
		return &map[string]any{}
	}))
	meta := store.Metadata{Name: name,
		Endpoints: map[string]any{"docker": ddocker.EndpointMeta{Host: host}}}
	if err := s.CreateOrUpdate(meta); err != nil {
		t.Fatal(err)
	}
	if files != nil {
		if err := s.ResetEndpointTLSMaterial(name, "docker",
			&store.EndpointTLSData{Files: files}); err != nil {
			t.Fatal(err)
		}
	}
}

func writeConfig(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestResolveOrder follows docker's precedence (docker/cli cli/command/cli.go, CurrentContext).
func TestResolveOrder(t *testing.T) {
	dir := t.TempDir()
	saveContext(t, dir, "here", "unix:///here.sock", nil)
	saveContext(t, dir, "there", "tcp://there:1", nil)
	writeConfig(t, dir, `{"currentContext":"here","HttpHeaders":{"X-A":"1"}}`)
	bare := t.TempDir()
	for _, test := range []struct {
		name   string
		o      Options
		env    env
		host   string
		socket string
	}{
		{"nothing", Options{ConfigDir: bare}, nil, "unix:///var/run/docker.sock",
			"/var/run/docker.sock"},
		{"config", Options{ConfigDir: dir}, nil, "unix:///here.sock", "/here.sock"},
		{"DOCKER_CONFIG", Options{}, env{"DOCKER_CONFIG": dir}, "unix:///here.sock", "/here.sock"},
		{"DOCKER_CONTEXT over config", Options{ConfigDir: dir}, env{"DOCKER_CONTEXT": "there"},
			"tcp://there:1", ""},
		{"DOCKER_CONTEXT default", Options{ConfigDir: dir}, env{"DOCKER_CONTEXT": "default"},
			"unix:///var/run/docker.sock", "/var/run/docker.sock"},
		{"DOCKER_HOST over both", Options{ConfigDir: dir}, env{"DOCKER_HOST": "unix:///env",
			"DOCKER_CONTEXT": "there"}, "unix:///env", "/env"},
		{"--host over DOCKER_HOST", Options{ConfigDir: dir, Host: "unix:///flag"},
			env{"DOCKER_HOST": "unix:///env"}, "unix:///flag", "/flag"},
		{"--context over DOCKER_HOST", Options{ConfigDir: dir, Context: "there"},
			env{"DOCKER_HOST": "unix:///env"}, "tcp://there:1", ""},
		{"--context default with DOCKER_HOST", Options{ConfigDir: dir, Context: "default"},
			env{"DOCKER_HOST": "unix:///env"}, "unix:///env", "/env"},
		{"port by default", Options{ConfigDir: bare, Host: "tcp://h"}, nil, "tcp://h:2375", ""},
		{"no scheme", Options{ConfigDir: bare, Host: "h:5"}, nil, "tcp://h:5", ""},
		{"ssh", Options{ConfigDir: bare, Host: "ssh://me@h:22"}, nil, "ssh://me@h:22", ""},
	} {
		test.o.Getenv = test.env.get
		ep, err := resolve(test.o)
		if err != nil || ep.Host != test.host || ep.socket != test.socket {
			t.Errorf("%s: %q, %q, %v", test.name, ep.Host, ep.socket, err)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	dir, broken := t.TempDir(), t.TempDir()
	writeConfig(t, dir, `{"currentContext":"lost"}`)
	writeConfig(t, broken, `{"currentContext":`)
	for _, test := range []struct {
		name string
		o    Options
		env  env
		part string
	}{
		{"both flags", Options{Host: "unix:///a", Context: "b"}, nil, "--host and --context"},
		{"unknown context", Options{ConfigDir: dir, Context: "nobody"}, nil, `"nobody"`},
		{"unknown current context", Options{ConfigDir: dir}, nil, `"lost"`},
		{"context as a path", Options{ConfigDir: dir, Context: "../../etc"}, nil, `"../../etc"`},
		{"broken config", Options{ConfigDir: broken}, nil, "docker's configuration"},
		{"scheme", Options{ConfigDir: dir, Host: "gopher://h"}, nil, "gopher"},
		{"port", Options{ConfigDir: dir}, env{"DOCKER_HOST": "tcp://h:port"}, "tcp://h:port"},
		{"no certificates", Options{ConfigDir: dir, Host: "tcp://h:1"},
			env{"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/none"}, "/none/ca.pem"},
		{"headers", Options{ConfigDir: dir, Host: "tcp://h:1"},
			env{"DOCKER_CUSTOM_HEADERS": "token"}, "DOCKER_CUSTOM_HEADERS"},
	} {
		test.o.Getenv = test.env.get
		_, err := Open(t.Context(), test.o)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot ") ||
			!strings.Contains(err.Error(), test.part) || dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("%s: %v, exit status %d", test.name, err, dropcap.ExitOf(err))
		}
	}
	// A broken file is no error if it does not decide.
	if ep, err := resolve(Options{ConfigDir: broken, Host: "unix:///a",
		Getenv: env{}.get}); err != nil || ep.socket != "/a" {
		t.Errorf("%+v, %v", ep, err)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for _, host := range []string{"ssh://me:hunter2@127.0.0.1:1", "tcp://me:hunter2@127.0.0.1:1",
		"http://me:hunter2@127.0.0.1:1", "tcp://me:hunter2@h:x y"} {
		_, err := Open(t.Context(), Options{Host: host, ConfigDir: t.TempDir(), Getenv: env{}.get,
			Timeout: 5 * time.Second})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestVersionsAgreed(t *testing.T) {
	for _, test := range []struct{ newest, forced, want string }{
		{"1.40", "", "1.40"}, {"1.41", "", "1.41"}, {"1.56", "", "1.56"}, {"1.99", "", "1.56"},
		{"1.45", "1.41", "1.41"}, {"1.45", "v1.41", "1.41"},
		{"1.9", "", ""}, {"1.45", "1.39", ""}, {"1.45", "latest", ""}, {"1.45", "1.41/../..", ""},
		{"", "", ""},
	} {
		c := &Client{engine: engineInfo{newest: test.newest}}
		err := c.agree(strings.TrimPrefix(test.forced, "v"))
		if c.engine.agreed != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: got %q, %v", test, c.engine.agreed, err)
		}
	}
}

func TestHeadersAreSent(t *testing.T) {
	for name, o := range map[string]struct {
		config string
		env    env
		want   string
	}{
		"config": {`{"HttpHeaders":{"X-Token":"a"}}`, env{}, "a"},
		"variable": {`{"HttpHeaders":{"X-Token":"a"}}`,
			env{"DOCKER_CUSTOM_HEADERS": `"x-token=b,c",other=d`}, "b,c"},
	} {
		dir := t.TempDir()
		writeConfig(t, dir, o.config)
		got, err := headers(Options{Getenv: o.env.get}, mustLoad(t, dir))
		if err != nil || got["X-Token"] != o.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// tlsEngine starts a fake behind TLS that asks for a client certificate, and returns the files that
// reach it.
func tlsEngine(t *testing.T) (addr string, files map[string][]byte) {
	srv := httptest.NewUnstartedServer(fake.Start(t, fake.Options{}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pair := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	return srv.Listener.Addr().String(), map[string][]byte{
		"ca.pem": cert, "cert.pem": cert,
		"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
}

func otherCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTLS(t *testing.T) {
	addr, files := tlsEngine(t)
	dir, empty := t.TempDir(), t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	saveContext(t, empty, "secure", "tcp://"+addr, files)
	saveContext(t, empty, "no-client-certificate", "tcp://"+addr,
		map[string][]byte{"ca.pem": files["ca.pem"]})
	saveContext(t, empty, "other-ca", "tcp://"+addr, map[string][]byte{"ca.pem": otherCA(t),
		"cert.pem": files["cert.pem"], "key.pem": files["key.pem"]})
	for _, test := range []struct {
		name string
		o    Options
		env  env
		part string // of the error; empty for success
	}{
		{"variables", Options{ConfigDir: empty}, env{"DOCKER_HOST": "tcp://" + addr,
			"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": dir}, ""},
		{"flags", Options{ConfigDir: dir, Host: "tcp://" + addr, TLS: TLS{Verify: true}}, nil, ""},
		{"context", Options{ConfigDir: empty, Context: "secure"}, nil, ""},
		{"without verifying", Options{ConfigDir: dir, Host: "tcp://" + addr,
			TLS: TLS{Enable: true}}, nil, ""},
		{"no client certificate", Options{ConfigDir: empty, Context: "no-client-certificate"}, nil,
			"cannot speak TLS"},
		{"another CA", Options{ConfigDir: empty, Context: "other-ca"}, nil, "cannot speak TLS"},
		{"without TLS", Options{ConfigDir: empty, Host: "tcp://" + addr}, nil,
			"HTTP request to an HTTPS server"},
	} {
		test.o.Getenv, test.o.Timeout = test.env.get, 5*time.Second
		c, err := Open(t.Context(), test.o)
		if test.part != "" {
			if err == nil || !strings.Contains(err.Error(), test.part) {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if _, err := c.List(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if path, ok := c.Local(); ok {
			t.Errorf("%s: local at %s", test.name, path)
		}
		c.Close()
	}
	plain := httptest.NewServer(fake.Start(t, fake.Options{}))
	defer plain.Close()
	_, err := Open(t.Context(),
		Options{ConfigDir: dir, Host: "tcp://" + plain.Listener.Addr().String(),
			TLS: TLS{Verify: true}, Getenv: env{}.get})
	if err == nil || !strings.Contains(err.Error(), "cannot speak TLS") ||
		dropcap.ExitOf(err) != dropcap.ExitHost {
		t.Errorf("an engine without TLS: %v", err)
	}
}

// TestSSH puts a program named ssh first in PATH. It connects to the socket as `docker system
// dial-stdio` does at the other end.
func TestSSH(t *testing.T) {
	const relay = "DROPCAP_TEST_RELAY"
	if socket := os.Getenv(relay); socket != "" {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			os.Exit(3)
		}
		go io.Copy(conn, os.Stdin)
		io.Copy(os.Stdout, conn)
		os.Exit(0)
	}
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: "far"})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in *'docker system dial-stdio'*) ;; *) echo \"odd: $*\" " +
		">&2; exit 9;; esac\n" +
		"case \"$*\" in *refused*) read -r request; echo 'Permission denied (publickey).' >&2; " +
		"exit 255;; esac\n" +
		relay + "=" + e.Socket + " exec " + self + " -test.run='^TestSSH$'\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	c, err := Open(t.Context(), Options{Host: "ssh://me@far.example", ConfigDir: t.TempDir(),
		Getenv: env{}.get, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.List(t.Context(), nil)
	if err != nil || len(list) != 1 || list[0].Name != "far" {
		t.Errorf("%v, %v", list, err)
	}
	if path, ok := c.Local(); ok {
		t.Errorf("ssh is local at %s", path)
	}
	_, err = Open(t.Context(), Options{Host: "ssh://refused.example", ConfigDir: t.TempDir(),
		Getenv: env{}.get, Timeout: 20 * time.Second})
	if err == nil || !strings.Contains(err.Error(), "Permission denied (publickey)") ||
		dropcap.ExitOf(err) != dropcap.ExitHost {
		t.Errorf("got %v", err)
	}
}

func mustLoad(t *testing.T, dir string) *configfile.ConfigFile {
	t.Helper()
	f, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
