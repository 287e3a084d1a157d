package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap/internal/testenv"
)

// A unix socket belongs to its user alone from its first moment on, and lets in whoever can open
// it. What a dead server left is taken over; a living server's, or any other file, is not.
func TestAUnixSocket(t *testing.T) {
	path := filepath.Join(testenv.ShortFolder(t), "own", "page.sock")
	l, err := Listen(Where{Socket: path})
	if err != nil {
		t.Fatal(err)
	}
	for file, mode := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if i, err := os.Stat(file); err != nil || i.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", file, i.Mode(), err)
		}
	}
	s := &stage{T: t, engine: town(t), store: filepath.Join(t.TempDir(), "store")}
	s.serve(false, l)
	s.seen()
	jar, _ := cookiejar.New(nil)
	v := &visitor{stage: s, http: &http.Client{Jar: jar, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}}
	s.url = "http://localhost:8642" // as a browser names it that comes by ssh -L
	if status, text := v.get("/"); status != 200 || !strings.Contains(text, "nginx:1.27") {
		t.Errorf("over the socket: %d", status)
	}
	if status, _ := v.get("/metrics"); status != 200 {
		t.Errorf("metrics over the socket: %d", status)
	}
	if status, _ := v.do("GET", "/", nil, http.Header{"Host": {"evil.example"}}); status != 421 {
		t.Errorf("another name over the socket: %d", status)
	}
	if second, err := Listen(Where{Socket: path}); err == nil ||
		!strings.Contains(err.Error(), "somebody listens there already") {
		t.Errorf("a second server: %v, %v", second, err)
	}
	s.end()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	again, err := Listen(Where{Socket: path})
	if err != nil {
		t.Fatalf("after a dead server: %v", err)
	}
	again.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Where{Socket: path}); err == nil ||
		!strings.Contains(err.Error(), "no socket") {
		t.Errorf("where a file is: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Error("the file is gone")
	}
}

const token = "0123456789abcdef0123456789abcdef"

// Beyond this machine: TLS, the certificate's names only, and a token, which is asked for slowly.
func TestTLSAndAToken(t *testing.T) {
	cert, key, roots := certificate(t)
	l, err := Listen(Where{Address: "127.0.0.1:0", CertFile: cert, KeyFile: key, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, engine: town(t), store: filepath.Join(t.TempDir(), "store")}
	s.serve(true, l)
	s.seen()
	jar, _ := cookiejar.New(nil)
	v := &visitor{stage: s, http: &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "pages.example"}}}}
	if status, _ := v.do("GET", "/", nil, http.Header{"Host": {"pages.example"}}); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, _ := v.get("/link"); status != 200 {
		t.Errorf("the form for the token: %d", status)
	}
	began := time.Now()
	wrong := url.Values{"token": {"guessed guessed guessed"}}
	if status, _ := v.do("POST", "/link", wrong, nil); status != 401 ||
		time.Since(began) < time.Second {
		t.Errorf("a wrong token: %d after %v", status, time.Since(began))
	}
	right := url.Values{"token": {token}}
	if status, _ := v.do("POST", "/link", right, nil); status != 200 {
		t.Errorf("the right token: %d", status)
	}
	at, _ := url.Parse(s.url)
	for _, c := range jar.Cookies(at) {
		if c.Name != "__Host-dropcap" {
			t.Errorf("the cookie is called %s", c.Name)
		}
	}
	if status, text := v.get("/"); status != 200 || !strings.Contains(text, "nginx:1.27") {
		t.Errorf("with the token: %d", status)
	}
	if status, _ := v.do("GET", "/", nil, http.Header{"Host": {"evil.example"}}); status != 421 {
		t.Errorf("a name that the certificate lacks: %d", status)
	}
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	unknown := &visitor{stage: s, http: &http.Client{Transport: v.http.Transport}}
	if status, _ := unknown.do("GET", "/metrics", nil, bearer); status != 200 {
		t.Errorf("a scraper with the token: %d", status)
	}
	bearer = http.Header{"Authorization": {"Bearer "}}
	if status, _ := unknown.do("GET", "/metrics", nil, bearer); status != 401 {
		t.Errorf("a scraper with none: %d", status)
	}
}

// certificate makes a certificate of pages.example and 127.0.0.1 that signs itself.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true,
		Subject: pkix.Name{CommonName: "pages"}, DNSNames: []string{"pages.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key = write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
	roots = x509.NewCertPool()
	text, _ := os.ReadFile(cert)
	roots.AppendCertsFromPEM(text)
	return cert, key, roots
}
