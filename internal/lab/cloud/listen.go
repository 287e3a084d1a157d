package cloud

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// Certificate is the double's TLS certificate: self-signed, for 127.0.0.1 and localhost.
type Certificate struct {
	tls tls.Certificate
	PEM []byte // for clients that must trust it
}

// NewCertificate returns one that is valid for a year.
func NewCertificate() (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()),
		Subject: pkix.Name{CommonName: "dropcap fleet lab"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(1, 0, 0),
		IsCA:     true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		DNSNames:    []string{"localhost", "*.localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &Certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// Roots returns a pool that trusts it.
func (c *Certificate) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.PEM)
	return pool
}

func trusting(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// Serve serves one port both in plain HTTP, which most requests to the double use, and by TLS,
// which agents use for ssmmessages. It ends when the server is closed.
func Serve(server *http.Server, l net.Listener, c *Certificate) error {
	s := &splitListener{Listener: l, ended: make(chan struct{}), plain: make(chan net.Conn),
		secure: make(chan net.Conn)}
	failed := make(chan error, 2)
	config := &tls.Config{Certificates: []tls.Certificate{c.tls}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}}
	go s.accept()
	go func() { failed <- server.Serve(subListener{s, s.plain}) }()
	go func() { failed <- server.Serve(tls.NewListener(subListener{s, s.secure}, config)) }()
	err := <-failed
	_ = s.Close()
	return errors.Join(err, <-failed)
}

// splitListener separates connections by their first byte.
type splitListener struct {
	net.Listener
	once          sync.Once
	ended         chan struct{}
	why           error
	plain, secure chan net.Conn
}

// firstByteTimeout is how long a connection may take to send its first byte.
const firstByteTimeout = 10 * time.Second

func (s *splitListener) accept() {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			s.once.Do(func() { s.why = err; close(s.ended) })
			return
		}
		go s.sort(conn)
	}
}

// sort passes a connection to the right listener. A TLS handshake record begins with 22 (RFC 8446,
// 5.1), unlike any HTTP method.
func (s *splitListener) sort(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(firstByteTimeout))
	r := bufio.NewReader(conn)
	first, err := r.Peek(1)
	if err != nil {
		conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	to := s.plain
	if first[0] == 22 {
		to = s.secure
	}
	select {
	case to <- peeked{conn, r}:
	case <-s.ended:
		conn.Close()
	}
}

// peeked is a connection from which some bytes were read already.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// subListener is one of the two listeners.
type subListener struct {
	*splitListener
	conns chan net.Conn
}

func (h subListener) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, h.why
	}
}

func (h subListener) Close() error { return h.splitListener.Close() }
