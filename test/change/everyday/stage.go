package everyday

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// Place is where a host's parts lie.
type Place struct {
	Program string // dropcap
	Folder  string // for projects and what containers mount; root's alone
	Scratch string // for the rest
	Compose string // which docker compose: v2 or v5
}

// NewHost puts the corpus's images on an engine, and returns the host that Make fills.
func NewHost(ctx context.Context, e *dockertest.Engine, p Place, all bool) (*Host, error) {
	if _, err := e.Import("app:1", "ENV PATH=/bin"); err != nil {
		return nil, err
	}
	if err := importServers(ctx, e); err != nil {
		return nil, err
	}
	tools := filepath.Join(p.Scratch, "tools")
	plugins := filepath.Join(tools, "cli-plugins")
	if err := os.MkdirAll(plugins, 0o700); err != nil {
		return nil, err
	}
	for link, to := range map[string]string{
		filepath.Join(tools, "docker"):           "docker26/usr/bin/docker",
		filepath.Join(plugins, "docker-compose"): "compose/" + p.Compose + "/docker-compose",
	} {
		if err := os.Symlink(filepath.Join(testenv.Cache(), to), link); err != nil {
			return nil, err
		}
	}
	h := &Host{Program: p.Program, Store: filepath.Join(p.Scratch, "store"), Folder: p.Folder,
		Socket: e.Socket}
	h.Env = append(append(os.Environ(), e.Env()...), "PATH="+tools+":"+os.Getenv("PATH"),
		"DOCKER_CONFIG="+tools, "NO_COLOR=1", "HOME="+p.Scratch)
	var err error
	if h.Containers, err = Containers(all); err != nil {
		return nil, err
	}
	h.Projects, err = Projects(all)
	return h, err
}

// importServers makes the image srv:1 of Debian with real servers.
func importServers(ctx context.Context, e *dockertest.Engine) error {
	text, err := os.ReadFile(filepath.Join(testenv.Cache(), "workloads/root.tar"))
	if err != nil {
		return fmt.Errorf("cannot make srv:1: %w; run test/hosts/provision workloads", err)
	}
	path := "/images/create?" + url.Values{"fromSrc": {"-"}, "repo": {"srv"}, "tag": {"1"},
		"changes": {"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	}.Encode()
	status, answer, err := e.Raw(ctx, http.MethodPost, path, string(text))
	if err == nil && (status != http.StatusOK || strings.Contains(string(answer), `"error"`)) {
		err = fmt.Errorf("%d, %s", status, answer)
	}
	if err != nil {
		return fmt.Errorf("cannot import srv:1: %w", err)
	}
	return nil
}
