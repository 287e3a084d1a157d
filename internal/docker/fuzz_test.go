package docker

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// roundTrip answers every request with one body.
type roundTrip string

func (b roundTrip) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(string(b)))}, nil
}

// FuzzInspect: any answer results in an error, or in a container whose id, pid and execs can be
// trusted.
func FuzzInspect(f *testing.F) {
	id := strings.Repeat("a", 64)
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"Id":"` + id + `"}`,
		`{"Id":"` + id +
			`","Name":"/web","State":{"Status":"running","Pid":7},"Config":{"Labels":{"PODMAN_SYSTEMD_UNIT":"x"}},"ExecIDs":["` + id + `"],"ID":"` + id + `","Running":true}`,
		`{"Id":"` + id +
			`","HostConfig":{"CapAdd":["ALL"],"CapDrop":null,"Privileged":true,"Runtime":"x"},"Runtimes":{"x":{"path":"runsc"}}}`,
		`{"Id":"` + id + `","BoundingCaps":["CAP_CHOWN"],"message":"\u001b[31m"}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, podman bool) {
		c := &Client{http: &http.Client{Transport: roundTrip(body)}, timeout: time.Minute,
			engine: engineInfo{name: "docker", agreed: "1.41"}}
		if podman {
			c.engine.name, c.engine.libpod = "podman", "4.3.1"
		}
		got, err := c.Inspect(t.Context(), "any")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "cannot ") || strings.ContainsAny(err.Error(),
				"\x1b\n") {
				t.Errorf("error is %q", err)
			}
			return
		}
		if !fullID().MatchString(got.ID) || got.PID < 0 || got.PID > maxPID ||
			got.Owner.Kind != "" || got.Execs == nil {
			t.Errorf("got %+v", got)
		}
		for _, x := range got.Execs {
			if !fullID().MatchString(x.ID) || x.PID < 0 || x.PID > maxPID {
				t.Errorf("exec %+v", x)
			}
		}
		if text, err := json.Marshal(got); err != nil || bytes.Contains(text, []byte("\x1b")) {
			t.Errorf("%s, %v", text, err)
		}
		if _, err := c.Host(t.Context()); err != nil && !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("error is %q", err)
		}
	})
}

// FuzzGreeting: headers come from whatever listens at the address.
func FuzzGreeting(f *testing.F) {
	f.Add("Docker/20.10.24 (linux)", "1.41", "")
	f.Add("Libpod/4.3.1 (linux)", "1.41", "4.3.1")
	f.Add("", "1.41/../..", "4.3.1/../../containers")
	f.Fuzz(func(t *testing.T, server, api, libpod string) {
		e := greeting(http.Header{"Server": {server}, "Api-Version": {api},
			"Libpod-Api-Version": {libpod}})
		if strings.ContainsAny(e.newest+e.libpod+e.version, "\x1b\n") ||
			strings.ContainsAny(e.newest+e.libpod, "/? #%") {
			t.Errorf("%+v", e)
		}
		c := &Client{engine: e}
		if err := c.agree(""); err == nil && !apiVersion().MatchString(c.engine.agreed) {
			t.Errorf("agreed on %q", c.engine.agreed)
		}
	})
}
