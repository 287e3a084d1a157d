package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dropcap"
)

// privateFolder begins the names of folders in the store's in which programs get copies of files.
const privateFolder = "private-"

// run runs a program of a change with its copies, and with the engine behind the gatekeeper.
func (w executor) run(ctx context.Context, r dropcap.Run) (dropcap.Result, error) {
	var files []*os.File
	if r.Outlives && w.lock != nil {
		files = append(files, w.lock.f)
	}
	if len(r.Copies) == 0 && r.Engine == nil {
		return RunProgram(ctx, r, files...)
	}
	folder, err := os.MkdirTemp(w.store.Folder(), privateFolder)
	if err != nil {
		return dropcap.Result{}, Cause(err)
	}
	defer os.RemoveAll(folder)
	if r.Args, err = privateCopies(folder, r.Args, r.Copies); err != nil {
		return dropcap.Result{}, err
	}
	if r.Engine != nil {
		leave, address, err := w.gate(ctx, folder, r.Engine)
		if err != nil {
			return dropcap.Result{}, err
		}
		defer leave()
		r.Env = withEngine(r.Env, address)
	}
	if err := unchanged(r.Unchanged); err != nil {
		return dropcap.Result{}, err
	}
	result, err := RunProgram(ctx, r, files...)
	return result, errors.Join(err, unchanged(r.Unchanged))
}

// privateCopies writes copies into a folder that is this user's alone, and returns the arguments
// with their paths in the place of the originals'.
func privateCopies(folder string, args []string, copies []dropcap.Copy) ([]string, error) {
	args = slices.Clone(args)
	file := func(i int) string {
		return filepath.Join(folder, strconv.Itoa(i)+filepath.Ext(copies[i].Path))
	}
	for i, c := range copies {
		text := c.Text
		for k, other := range copies {
			quoted, _ := json.Marshal(file(k)) // of a string
			text = bytes.ReplaceAll(text, []byte("\x00"+other.Path+"\x00"), quoted)
		}
		if err := os.WriteFile(file(i), text, 0o600); err != nil {
			return nil, Cause(err)
		}
		for j, a := range args {
			if a == c.Path {
				args[j] = file(i)
			}
		}
	}
	return args, nil
}

// gate lets a program reach the engine through the gatekeeper. The socket's address goes by the
// open folder, since a socket's path may have 107 bytes only (unix(7)).
func (w executor) gate(ctx context.Context, folder string,
	keeper dropcap.Gatekeeper) (leave func(), address string, err error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, "", Cause(err)
	}
	socket := fmt.Sprintf("/proc/%d/fd/%d/engine", os.Getpid(), dir.Fd())
	l, err := net.Listen("unix", socket)
	if err != nil {
		dir.Close()
		return nil, "", fmt.Errorf("listen for a program that asks the engine: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.engine.Gate(ctx, l, keeper) // it ends when it is left
	}()
	return func() {
		cancel()
		<-done
		dir.Close()
	}, "unix://" + socket, nil
}

// withEngine is an environment in which docker's clients reach the engine at an address, and no
// other way.
func withEngine(env []string, address string) []string {
	out := []string{"DOCKER_HOST=" + address}
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if name != "DOCKER_HOST" && name != "DOCKER_CONTEXT" && name != "DOCKER_CERT_PATH" &&
			!strings.HasPrefix(name, "DOCKER_TLS") {
			out = append(out, v)
		}
	}
	return out
}

// unchanged refuses where one of the files is not what it was.
func unchanged(digests map[string]string) error {
	for file, want := range digests {
		now, err := digest(file)
		if err != nil {
			return err
		}
		if now != want {
			return dropcap.Errorf(dropcap.CodeError, "plan again",
				"cannot go on: somebody has changed %s meanwhile", file)
		}
	}
	return nil
}

// digest is of what stands in a file of an owner; empty if there is none.
func digest(file string) (string, error) {
	text, err := ReadOwnerFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", file, err)
	}
	return digestOf(text), nil
}

// digestOf is digest of what was read already.
func digestOf(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }

// sweepPrivate removes the copies that a killed dropcap has left.
func sweepPrivate(store string) {
	list, _ := filepath.Glob(filepath.Join(store, privateFolder+"*")) // the pattern is good
	for _, folder := range list {
		_ = os.RemoveAll(folder) // it is its owner's alone, and the next one tries again
	}
}
