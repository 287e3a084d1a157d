package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"dropcap"
	"dropcap/internal/policy"
)

// The places where a policy is looked for. Root takes none from the working folder, which may be
// anybody's.
const (
	systemPolicy = "/etc/dropcap/policy.yaml"
	folderPolicy = "dropcap.yaml"
)

// PolicyFile is the default policy file.
type PolicyFile struct {
	Path string // empty if there is none
	Text []byte
	// Ignored says which policy exists but is not used, and why; nil if none.
	Ignored error
}

// Policy returns the policy that counts where none was named, and reports which file it is; without
// a file it is the built-in one. A level replaces the policy's.
func (h *Host) Policy(level dropcap.Level) (dropcap.Policy, error) {
	f, err := FindPolicy()
	if err != nil {
		return dropcap.Policy{}, err
	}
	if f.Ignored != nil {
		h.observer.Warn(f.Ignored)
	}
	p := policy.BuiltIn()
	if f.Path != "" {
		h.observer.Progress(Note{"dropcap: the policy is " + f.Path})
		if p, err = policy.Parse(f.Path, f.Text); err != nil {
			return p, err
		}
	}
	if level != "" {
		p.Level = level
	}
	return p, nil
}

// FindPolicy returns the policy of the user that runs this.
func FindPolicy() (PolicyFile, error) {
	return findPolicy(systemPolicy, folderPolicy, os.Geteuid())
}

func findPolicy(system, folder string, euid int) (p PolicyFile, err error) {
	text, err := linkedPolicy(system)
	switch {
	case err == nil:
		return PolicyFile{Path: system, Text: text}, nil
	case errors.Is(err, fs.ErrPermission):
		return p, dropcap.Errorf(dropcap.CodeError, "", "cannot read the policy %s: %w", system,
			err)
	case !errors.Is(err, fs.ErrNotExist):
		return p, dropcap.Errorf(dropcap.CodeError, fmt.Sprintf("chown root:root %s; chmod 644 %s",
			system, system),
			"cannot trust the policy %s: %w", system, err)
	case euid == 0:
		return p, nil
	}
	text, err = trustedPolicy(folder, euid)
	switch {
	case err == nil:
		return PolicyFile{Path: "./" + folder, Text: text}, nil
	case !errors.Is(err, fs.ErrNotExist):
		p.Ignored = fmt.Errorf("the policy ./%s is ignored: %w", folder, err)
	}
	return p, nil
}

// linkedPolicy reads root's policy, which may be a link that root has put there.
func linkedPolicy(file string) ([]byte, error) {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, Cause(err)
	}
	dir, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return nil, Cause(err)
	}
	if why := othersMayWrite(dir, 0); why != "" {
		return nil, errors.New("its folder " + why)
	}
	return trustedPolicy(real, 0)
}

// trustedPolicy reads a policy that, with its folder, belongs to the user or root and that nobody
// else can write. It is read from the very file that was looked at, and no link is followed to it.
func trustedPolicy(file string, uid int) ([]byte, error) {
	dir, err := os.OpenFile(filepath.Dir(file), os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, Cause(err)
	}
	defer dir.Close()
	f, info, err := openOwnerFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	parent, err := dir.Stat()
	if err != nil {
		return nil, Cause(err)
	}
	for _, of := range []struct {
		what string
		i    fs.FileInfo
	}{{"it", info}, {"its folder", parent}} {
		if why := othersMayWrite(of.i, uid); why != "" {
			return nil, fmt.Errorf("%s %s", of.what, why)
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, policy.MaxSize+1))
	if err == nil && len(text) > policy.MaxSize {
		err = fmt.Errorf("it is larger than %d MiB", policy.MaxSize>>20)
	}
	return text, err
}

// othersMayWrite says in which way somebody who is neither the user nor root may change a file;
// empty if nobody may. Of a file with access control lists the group's bits are what any of them
// can grant (acl(5)).
func othersMayWrite(i fs.FileInfo, uid int) string {
	if s, ok := i.Sys().(*syscall.Stat_t); !ok || s.Uid != 0 && int(s.Uid) != uid {
		return fmt.Sprintf("belongs to user %d", s.Uid)
	}
	if i.Mode().Perm()&0o022 != 0 {
		return "can be written by its group or others"
	}
	return ""
}
