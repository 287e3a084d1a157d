package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"dropcap"
)

// Where says where to listen. One of Socket and Address is set; a socket that systemd passed goes
// before both.
type Where struct {
	Socket  string // path of a unix socket, this user's alone
	Address string // host:port
	// CertFile and KeyFile are needed beyond loopback, and so is a token.
	CertFile, KeyFile string
	Token             string
}

// Listening is an open listener and who may come in by it.
type Listening struct {
	net.Listener
	Access
	// URL is the address of the page for a browser on this machine; empty for a unix socket.
	URL string
	// Path is that of a unix socket.
	Path string
}

// Listen opens the listener. Beyond loopback it refuses to listen without TLS and a token.
func Listen(w Where) (Listening, error) {
	if l, err := passed(); l != nil || err != nil {
		if err != nil {
			return Listening{}, err
		}
		return w.around(l)
	}
	if w.Address == "" {
		l, err := unixSocket(w.Socket)
		if err != nil {
			return Listening{}, err
		}
		return w.around(l)
	}
	if err := w.allowed(w.Address); err != nil {
		return Listening{}, err
	}
	l, err := net.Listen("tcp", w.Address)
	if err != nil {
		return Listening{}, dropcap.Errorf(dropcap.CodeError, "choose another port; port 0 takes "+
			"any that is free", "cannot listen at %s: %w", w.Address, cause(err))
	}
	return w.around(l)
}

// around says who may come in by a listener, and puts TLS around it.
func (w Where) around(l net.Listener) (Listening, error) {
	out := Listening{Listener: l}
	if a, ok := l.Addr().(*net.UnixAddr); ok {
		out.Open, out.Path = true, a.Name
		return out, nil
	}
	address := l.Addr().String()
	if err := w.allowed(address); err != nil {
		l.Close()
		return out, err
	}
	out.Token = w.Token
	out.URL = "http://" + address
	if w.CertFile == "" {
		return out, nil
	}
	pair, err := tls.LoadX509KeyPair(w.CertFile, w.KeyFile)
	if err != nil {
		l.Close()
		return out, dropcap.Errorf(dropcap.CodeUsage, "both are files in PEM",
			"cannot use the certificate %s and its key: %w", w.CertFile, err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		l.Close()
		return out, dropcap.Errorf(dropcap.CodeUsage, "", "cannot read the certificate %s: %w",
			w.CertFile, err)
	}
	out.TLS, out.URL = true, "https://"+address
	out.Names = func(name string) bool {
		return Loopback(name) || leaf.VerifyHostname(name) == nil
	}
	out.Listener = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair},
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	return out, nil
}

// allowed refuses what would show this host to a network without TLS and a token.
func (w Where) allowed(address string) error {
	name, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return dropcap.Errorf(dropcap.CodeUsage, "for example --listen 127.0.0.1:8642",
			"cannot listen at %q: that is no address and port", address)
	case (w.CertFile == "") != (w.KeyFile == ""):
		return dropcap.Errorf(dropcap.CodeUsage, "give both, or none",
			"cannot use TLS: --tls-cert and --tls-key belong together")
	case Loopback(name):
		return nil
	case w.CertFile == "":
		return dropcap.Errorf(dropcap.CodeUsage, "listen at 127.0.0.1 and come in by ssh -L, or "+
			"give --tls-cert, --tls-key and --token-file",
			"cannot listen at %s: it is beyond this machine, and there is no TLS", address)
	case w.Token == "":
		return dropcap.Errorf(dropcap.CodeUsage, "give --token-file a file with a long secret",
			"cannot listen at %s: it is beyond this machine, and there is no token", address)
	}
	return nil
}

// unixSocket listens at a path that is this user's alone. What a dead server left there is
// removed; a living one, or any other file, is not.
func unixSocket(path string) (net.Listener, error) {
	fail := func(hint string, err error) (net.Listener, error) {
		return nil, dropcap.Errorf(dropcap.CodeError, hint, "cannot listen at %s: %w", path,
			cause(err))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail("give --socket a path in a folder of yours", err)
	}
	if i, err := os.Lstat(path); err == nil {
		if i.Mode().Type() != fs.ModeSocket {
			return fail("give --socket another path", errors.New("there is a file, and no socket"))
		}
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
			return fail("use that one, or give --socket another path",
				errors.New("somebody listens there already"))
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return fail("", err)
		}
		if err := os.Remove(path); err != nil {
			return fail("", err)
		}
	}
	old := syscall.Umask(0o177) // from its first moment on nobody else may connect
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return fail("a path has 107 bytes at most; give --socket a shorter one", err)
	}
	return l, nil
}

// passed returns the socket that systemd passed to this process (sd_listen_fds(3)); nil if none.
func passed() (net.Listener, error) {
	pid, n := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid != strconv.Itoa(os.Getpid()) || n == "" {
		return nil, nil
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name) // it is not for the programs that this one starts
	}
	if n != "1" {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "give the socket unit one ListenStream=",
			"cannot take %s sockets from systemd", strings.TrimSpace(n))
	}
	const first = 3 // SD_LISTEN_FDS_START
	syscall.CloseOnExec(first)
	f := os.NewFile(first, "listen")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot use the socket of systemd: %w",
			err)
	}
	return l, nil
}

// cause strips the operation and the address, for sentences that name them already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
