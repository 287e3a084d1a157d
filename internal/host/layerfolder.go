package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"dropcap"
	"dropcap/internal/containerd"
	"dropcap/internal/layer"
	"dropcap/internal/recreate"
)

// layerStore is where an engine on this host keeps the writable layers of its containers.
type layerStore struct {
	session *Session
	driver  string // of storage: overlay2, or containerd's overlayfs
	root    string // the engine's own folder
	// containerd is where the layers are that the engine does not keep itself; nil: it keeps them
	// all.
	containerd *containerd.Store
	// view is a path before every other by which this process sees the files as the engine does:
	// its root folder in its mount namespace.
	view string
}

// layerStore asks the engine. The error says why layers cannot be accessed.
func (s *Session) layerStore(ctx context.Context) (*layerStore, error) {
	socket, local := s.Local()
	if !local {
		return nil, errors.New("the engine runs on another machine")
	}
	raw, err := s.Raw(ctx, "/info", nil)
	if err != nil {
		return nil, err
	}
	var info struct {
		Driver        string
		DriverStatus  [][2]string
		DockerRootDir string
		Containerd    struct {
			Address    string
			Namespaces struct{ Containers string }
		}
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		return nil, fmt.Errorf("read what the engine says of itself: %w", err)
	}
	l := &layerStore{session: s, driver: info.Driver, root: info.DockerRootDir}
	if _, pid, ok := s.Kernel.EngineCaps(socket); ok {
		l.view = fmt.Sprintf("/proc/%d/root", pid)
	}
	for _, pair := range info.DriverStatus {
		if pair == [2]string{"driver-type", "io.containerd.snapshotter.v1"} {
			l.containerd = &containerd.Store{
				Address:     l.view + info.Containerd.Address,
				Namespace:   info.Containerd.Namespaces.Containers,
				Snapshotter: info.Driver,
			}
		}
	}
	switch {
	case l.containerd == nil && l.driver != "overlay2", l.containerd != nil &&
		l.driver != "overlayfs":
		return nil, fmt.Errorf("dropcap does not know layers of the storage driver %.40q", l.driver)
	case !cleanPath(l.root), l.containerd != nil && !cleanPath(info.Containerd.Address):
		return nil, errors.New("the engine does not tell where its files are")
	}
	return l, nil
}

// folder is the folder of a container's own layer, as this process reaches it.
func (l *layerStore) folder(ctx context.Context, id string) (string, error) {
	if l.containerd == nil {
		return l.own(ctx, id)
	}
	upper, err := l.containerd.Upper(ctx, id)
	if err != nil {
		return "", err
	}
	root, err := l.containerd.Root(ctx)
	if err != nil {
		return "", err
	}
	// containerd snapshots/overlay/overlay.go, upperPath
	return l.within(upper, filepath.Join(root, "snapshots"), "fs")
}

// own is the folder of a layer that the engine keeps itself.
func (l *layerStore) own(ctx context.Context, id string) (string, error) {
	raw, err := l.session.RawContainer(ctx, id)
	if err != nil {
		return "", err
	}
	var b struct {
		GraphDriver struct {
			Name string
			Data struct{ UpperDir string }
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return "", fmt.Errorf("read where the layer of %.12s is: %w", id, err)
	}
	if b.GraphDriver.Name != "overlay2" {
		return "", fmt.Errorf("dropcap does not know layers of the storage driver %.40q",
			b.GraphDriver.Name)
	}
	// moby daemon/graphdriver/overlay2/overlay.go, diffDirName
	return l.within(b.GraphDriver.Data.UpperDir, filepath.Join(l.root, "overlay2"), "diff")
}

// within checks that a layer's folder is where all layers are: ROOT/LAYER/LAST.
func (l *layerStore) within(folder, root, last string) (string, error) {
	if !cleanPath(folder) || !cleanPath(root) || filepath.Base(folder) != last ||
		filepath.Dir(filepath.Dir(folder)) != root {
		return "", fmt.Errorf("the engine says that the layer is %.200q, which is not below its "+
			"own %q", folder, root)
	}
	return l.view + folder, nil
}

// cleanPath reports whether a path is absolute and clean.
func cleanPath(p string) bool {
	return filepath.IsAbs(p) && filepath.Clean(p) == p && !strings.ContainsRune(p, 0)
}

// readLayers finds out where containers' own layers are.
func (o *originals) readLayers(ctx context.Context) {
	if !o.isHere() {
		o.noLayers = "the engine runs on another machine"
		return
	}
	var err error
	if o.layers, err = o.h.layerStore(ctx); err != nil {
		o.noLayers = whyNot(err)
	}
}

// layerFacts is what there is to say of a container's own layer before it is carried along; nil
// with the reason where it cannot be.
func (o *originals) layerFacts(ctx context.Context, id string) (*recreate.LayerFacts, string) {
	if o.layers == nil {
		return nil, o.noLayers
	}
	folder, err := o.layers.folder(ctx, id)
	if err != nil {
		return nil, whyNot(err)
	}
	f, err := layer.Look(ctx, folder)
	if err != nil {
		return nil, whyNot(err)
	}
	return &recreate.LayerFacts{Bytes: f.Bytes, Entries: f.Entries, Room: f.Room - layer.Reserve,
		Shares: f.Shares}, ""
}

// whyNot returns an error in a few words.
func whyNot(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "only root gets at the engine's files"
	}
	if e := new(dropcap.Error); errors.As(err, &e) {
		return e.Message
	}
	return Cause(err).Error()
}
