package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dropcap/internal/lab/cloud"
)

// Bucket is an existing bucket, for outputs of any size.
const Bucket = "dropcap-lab"

// Group is the resource group of all nodes.
const Group = "lab"

// makeNodes creates the nodes' folders and engines.
func (l *lab) makeNodes(ctx context.Context) error {
	if err := os.Mkdir(filepath.Join(l.Folder, "bin"), 0o700); err != nil {
		return err
	}
	if !l.Bare {
		if err := os.Symlink(l.Program, filepath.Join(l.Folder, "bin/dropcap")); err != nil {
			return err
		}
	}
	for k := range l.Nodes {
		for _, name := range []string{"", "store", "home", "tmp", "agent", "docker", "root"} {
			if err := os.Mkdir(l.file(k, name), 0o700); err != nil {
				return err
			}
		}
		l.state.Nodes = append(l.state.Nodes, Node{
			ID: fmt.Sprintf("i-0dc%014x", k+1), Name: fmt.Sprintf("lab-%d", k+1),
			Role: []string{"web", "db"}[k%2], Platform: "Linux", Online: true,
			Fails: k+1 == l.Fails, Host: "unix://" + l.file(k, "no-engine.sock"),
			Folder: l.file(k, ""),
		})
	}
	if err := l.isolate(); err != nil {
		return err
	}
	if err := l.makeEngines(ctx); err != nil {
		return err
	}
	if l.Windows {
		l.state.Nodes = append(l.state.Nodes, Node{ID: "mi-0dc00000000000a01", Name: "lab-windows",
			Role: "web", Platform: "Windows", Online: true})
	}
	if l.Offline {
		l.state.Nodes = append(l.state.Nodes, Node{ID: "mi-0dc00000000000a02", Name: "lab-offline",
			Role: "web", Platform: "Linux"})
	}
	return nil
}

// makeCloud creates the double of AWS, which knows the nodes.
func (l *lab) makeCloud() {
	l.double = cloud.New(nil)
	l.double.Trust(l.state.key(), cloud.DefaultAccount)
	var ids []string
	for _, n := range l.state.Nodes {
		ids = append(ids, n.ID)
		node := cloud.Node{ID: n.ID, Region: l.Region, Name: n.Name, Platform: n.Platform,
			Tags: map[string]string{"Name": n.Name, "role": n.Role, "fleet": Group}}
		if n.Platform == "Windows" {
			node.PlatformName, node.PlatformVersion = "Microsoft Windows Server 2022 Datacenter",
				"10.0.20348"
		}
		l.double.Add(node)
		l.double.Silence(cloud.DefaultAccount, l.Region, n.ID, !n.Online)
	}
	l.double.Group(cloud.DefaultAccount, l.Region, Group, ids...)
	l.double.Bucket(cloud.DefaultAccount, l.Region, Bucket)
}

// attach starts the nodes' agents. They end with ctx.
func (l *lab) attach(ctx context.Context, certificate *cloud.Certificate) (*sync.WaitGroup, error) {
	var work sync.WaitGroup
	failed := make(chan error, l.Nodes)
	channel := "https" + strings.TrimPrefix(l.state.Endpoint, "http")
	for k, n := range l.state.Nodes[:l.Nodes] {
		agent := &cloud.Agent{Endpoint: l.state.Endpoint, Node: n.ID, Region: l.Region,
			Key: l.state.key(), Folder: l.file(k, "agent"), Alone: true,
			Channel: channel, Roots: certificate.Roots(),
			Env: l.environment(k, n), Start: l.starter(k)}
		work.Go(func() { failed <- agent.Run(ctx) })
	}
	// An agent that cannot register ends at once.
	select {
	case err := <-failed:
		return &work, err
	case <-time.After(200 * time.Millisecond):
		return &work, nil
	}
}

// environment returns the whole environment of a node's scripts, without the lab's own environment,
// with its keys and contexts. What is installed on a node, or removed from it, is in its folder,
// since this machine has only one /usr/local/bin.
func (l *lab) environment(k int, n Node) []string {
	path := append([]string{l.file(k, "root/usr/local/bin"), filepath.Join(l.Folder, "bin")},
		folders...)
	if k < len(l.engines) && l.engines[k] != nil {
		path = append(path, l.engines[k].path...)
	}
	return []string{
		"PATH=" + strings.Join(path, ":"), "HOME=" + l.file(k, "home"),
		"TMPDIR=" + l.file(k, "tmp"), "LANG=C.UTF-8",
		"DOCKER_HOST=" + n.Host, "DOCKER_CONFIG=" + l.file(k, "docker"), "DROPCAP_STORE=" +
			l.file(k, "store"), "DROPCAP_PREFIX=" + l.file(k, "root"),
		markName + "=" + l.state.Mark,
	}
}

// statusPath cannot be a bucket's: names of buckets have at least three characters.
const statusPath = "/-/lab"

// statusService is the service for which requests to it are signed.
const statusService = "lab"

func (s State) key() cloud.Key { return cloud.Key{ID: s.Key, Secret: s.Secret} }

// Requests counts the requests that a lab has served, by API ("ssm:SendCommand").
type Requests map[string]int

// handler returns the double of AWS, with an address that reports how many requests it has served.
func (l *lab) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != statusPath:
			l.double.ServeHTTP(w, r)
		case !l.double.Known(r, statusService):
			http.Error(w, "it is not signed by the lab's key", http.StatusForbidden)
		default:
			_ = json.NewEncoder(w).Encode(Requests(l.double.Calls())) // the client has gone
		}
	})
}

// Served asks a running lab.
func (s State) Served(ctx context.Context) (Requests, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+statusPath, nil)
	if err != nil {
		return nil, err
	}
	if err := s.key().Sign(req, nil, statusService, s.Region); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the lab: %w", err)
	}
	defer resp.Body.Close()
	var r Requests
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return nil, fmt.Errorf("cannot ask the lab: %s: %w", resp.Status, err)
	}
	return r, nil
}
