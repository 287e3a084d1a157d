package e2e_test

import (
	"crypto/hmac"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
	"dropcap/internal/webhook"
)

// On a real engine: what starts with too much, an exec that holds more, a change that is undone, a
// denial after a change, the engine's end and its return. The webhook gets the same, signed.
func TestWatchTellsWhatHappens(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker26)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	posted := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var stamp int64
		_, _ = fmt.Sscanf(r.Header.Get(webhook.SignatureHeader), "t=%d,", &stamp)
		if want := webhook.Sign([]byte("0123456789abcdef"), time.Unix(stamp, 0), body); !hmac.
			Equal([]byte(want), []byte(r.Header.Get(webhook.SignatureHeader))) {
			t.Error("a post with a wrong signature")
		}
		posted <- string(body)
	}))
	defer receiver.Close()
	store, at := filepath.Join(dir, "store"), unusedAddress(t)
	p := program{env: []string{"DOCKER_HOST=" + e.Host, "PATH=" + testenv.Cache() + "/base/bin:" +
		os.Getenv("PATH")}}
	old := e.RunContainer(t, "old", `{"Image":"app:1","StopTimeout":1}`)
	l := watching(t, p, "--store", store, "--metrics", at, "--webhook", receiver.URL+"/s3cr3t",
		"--webhook-secret-file", secret)

	began := time.Now()
	e.RunContainer(t, "fine", `{"Image":"app:1","StopTimeout":1,"HostConfig":{"CapDrop":["NET_RAW"]}}`)
	id := e.RunContainer(t, "much", `{"Image":"app:1","StopTimeout":1,"HostConfig":{"CapAdd":["SYS_ADMIN"]}}`)
	o := l.tells(t, dropcap.OccurrenceExceeds, "much")
	t.Logf("told %s after the containers were started", time.Since(began).Round(time.Millisecond))
	if o.Container != id || o.Caps != caps.Of(caps.NetRaw, caps.SysAdmin) ||
		o.Verdict != dropcap.Fail || o.Severity != caps.Critical {
		t.Errorf("%+v", o)
	}
	// the other one that was started may be posted first
	if first := <-posted; !strings.Contains(first, o.ID) {
		if body := <-posted; !strings.Contains(body, o.ID) {
			t.Errorf("posted %s\n%s", first, body)
		}
	}
	e.Exec(t, id, dockertest.ExecOptions{Cmd: []string{"true"}})
	e.Exec(t, id, dockertest.ExecOptions{Cmd: []string{"true"}, Privileged: true})
	if o = l.tells(t, dropcap.OccurrenceExec, "much"); o.Exec == "" || o.Caps.Has(caps.SysAdmin) ||
		!o.Caps.Has(caps.SysModule) {
		t.Errorf("%+v", o)
	}

	// "old" was so at the beginning. It is changed, and undone.
	if r := p.run(t, "apply", "old", "--store", store, "--level", "cis", "--yes", "--soak", "0s",
		"--no-watch"); r.status != 0 {
		t.Fatal(r.err)
	}
	e.Remove(t, "old")
	e.RunContainer(t, "old", `{"Image":"app:1","StopTimeout":1}`)
	if o = l.tells(t, dropcap.OccurrenceReverted, "old"); o.Change == "" || o.Caps != caps.Of(
		caps.NetRaw) || o.Container == old {
		t.Errorf("%+v", o)
	}
	exports(t, at, `dropcap_engine_up 1`,
		`dropcap_containers{verdict="pass",level="cis"} 1`, `dropcap_changes{state="applied"} 1`,
		`dropcap_findings{rule="reverted",state="open"} 1`,
		`dropcap_workload_capabilities{workload="docker:much",set="held"} 15`,
		`dropcap_occurrences_total{kind="exec"} 1`)
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	l.tells(t, dropcap.OccurrenceEngineAway, "")
	exports(t, at, `dropcap_engine_up 0`)
	if err := e.Revive(); err != nil {
		t.Fatal(err)
	}
	l.tells(t, dropcap.OccurrenceEngineBack, "")
	e.RunContainer(t, "after", `{"Image":"app:1","StopTimeout":1,"HostConfig":{"CapAdd":["NET_ADMIN"]}}`)
	l.tells(t, dropcap.OccurrenceExceeds, "after")
	l.end(t)
	if log := l.logged(); strings.Contains(log, "s3cr3t") || strings.Contains(log, "01234567") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}

// A program that misses what a change dropped is told, also when nobody watches the change itself.
func TestWatchTellsADenialAfterAChange(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.BTF)
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1"); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store")
	p := program{env: []string{"DOCKER_HOST=" + e.Host}}
	e.RunContainer(t, "web", `{"Image":"app:1","Volumes":{"/s":{}},
		"StopTimeout":1,"Cmd":["sh","-c","while sleep 0.2; do [ -e /s/go ] && chown 1 /s/go; done"]}`)
	l := watching(t, p, "--store", store)
	if r := p.run(t, "apply", "web", "--store", store, "--level", "least", "--accept", "low",
		"--yes", "--soak", "0s", "--no-watch"); r.status != 0 {
		t.Fatal(r.err)
	}
	e.Exec(t, "web", dockertest.ExecOptions{Cmd: []string{"touch", "/s/go"}})
	o := l.tells(t, dropcap.OccurrenceDenied, "web")
	if o.Caps != caps.Of(caps.Chown) || o.By == nil || o.Change == "" ||
		!strings.Contains(o.Because, "needed CAP_CHOWN at") {
		t.Errorf("%+v", o)
	}
	l.end(t)
}
