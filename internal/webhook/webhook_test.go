package webhook

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dropcap"
)

var secret = []byte("0123456789abcdef")

func TestAPostIsSignedAndWhole(t *testing.T) {
	var body, signature, id, kind string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, signature, id = string(b), r.Header.Get(SignatureHeader), r.Header.Get(IDHeader)
		kind = r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type")
	}))
	defer s.Close()
	h, err := New(s.URL+"/hook", secret, "dropcap/1")
	if err != nil {
		t.Fatal(err)
	}
	o := dropcap.Occurrence{Schema: dropcap.SchemaOccurrence, ID: "abc", Because: "<b>"}
	if err := h.Send(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var got dropcap.Occurrence
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.ID != o.ID ||
		got.Because != o.Because || id != "abc" || kind != "POST /hook application/json" {
		t.Errorf("%v, %+v, %q, %q", err, got, id, kind)
	}
	// as a receiver does
	stamp, mac, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	at := time.Unix(seconds, 0)
	_, want, _ := strings.Cut(Sign(secret, at, []byte(body)), ",v1=")
	if err != nil || time.Since(at).Abs() > time.Minute || !hmac.Equal([]byte(mac), []byte(want)) {
		t.Errorf("signature %q", signature)
	}
	if _, other, _ := strings.Cut(Sign([]byte("another secret.."), at, []byte(body)),
		",v1="); other == mac {
		t.Error("another secret signs alike")
	}
}

// The signature was computed with openssl dgst -sha256 -hmac.
func TestTheSignatureIsHMAC(t *testing.T) {
	got := Sign([]byte("0123456789abcdef"), time.Unix(1700000000, 0), []byte(`{"a":1}`))
	want := "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header string
		final  bool
		after  time.Duration
	}{
		"not found": {404, "", true, 0}, "gone": {410, "", true, 0},
		"forbidden": {403, "5", true, 0}, "redirect": {302, "", true, 0},
		"busy": {503, "7", false, 7 * time.Second}, "too many": {429, "soon", false, 0},
		"for years": {503, "999999999", false, 24 * time.Hour}, "broken": {500, "", false, 0},
		"negative": {500, "-5", false, 0}, "timeout": {408, "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				w.Header().Set("Retry-After", c.header)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
			}))
			defer s.Close()
			h, err := New(s.URL+"/token", secret, "")
			if err != nil {
				t.Fatal(err)
			}
			var f *Failure
			if err := h.Send(t.Context(), dropcap.Occurrence{}); !errors.As(err, &f) ||
				f.Permanent() != c.final || f.RetryAfter() != c.after ||
				!strings.Contains(f.Error(), strconv.Itoa(c.status)) ||
				strings.Contains(f.Error(), "token") {
				t.Errorf("%#v", err)
			}
			if asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

// Nothing of an address but its host is shown: a path may be a secret.
func TestNothingIsSecretInAnError(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that the client has gone
		<-r.Context().Done()
	}))
	defer hangs.Close()
	for _, address := range []string{dead.URL, hangs.URL} {
		h, err := New(address+"/s3cr3t?key=s3cr3t", secret, "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err = h.Send(ctx, dropcap.Occurrence{})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") ||
			strings.Contains(err.Error(), string(secret)) {
			t.Errorf("%v", err)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for address, want := range map[string]string{
		"http://alerts.example.com/x":     "without TLS",
		"http://127.0.0.1.example.com/":   "without TLS",
		"http://10.0.0.1/":                "without TLS",
		"https://user:s3cr3t@example.com": "holds a password",
		"ftp://example.com/":              "not one of https",
		"file:///etc/passwd":              "not one of https",
		"https:///path":                   "not one of https",
		"https://exa mple/s3cr3t":         "cannot be read",
		"s3cr3t":                          "not one of https",
	} {
		_, err := New(address, secret, "")
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "cannot ") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"https://example.com/", "http://localhost:1/",
		"http://127.0.0.1:1/", "http://[::1]:1/x"} {
		if _, err := New(address, secret, ""); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := New("https://example.com/", secret[:15], ""); err == nil {
		t.Error("a short secret is taken")
	}
}
