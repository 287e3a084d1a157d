package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// refusing answers some requests of a lab with an AWS error, and passes on the others: an address
// for AWS_ENDPOINT_URL.
func (l *labBench) refusing(t *testing.T, operation, code string) string {
	t.Helper()
	to, err := url.Parse(l.env["AWS_ENDPOINT_URL"])
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the lab rejects a truncated body
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case operation == "GetCallerIdentity" && bytes.Contains(body, []byte("Action="+operation)):
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<ErrorResponse><Error><Type>Sender</Type><Code>"+code+
				"</Code><Message>no</Message></Error></ErrorResponse>")
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation):
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"`+code+
				`","message":"User: arn:aws:iam::111122223333:user/lab is not authorized to perform it"}`)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// fleet returns the lab's settings and a store of the controller's own.
func (l *labBench) fleet(t *testing.T) program {
	t.Helper()
	env := []string{"DROPCAP_STORE=" + filepath.Join(t.TempDir(), "store"), "DROPCAP_TEST_CACHE=" +
		testenv.Cache()}
	for name, value := range l.env {
		if strings.HasPrefix(name, "AWS_") || name == "DROPCAP_LAB" {
			env = append(env, name+"="+value)
		}
	}
	return program{env: env}
}

// fakeDocker is a docker that knows only the benchmark's own line, and answers by the folder of the
// node that it runs on.
const fakeDocker = `#!/bin/sh
id=$(printf '%064d' 0)
case "$1 $DOCKER_CONFIG" in
"ps "*/node-1/*) echo "$id" ;;
"inspect "*/node-1/*) echo "$id: CapAdd=[NET_ADMIN] CapDrop=<no value>" ;;
"ps "*) ;;
*) echo '"docker inspect" requires at least 1 argument.' >&2; exit 1 ;;
esac
`

// The scripts need nodes, but no engines: who is asked for what, and the messages on errors.
func TestFleetWithoutEngines(t *testing.T) {
	l := startLab(t, "--nodes", "2", "--engines", "none", "--offline", "--windows")
	docker := write(t, filepath.Join(l.folder, "bin/docker"), fakeDocker)
	if err := os.Chmod(docker, 0o755); err != nil {
		t.Fatal(err)
	}
	p := l.fleet(t)
	env := append(p.env[1:], "NODES="+l.folder, "DENIED="+l.refusing(t, "SendCommand",
		"AccessDeniedException"),
		"EXPIRED="+l.refusing(t, "GetCallerIdentity", "ExpiredToken"),
		"UNLISTED="+l.refusing(t, "DescribeInstanceInformation", "AccessDeniedException"))
	if r := p.run(t, "fleet", "install", "--documents-only"); r.status != 0 ||
		strings.Count(r.err, "is there now") != 2 {
		t.Errorf("documents: %d, %s", r.status, r.err)
	}
	runScripts(t, "testdata/fleet", env...)
}
