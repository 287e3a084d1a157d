package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"dropcap/internal/source"
)

// owners are the users whose files may be edited: root, whoever runs this, and who called sudo.
func owners() []uint32 {
	list := []uint32{0, uint32(os.Geteuid())}
	if id, err := strconv.ParseUint(os.Getenv("SUDO_UID"), 10, 32); err == nil && os.Geteuid() == 0 {
		list = append(list, uint32(id))
	}
	return list
}

// way looks at a file and at every folder above it, the root first, without following a link.
func way(file string) ([]source.Place, error) {
	var list []source.Place
	for at := filepath.Clean(file); ; at = filepath.Dir(at) {
		i, err := os.Lstat(at)
		if err != nil {
			return nil, Cause(err)
		}
		st, ok := i.Sys().(*syscall.Stat_t)
		if !ok {
			return nil, fmt.Errorf("nothing is known of %s", at)
		}
		list = append([]source.Place{{
			Path: at, UID: st.Uid, Mode: uint32(i.Mode().Perm()), Link: i.Mode()&os.ModeSymlink != 0, Folder: i.IsDir(), Regular: i.Mode().IsRegular(),
			Dev: uint64(st.Dev), Inode: st.Ino,
		}}, list...)
		if at == "/" || at == "." {
			return list, nil
		}
	}
}

// trusted tells whether the file that a label names may be edited and acted upon; the error says why not.
func (o *originals) trusted(file string) error {
	if o.unknown != nil {
		return o.unknown
	}
	places, err := way(file)
	if err != nil {
		return err
	}
	return source.Trust(places, owners(), o.mounts)
}

// mountsOf are what the engine's containers mount of the  Devices are the folders that volumes stand for, by the volume's name: of those an
// inspect tells only where the engine has mounted them.
func mountsOf(raw map[string]json.RawMessage, devices map[string]string) []source.Mount {
	var list []source.Mount
	for _, inspect := range raw {
		var b struct {
			Name   string
			Mounts []struct{ Type, Name, Source string }
		}
		_ = json.Unmarshal(inspect, &b) // one that cannot be read is refused elsewhere
		for _, m := range b.Mounts {
			paths := []string{m.Source}
			if m.Type == "volume" {
				paths = append(paths, devices[m.Name])
			}
			for _, path := range paths {
				if i, err := os.Stat(path); err == nil && path != "" {
					if st, ok := i.Sys().(*syscall.Stat_t); ok {
						list = append(list, source.Mount{Container: strings.TrimPrefix(b.Name, "/"), Dev: uint64(st.Dev), Inode: st.Ino})
					}
				}
			}
		}
	}
	return list
}

// devices are the folders and disks that volumes of the local driver were made of (docker volume create -o device=…).
func (o *originals) devices(ctx context.Context) (map[string]string, error) {
	raw, err := o.h.Raw(ctx, "/volumes", nil)
	if err != nil {
		return nil, err
	}
	var b struct {
		Volumes []struct {
			Name    string
			Options map[string]string
		}
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("cannot read the engine's list of volumes: %w", err)
	}
	out := map[string]string{}
	for _, v := range b.Volumes {
		out[v.Name] = v.Options["device"]
	}
	return out, nil
}
