// Package webhook posts occurrences to a web server, signed with a secret. It follows no redirect,
// reads next to nothing of an answer, and shows nothing of an address but its host: a path may be
// a secret. docs/watch.md says how a receiver checks the signature.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"dropcap"
)

// The headers of a request.
const (
	// SignatureHeader holds "t=SECONDS,v1=HEX": the time of the attempt, and the HMAC-SHA256 of
	// that time, a full stop and the body, by the secret.
	SignatureHeader = "Dropcap-Signature"
	// IDHeader holds the occurrence's id: the same for each attempt.
	IDHeader = "Dropcap-Occurrence"
)

const (
	// MinSecret is the shortest secret, in bytes.
	MinSecret = 16
	// maxBody is the largest document that is sent, in bytes.
	maxBody   = 64 << 10
	maxAnswer = 4 << 10
	timeout   = 10 * time.Second
)

// Hook is one address.
type Hook struct {
	url    *url.URL
	secret []byte
	agent  string
	client *http.Client
}

// New returns a hook. An address without TLS must be on this machine. The agent is the User-Agent.
func New(address string, secret []byte, agent string) (*Hook, error) {
	const hint = "for example --webhook https://alerts.example.com/dropcap"
	u, err := url.Parse(address)
	if err != nil {
		return nil, dropcap.Errorf(dropcap.CodeUsage, hint,
			"cannot post to the webhook: its address cannot be read") // err quotes it
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "":
		return nil, dropcap.Errorf(dropcap.CodeUsage, hint,
			"cannot post to the webhook: its address is not one of https")
	case u.User != nil:
		return nil, dropcap.Errorf(dropcap.CodeUsage, "the secret belongs into a file: "+
			"--webhook-secret-file", "cannot post to the webhook: its address holds a password")
	case u.Scheme == "http" && !local(u.Hostname()):
		return nil, dropcap.Errorf(dropcap.CodeUsage, hint, "cannot post to the webhook at %s "+
			"without TLS: only an address of this machine may be http", u.Host)
	case len(secret) < MinSecret:
		return nil, dropcap.Errorf(dropcap.CodeUsage,
			"for example: (umask 077; head -c 32 /dev/urandom | base64 >FILE)",
			"cannot sign for the webhook: the secret is shorter than %d bytes", MinSecret)
	}
	h := &Hook{url: u, secret: secret, agent: agent}
	h.client = &http.Client{
		Timeout: timeout, Transport: transport(u.Scheme == "http"),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	return h, nil
}

// local reports whether a host is this machine by its name; what it resolves to is checked when it
// is dialled.
func local(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func transport(onlyLocal bool) *http.Transport {
	d := &net.Dialer{Timeout: timeout}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
		MaxResponseHeaderBytes: maxAnswer, MaxIdleConns: 1, IdleConnTimeout: time.Minute,
	}
	if onlyLocal {
		t.Proxy = nil
		d.Control = func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil || !a.Addr().Unmap().IsLoopback() {
				return errors.New("it is not on this machine")
			}
			return nil
		}
	}
	return t
}

// Failure is an answer that is no success, or none.
type Failure struct {
	why   string
	final bool
	after time.Duration
}

func (f *Failure) Error() string { return f.why }

// Permanent reports whether another attempt would not help.
func (f *Failure) Permanent() bool { return f.final }

// RetryAfter returns how long the receiver wants to be left alone.
func (f *Failure) RetryAfter() time.Duration { return f.after }

// Send posts an occurrence once. The error is a *Failure.
func (h *Hook) Send(ctx context.Context, o dropcap.Occurrence) error {
	body, err := json.Marshal(o)
	if err != nil || len(body) > maxBody {
		return &Failure{why: "the document is too large", final: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(),
		bytes.NewReader(body))
	if err != nil {
		return &Failure{why: "the request cannot be made", final: true}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", h.agent)
	req.Header.Set(IDHeader, o.ID)
	req.Header.Set(SignatureHeader, Sign(h.secret, time.Now(), body))
	resp, err := h.client.Do(req)
	if err != nil {
		return &Failure{why: h.url.Host + ": " + reason(err)}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that it is used again
	return h.judge(resp)
}

// judge says whether an answer is a success, and whether another attempt may be.
func (h *Hook) judge(resp *http.Response) error {
	status := resp.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	f := &Failure{why: fmt.Sprintf("%s answers with status %d", h.url.Host, status)}
	switch {
	case status >= 300 && status < 400:
		f.why += ", a redirect, which is not followed"
		f.final = true
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly ||
		status == http.StatusTooManyRequests || status >= 500:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			f.after = time.Duration(min(s, 86400)) * time.Second
		}
	default:
		f.final = true
	}
	return f
}

// reason returns an error of the client without the address, whose path may be a secret.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return "it does not answer in time"
		}
		return u.Err.Error()
	}
	return err.Error()
}

// Sign returns the value of SignatureHeader.
func Sign(secret []byte, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
