package docker_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
	"dropcap/internal/dockertest/fake"
)

const capability = "SCHILY.xattr.security.capability"

// bindCapability is vfs_cap_data of revision 2: cap_net_bind_service+ep.
var bindCapability = string([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})

// withCapabilities returns the tar of an image with a program that has file capabilities, and one
// that is setuid.
func withCapabilities(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755},
		{Name: "bin/server", Mode: 0o755, Size: 1,
			PAXRecords: map[string]string{capability: bindCapability}, Format: tar.FormatPAX},
		{Name: "bin/su", Mode: 0o4755, Size: 1},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func imported(t *testing.T, e *dockertest.Engine, name, content string) {
	t.Helper()
	path := "/images/create?" + url.Values{"fromSrc": {"-"}, "repo": {name}, "tag": {"1"}}.Encode()
	if e.Kind == dockertest.Podman4 {
		path = "/v4.0.0/libpod/images/import?" +
			url.Values{"reference": {"docker.io/library/" + name + ":1"}}.Encode()
	}
	status, answer, err := e.Raw(t.Context(), http.MethodPost, path, content)
	if err != nil || status != 200 || strings.Contains(string(answer), `"error"`) {
		t.Fatalf("import: %d %s %v", status, answer, err)
	}
}

func client(t *testing.T, host string) *docker.Client {
	t.Helper()
	c, err := docker.Open(t.Context(), docker.Options{Host: host, Getenv: noEnv,
		ConfigDir: t.TempDir(), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// marks lists the files of a tar that have capabilities or a setuid bit: "bin/server 0100…",
// "bin/su setuid".
func marks(t *testing.T, r io.ReadCloser) []string {
	t.Helper()
	defer r.Close()
	var list []string
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(h.Name, "."), "/")
		if c := h.PAXRecords[capability]; c != "" {
			list = append(list, fmt.Sprintf("%s %x", name, c))
		}
		if h.Mode&0o4000 != 0 {
			list = append(list, name+" setuid")
		}
	}
	slices.Sort(list)
	return list
}

func export(t *testing.T, c *docker.Client, id string) []string {
	t.Helper()
	r, err := c.Export(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return marks(t, r)
}

// An export carries the file capabilities of the image's files and of what was written later, but
// not of what is mounted.
func TestExportCarriesFileCapabilities(t *testing.T) {
	for _, kind := range dockertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := dockertest.Start(t, kind)
			c := client(t, e.Host)
			_, info, _ := e.Raw(t.Context(), http.MethodGet, "/info", "")
			var said struct {
				Driver       string
				DriverStatus [][2]string
			}
			_ = json.Unmarshal(info, &said)
			t.Logf("%s keeps files by %s %v", e.Version, said.Driver, said.DriverStatus)
			imported(t, e, "withcaps", withCapabilities(t))
			id := e.Create(t, "image", `{"Image":"withcaps:1","Cmd":["/bin/server"]}`)
			mark := fmt.Sprintf("%x", bindCapability)
			if got, want := export(t, c, id),
				[]string{"bin/server " + mark, "bin/su setuid"}; !slices.Equal(got, want) {
				t.Errorf("of the image: %q, want %q", got, want)
			}
			if _, err := e.Import("box:1"); err != nil {
				t.Fatal(err)
			}
			id = e.RunContainer(t, "written",
				`{"Image":"box:1","Cmd":["sleep","1000"],"Volumes":{"/data":{}}}`)
			for _, dir := range []string{"/tmp", "/data"} {
				e.Exec(t, id, dockertest.ExecOptions{Cmd: []string{"sh", "-c",
					"cat /bin/busybox >" + dir + "/late; chmod 4755 " + dir + "/late"}})
				file := fmt.Sprintf("/proc/%d/root%s/late", e.State(t, id).Pid, dir)
				if err := unix.Setxattr(file, "security.capability", []byte(bindCapability),
					0); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := export(t, c, id),
				[]string{"tmp/late " + mark, "tmp/late setuid"}; !slices.Equal(got, want) {
				t.Errorf("of what was written: %q, want %q", got, want)
			}
			r, err := c.Archive(t.Context(), id, "/data/late")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := marks(t, r), []string{"late " + mark, "late setuid"}; !slices.Equal(got,
				want) {
				t.Errorf("of the volume: %q, want %q", got, want)
			}
			if _, err := c.Archive(t.Context(), id, "/none"); !errors.Is(err, dropcap.ErrNotFound) {
				t.Errorf("a missing path: %v", err)
			}
			e.Remove(t, id)
			if _, err := c.Export(t.Context(), id); !errors.Is(err, dropcap.ErrNotFound) {
				t.Errorf("a missing container: %v", err)
			}
		})
	}
}

func TestExportThatHangsOrBreaks(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	id := e.Add(fake.Container{Files: []byte(withCapabilities(t))})
	c, err := docker.Open(t.Context(), docker.Options{Host: e.Host, Getenv: noEnv,
		ConfigDir: t.TempDir(), Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := export(t, c, id); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	e.Misbehave(fake.Fault{Path: "/export", Hang: true, Times: 1})
	if _, err := c.Export(t.Context(), id); dropcap.ExitOf(err) != dropcap.ExitHost {
		t.Errorf("no answer: %v", err)
	}
	e.Misbehave(fake.Fault{Path: "/export", Hang: true, Body: "begun", Times: 1})
	r, err := c.Export(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); string(got) != "begun" ||
		dropcap.ExitOf(err) != dropcap.ExitHost {
		t.Errorf("stuck: %q, %v", got, err)
	}
	e.Misbehave(fake.Fault{Path: "/export",
		Raw: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", Times: 1})
	r, err = c.Export(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err == nil {
		t.Error("a cut answer passes for a whole one")
	}
	e.Misbehave(fake.Fault{Path: "/export", Status: 500, Times: 1})
	if _, err := c.Export(t.Context(), id); err == nil || !strings.HasPrefix(err.Error(),
		"cannot ") {
		t.Errorf("refused: %v", err)
	}
	if _, err := c.Export(t.Context(), "../info"); !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("a strange id: %v", err)
	}
}
