package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
	"unicode"

	"dropcap"
)

// statusError is a refusal by the engine.
type statusError struct {
	status  int
	message string // the engine's own, safe to print
}

func (e *statusError) Error() string { return e.message }

// Is makes a 404 a dropcap.ErrNotFound, as well as Podman's message for a container that goes away
// while it is described.
func (e *statusError) Is(target error) bool {
	return target == dropcap.ErrNotFound && (e.status == http.StatusNotFound ||
		e.status == http.StatusInternalServerError && e.vanished())
}

// vanished reads the cause at the end of Podman's text, in its library's words
// (libpod/define/errors.go).
func (e *statusError) vanished() bool {
	for _, cause := range []string{"no such container", "container has already been removed",
		"no such exec session"} {
		if strings.HasSuffix(e.message, cause) {
			return true
		}
	}
	return false
}

// statusOf returns the status of a refusal; 0 if err is none.
func statusOf(err error) int {
	var s *statusError
	if errors.As(err, &s) {
		return s.status
	}
	return 0
}

// RefusalMessage returns the engine's own words if err is its refusal.
func RefusalMessage(err error) (words string, ok bool) {
	var s *statusError
	if errors.As(err, &s) {
		return s.message, true
	}
	return "", false
}

// forbidden reports whether a proxy before the engine, or a plugin of it, blocked the request.
func forbidden(err error) bool {
	s := statusOf(err)
	return s == http.StatusForbidden || s == http.StatusUnauthorized
}

// refusal returns the error for an answer other than 200.
func refusal(r request, status int, body []byte) error {
	s := &statusError{status: status, message: errorMessage(status, body)}
	code, hint := dropcap.CodeError, "see the engine's log"
	switch {
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		code, hint = dropcap.CodeHost,
			"something before the engine, or an authorization plugin of it, does not allow this"
	case status == http.StatusNotFound:
		hint = ""
	case strings.Contains(s.message, "client version"):
		code, hint = dropcap.CodeHost,
			"unset DOCKER_API_VERSION, or use a version of dropcap that fits this engine"
	case status < http.StatusInternalServerError:
		hint = ""
	}
	return dropcap.Errorf(code, hint, "cannot get what %s asks for: the engine says: %w", r, s)
}

// errorMessage returns the engine's message from the body of an error, as one short printable line.
func errorMessage(status int, body []byte) string {
	var m struct {
		Message string `json:"message"`
	}
	text := string(body[:min(len(body), 4096)])
	if json.Unmarshal(body, &m) == nil && m.Message != "" {
		text = m.Message
	}
	if text = printable(text, 300); text == "" {
		return fmt.Sprintf("%d %s", status, http.StatusText(status))
	}
	return text
}

// printable returns what may be shown on a terminal, on one line of at most limit runes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	runes := []rune(strings.TrimSpace(s))
	if len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return string(runes)
}

// unreadable returns the error for an answer that violates the API.
func unreadable(r request, err error) error {
	return dropcap.Errorf(dropcap.CodeError, "is a Docker Engine or Podman at that address?",
		"cannot read the engine's answer to %s: %w", r, err)
}

// failed returns the error for a request without a whole answer. ctx is the caller's, without our
// timeout.
func (c *Client) failed(ctx context.Context, r request, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return interrupted(r.String(), ctx)
	}
	at := c.endpoint.shown()
	host := func(hint, format string, args ...any) error {
		if !errors.Is(err, context.DeadlineExceeded) { // a timeout may concern only this request
			err = errors.Join(dropcap.ErrUnreachable, err)
		}
		return &dropcap.Error{Code: dropcap.CodeHost, Hint: hint,
			Message: fmt.Sprintf(format, args...), Err: err}
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return host("the engine hangs or is busy: wait longer with --timeout, or see its log",
			"cannot get an answer to %s%s", r, c.timeoutText(ctx))
	case errors.Is(err, fs.ErrPermission):
		return host("run as root, or be in the group docker",
			"cannot open the engine's socket %s: permission denied", at)
	case errors.Is(err, fs.ErrNotExist):
		return host("start the engine ('systemctl start docker'), or name another with --host or "+
			"--context",
			"cannot find an engine at %s: no such socket", at)
	case errors.Is(err, syscall.ECONNREFUSED):
		return host("start the engine ('systemctl start docker'), or name another with --host or "+
			"--context",
			"cannot reach an engine at %s: nobody listens there", at)
	case isTLS(err):
		return host("see --tlsverify, DOCKER_CERT_PATH and the certificates",
			"cannot speak TLS with %s: %s", at, cause(err))
	case errors.As(err, &dns):
		return host("see the host's name", "cannot reach an engine at %s: %s", at, cause(dns))
	case errors.As(err, &op) && op.Op == "dial":
		return host("see --host and --context", "cannot reach an engine at %s: %s", at,
			cause(op.Err))
	case strings.HasPrefix(c.endpoint.Host, "ssh://"):
		return host("see whether 'ssh HOST docker version' works without asking",
			"cannot reach an engine at %s: %s", at, cause(err))
	default:
		return dropcap.Errorf(dropcap.CodeError, "is a Docker Engine or Podman at that address?",
			"cannot read the engine's answer to %s: %s", r, cause(err))
	}
}

// timeoutText names the timeout that expired: ours, unless the caller set one.
func (c *Client) timeoutText(ctx context.Context) string {
	if _, own := ctx.Deadline(); own {
		return " in time"
	}
	return " within " + c.timeout.String()
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert *net.OpError // crypto/tls wraps alerts in one
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &alert) && strings.HasSuffix(alert.Op,
		" error") || errors.As(err, &verify) || errors.As(err, &authority) ||
		errors.As(err, &name) || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// cause returns the innermost text, without the address that net/http puts before it.
func cause(err error) string {
	text := err.Error()
	if i := strings.Index(text, `": `); i >= 0 &&
		strings.HasPrefix(text[strings.IndexByte(text, ' ')+1:], `"http`) {
		text = text[i+3:]
	}
	return printable(redacted(text), 300)
}
