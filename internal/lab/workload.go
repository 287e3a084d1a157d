package lab

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"dropcap/internal/dockertest/rootfs"
)

const imageName = "dropcap-lab:1"

// image returns the archive of the containers' image. With one archive, its id is the same on every
// node.
func image() ([]byte, error) {
	for _, name := range []string{"busybox", filepath.Join(cache(), "base/bin/busybox")} {
		file, err := exec.LookPath(name)
		if err != nil || !static(file) {
			continue
		}
		program, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		root, err := rootfs.Busybox(program)
		if err != nil {
			return nil, err
		}
		return rootfs.Archive(imageName, root)
	}
	return nil, errors.New("there is no static busybox in PATH (apt-get install busybox-static)")
}

// static reports whether a program needs no loader: it is alone in its container.
func static(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	return !slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// needsRaw is a script that ends unless NET_RAW, bit 13, is in its bounding set: a container that
// breaks under the control, without anybody having declared it.
const needsRaw = `set=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
[ $((0x$set >> 13 & 1)) = 1 ] || { echo "cannot open a raw socket" >&2; exit 1; }
exec sleep 86400`

// container is the body of a request that creates one.
type container struct {
	Image        string
	Cmd          []string
	Volumes      map[string]struct{} `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	StopTimeout  int
	HostConfig   hostConfig
}

type hostConfig struct {
	CapAdd, CapDrop []string
	PortBindings    map[string][]map[string]string `json:",omitempty"`
	RestartPolicy   map[string]string
}

func run(host hostConfig, cmd ...string) container {
	host.RestartPolicy = map[string]string{"Name": "unless-stopped"}
	return container{Image: imageName, Cmd: cmd, StopTimeout: 1, HostConfig: host}
}

// containers returns what runs on a node, by name.
func containers(n Node) map[string]container {
	list := map[string]container{
		"hardened": run(hostConfig{CapDrop: []string{"ALL"}, CapAdd: []string{"NET_BIND_SERVICE"}},
			"httpd", "-f", "-p", "80"),
		"tunnel": run(hostConfig{CapAdd: []string{"NET_ADMIN"}}, "sleep", "86400"),
	}
	if n.Role == "web" {
		ports := map[string][]map[string]string{"80/tcp": {{"HostPort": "8080"}}}
		web := run(hostConfig{PortBindings: ports}, "httpd", "-f", "-p", "80", "-h", "/tmp")
		web.ExposedPorts = map[string]struct{}{"80/tcp": {}}
		list["web"] = web
	} else {
		db := run(hostConfig{}, "sh", "-c", "date >/data/began; exec sleep 86400")
		db.Volumes = map[string]struct{}{"/data": {}}
		list["db"] = db
	}
	if n.Fails {
		list["monitor"] = run(hostConfig{}, "sh", "-c", needsRaw)
	}
	return list
}

// client talks to an engine over its socket.
type client struct{ http *http.Client }

func newClient(socket string) *client {
	return &client{&http.Client{Timeout: time.Minute,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _,
			_ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

func (c *client) version(ctx context.Context) (string, error) {
	answer, err := c.call(ctx, http.MethodGet, "/version", nil)
	var v struct{ Version string }
	if err == nil {
		err = json.Unmarshal(answer, &v)
	}
	return v.Version, err
}

// fill creates the image and starts the node's containers.
func (c *client) fill(ctx context.Context, n Node, image []byte) error {
	answer, err := c.call(ctx, http.MethodPost, "/images/load?quiet=1", image)
	if err != nil {
		return fmt.Errorf("make an image: %w", err)
	}
	if bytes.Contains(answer, []byte(`"error"`)) {
		// after the first byte, a failure is a line of the answer
		return fmt.Errorf("make an image: %s", bytes.TrimSpace(answer))
	}
	for name, body := range containers(n) {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		if _, err := c.call(ctx, http.MethodPost, "/containers/create?name="+name,
			text); err != nil {
			return fmt.Errorf("create container %s: %w", name, err)
		}
		if _, err := c.call(ctx, http.MethodPost, "/containers/"+name+"/start", nil); err != nil {
			return fmt.Errorf("start container %s: %w", name, err)
		}
	}
	return nil
}

func (c *client) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if req.Header.Set("Content-Type", "application/x-tar"); bytes.HasPrefix(body, []byte("{")) {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= 400 {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	return answer, err
}
