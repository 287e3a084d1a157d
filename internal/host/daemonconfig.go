package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/kernel"
	"dropcap/internal/source"
	"dropcap/internal/trust"
)

// defaultConfig is dockerd's default configuration file.
const defaultConfig = "/etc/docker/daemon.json"

// configFile is the configuration file that a dockerd was started with, and what its flags say of
// live-restore: a setting that stands in both keeps it from reading the file (moby
// daemon/config, findConfigurationConflicts).
func configFile(args []string) (file, flag string) {
	file = defaultConfig
	for i, a := range args {
		name, value, whole := strings.Cut(a, "=")
		switch {
		case name == "--config-file" && whole:
			file = value
		case name == "--config-file" && i+1 < len(args):
			file = args[i+1]
		case name == "--live-restore":
			flag = a
		}
	}
	return file, flag
}

// liveConfig returns the engine's configuration file, if live-restore can be switched by it, and
// whether it is on there. The error says why not.
func (o *originals) liveConfig() (file string, on bool, err error) {
	socket, ok := o.h.Local()
	if !ok || !o.isHere() {
		return "", false, errors.New("the engine runs elsewhere")
	}
	pid, ok := o.h.Kernel.Dockerd(socket)
	if !ok {
		return "", false, errors.New("its process is not known")
	}
	var flag string
	file, flag = configFile(o.h.Kernel.Args(pid))
	switch {
	case flag != "":
		return "", false, fmt.Errorf("it was started with the flag %s, beside which it accepts "+
			"no such setting in %s", flag, file)
	case !filepath.IsAbs(file):
		return "", false, fmt.Errorf("its configuration file has no whole path (%s)", file)
	case o.unknown != nil:
		return "", false, o.unknown
	}
	judged, text, err := o.trust.readRoots(file)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return "", false, fmt.Errorf("%s is not to be changed: %w", file, err)
	}
	if above := filepath.Dir(file); missing && judged != above && judged != filepath.Dir(above) {
		return "", false, fmt.Errorf("there is no folder for %s", file)
	}
	if same, err := o.h.Kernel.SameThere(pid, judged); err != nil || !same {
		return "", false, fmt.Errorf("%s is another one for the engine than for this process",
			judged)
	}
	with, _, set, err := source.LiveRestore(text)
	if err != nil {
		return "", false, fmt.Errorf("%s cannot be edited: %w", file, err)
	}
	return file, set && bytes.Equal(with, text), nil
}

// readRoots reads a file that nobody but root can write or replace. Where there is none, which is
// an fs.ErrNotExist, the nearest folder above it is judged; that is returned too.
func (t *Trusting) readRoots(file string) (judged string, text []byte, err error) {
	rule := t.rule
	rule.Owners, rule.Sticky = []uint32{0}, true
	for {
		way, f, err := t.table.OpenNoFollow(file)
		if errors.Is(err, fs.ErrNotExist) && file != "/" {
			file, rule.Folder = filepath.Dir(file), true
			continue
		}
		if err != nil {
			return file, nil, Cause(err)
		}
		if f != nil {
			defer f.Close()
		}
		if err := trust.Judge(way, rule); err != nil {
			return file, nil, err
		}
		if rule.Folder {
			return file, nil, fs.ErrNotExist
		}
		text, err = readOwner(f)
		return file, text, err
	}
}

// reload sends the engine the signal upon which it reads its configuration file. The process is
// held by a descriptor while it is looked at, so that no other with its number gets it: most would
// end.
func (w executor) reload(r dropcap.Reload) error {
	fail := func(why string) error {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot have the engine read %s: %s", r.Config,
			why)
	}
	k, err := kernel.New("/")
	if err != nil {
		return err
	}
	socket, ok := w.engine.Local()
	if !ok {
		return fail("it runs elsewhere")
	}
	pid, ok := k.Dockerd(socket)
	if !ok {
		return fail("its process is not known")
	}
	send := func() error { return unix.Kill(pid, unix.SIGHUP) }
	switch fd, err := unix.PidfdOpen(pid, 0); {
	case err == nil:
		defer unix.Close(fd)
		send = func() error { return unix.PidfdSendSignal(fd, unix.SIGHUP, nil, 0) }
	case !errors.Is(err, unix.ENOSYS): // which is a kernel before 5.3
		return fail(err.Error())
	}
	if again, ok := k.Dockerd(socket); !ok || again != pid {
		return fail("it has ended meanwhile")
	}
	if file, _ := configFile(k.Args(pid)); file != r.Config {
		return fail("it reads " + file)
	}
	if err := send(); err != nil {
		return fail(err.Error())
	}
	return nil
}
