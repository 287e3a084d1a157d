package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
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

	"dropcap/internal/dockertest/fake"
)

// relay makes this program act as `docker system dial-stdio` at the other end of ssh: it connects
// the standard streams to a socket.
const relay = "DROPCAP_E2E_RELAY"

func TestMain(m *testing.M) {
	if socket := os.Getenv(relay); socket != "" {
		if err := dialStdio(socket); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func dialStdio(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(conn, os.Stdin)
		conn.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, conn)
	return err
}

// reaches checks for the audit of that engine's only container.
func reaches(t *testing.T, p program, name string, args ...string) {
	t.Helper()
	r := p.run(t, append([]string{"audit", "--format", "{{.Name}}"}, args...)...)
	if r.out != name+"\n" || r.status != 3 || r.err != "" {
		t.Errorf("%v %v: reached %q, status %d, %q; want %s", p.env, args, r.out, r.status, r.err,
			name)
	}
}

func single(t *testing.T, name string) *fake.Engine {
	e := fake.Start(t, fake.Options{})
	e.Add(fake.Container{Name: name})
	return e
}

// TestWhichEngine: --host, --context, DOCKER_HOST, DOCKER_CONTEXT and the current context, in
// docker's order.
func TestWhichEngine(t *testing.T) {
	a, b, c := single(t, "a"), single(t, "b"), single(t, "c")
	dir := t.TempDir()
	saveContext(t, dir, "one", b.Host)
	saveContext(t, dir, "two", c.Host)
	write(t, filepath.Join(dir, "config.json"), `{"currentContext":"two"}`)
	p := program{env: []string{"DOCKER_CONFIG=" + dir}}
	reaches(t, p, "c")
	reaches(t, p.with("DOCKER_CONTEXT=one"), "b")
	reaches(t, p.with("DOCKER_CONTEXT=one", "DOCKER_HOST="+a.Host), "a")
	reaches(t, p.with("DOCKER_HOST="+a.Host), "b", "--context", "one")
	reaches(t, p.with("DOCKER_CONTEXT=one"), "a", "--host", a.Host)
	reaches(t, program{}, "c", "--config", dir)
	reaches(t, program{env: []string{"HOME=" + filepath.Dir(link(t, dir))}}, "c")
	p.run(t, "audit", "--context", "one", "--host", a.Host).wantError(t, 2, "together")
	p.run(t, "audit", "--context", "none").wantError(t, 2, "none")
	write(t, filepath.Join(dir, "config.json"), `{"currentContext":`)
	p.run(t, "audit").wantError(t, 2, "configuration")
}

// link creates a home whose .docker is dir, and returns its path.
func link(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".docker")
	if err := os.Symlink(dir, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func saveContext(t *testing.T, dir, name, host string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	text, _ := json.Marshal(map[string]any{
		"Name": name, "Metadata": map[string]any{},
		"Endpoints": map[string]any{"docker": map[string]any{"Host": host, "SkipTLSVerify": false}},
	})
	write(t, filepath.Join(dir, "contexts/meta", hex.EncodeToString(sum[:]), "meta.json"),
		string(text))
}

func TestOverTCP(t *testing.T) {
	s := httptest.NewServer(single(t, "far"))
	defer s.Close()
	reaches(t, program{}, "far", "--host", strings.Replace(s.URL, "http", "tcp", 1))
}

// TestOverSSH: the program in PATH that is called ssh carries the connection; its message on
// failure is shown.
func TestOverSSH(t *testing.T) {
	e, dir := single(t, "far"), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := write(t, filepath.Join(dir, "ssh"),
		fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s/asked\n%s=%s exec %s\n", dir, relay, e.Socket,
			self))
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	p := program{env: []string{"PATH=" + dir + ":" + os.Getenv("PATH")}}
	reaches(t, p, "far", "--host", "ssh://me@far.example:2222")
	asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
	if line := strings.Split(string(asked), "\n")[0]; !strings.Contains(line, "-l me -p 2222") ||
		!strings.Contains(line, "far.example docker") ||
		!strings.HasSuffix(line, "system dial-stdio") {
		t.Errorf("ssh was asked %q", asked)
	}
	write(t, script, "#!/bin/sh\nread -r request\nprintf 'me@far: Permission denied "+
		"\\033[31m(publickey).\\r\\n' >&2\nexit 255\n")
	p.run(t, "audit", "--host", "ssh://me@far").wantError(t, 6, "Permission denied")
	write(t, script, "#!/bin/sh\nexec sleep 60\n")
	if r := p.run(t, "audit", "--host", "ssh://me@far", "--timeout",
		"300ms"); r.took > 15*time.Second {
		t.Errorf("took %v", r.took)
	} else {
		r.wantError(t, 6, "within 300ms")
	}
	program{env: []string{"PATH=/nonexistent"}}.run(t, "audit", "--host", "ssh://me@far").
		wantError(t, 6, "ssh")
}

// TestOverTLS: both sides show certificates, as with DOCKER_CERT_PATH; a missing one, or one from
// another CA, is reported.
func TestOverTLS(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	ca := newCA(t, dir)
	newCA(t, other)
	s := httptest.NewUnstartedServer(single(t, "far"))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // its refusals are what is tested
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		Certificates: []tls.Certificate{ca.sign(t, "engine")}}
	s.StartTLS()
	defer s.Close()
	client := ca.sign(t, "client")
	savePEM(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", client.Certificate[0])
	key, err := x509.MarshalECPrivateKey(client.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	savePEM(t, filepath.Join(dir, "key.pem"), "EC PRIVATE KEY", key)
	host := "DOCKER_HOST=" + strings.Replace(s.URL, "https", "tcp", 1)
	p := program{env: []string{host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + dir}}
	reaches(t, p, "far")
	reaches(t, program{env: []string{host}}, "far", "--tlsverify", "--tlscacert", dir+"/ca.pem",
		"--tlscert", dir+"/cert.pem", "--tlskey", dir+"/key.pem")
	p.with("DOCKER_CERT_PATH="+other).run(t, "audit").wantError(t, 6, "TLS")
	p.with("DOCKER_CERT_PATH=/nonexistent").run(t, "audit").wantError(t, 2, "TLS files")
	program{env: []string{host}}.run(t, "audit").wantError(t, 1, "HTTPS")
	write(t, filepath.Join(dir, "key.pem"), "no key")
	p.run(t, "audit").wantError(t, 2, "cannot use tcp://")
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T, dir string) authority {
	t.Helper()
	key := newKey(t)
	c := certificate("ca")
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	savePEM(t, filepath.Join(dir, "ca.pem"), "CERTIFICATE", der)
	return authority{cert, key}
}

func (a authority) sign(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, certificate(name), a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func savePEM(t *testing.T, path, kind string, der []byte) {
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}
