package change_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropcap"
	"dropcap/internal/containerd"
	"dropcap/internal/dockertest"
)

// carryKinds are the engines and settings under which layers are kept in other places or with other
// owners.
var carryKinds = []struct {
	name  string
	kind  dockertest.Kind
	opts  []dockertest.Option
	short bool
}{
	{"20.10", dockertest.Docker20, nil, true},
	{"26", dockertest.Docker26, nil, false},
	{"29, containerd's store", dockertest.Docker29, nil, true},
	{"20.10, remapped users", dockertest.Docker20, []dockertest.Option{dockertest.UsernsRemap()},
		true},
	{"29, remapped users", dockertest.Docker29, []dockertest.Option{dockertest.UsernsRemap()},
		false},
}

// Everything that differs from the image is the same in the new container, as GNU tar and find tell
// it, which know nothing of dropcap; and the old one's layer is as it was.
func TestEverythingInALayerIsCarried(t *testing.T) {
	for _, k := range carryKinds {
		if !full && !k.short {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, k.kind, k.opts...)
			for _, runs := range []bool{true, false} {
				t.Run(map[bool]string{true: "running", false: "stopped"}[runs], func(t *testing.T) {
					s.carriesAll(t, runs)
				})
			}
		})
	}
}

func (s *stage) carriesAll(t *testing.T, runs bool) {
	t.Cleanup(func() { s.sweep(t) })
	old := s.shell(t, "docker run -d --name web -v /data app:1")
	oneOfEach(t, fmt.Sprintf("/proc/%s/root",
		s.shell(t, "docker inspect --format '{{.State.Pid}}' web")))
	if !runs {
		s.shell(t, "docker stop web")
	}
	upper := s.upper(t, old)
	before, written := told(t, upper), told(t, filepath.Join(upper, "srv"))
	if r := s.dropcap(t, append([]string{"apply", "web"},
		quick...)...); r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	new := s.history(t)[0].After
	if got := told(t, upper); got != before {
		t.Errorf("the old layer is not as it was: %s", firstDifference(before, got))
	}
	if got := told(t, s.upper(t, new)); got != before {
		t.Errorf("the new layer differs: %s", firstDifference(before, got))
	}
	if a, b := s.exported(t, old), s.exported(t, new); a != b {
		t.Errorf("the new container's files differ: %s", firstDifference(a, b))
	}
	if r := s.dropcap(t, "backout", "web", "--yes"); r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	if h := s.history(t)[0]; h.Retained() != "" {
		t.Errorf("the new one stays, though it has written nothing: %v", h.Timeline)
	}
	// What the engine does to a container's root folder when it starts is not ours.
	if got := told(t, filepath.Join(upper, "srv")); got != written {
		t.Errorf("after the backout the old layer is not as it was: %s",
			firstDifference(written, got))
	}
}

// oneOfEach writes one of everything that a layer can hold, through the container's own view.
func oneOfEach(t *testing.T, root string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(root, "srv/all", name) }
	var st unix.Stat_t
	long := time.Date(1999, 12, 31, 23, 59, 59, 123456789, time.UTC)
	owner := func() (int, int) { // as a container's root sees it, which may be another user here
		must(t, unix.Stat(filepath.Join(root, "srv"), &st))
		return int(st.Uid), int(st.Gid)
	}
	uid, gid := owner()
	must(t,
		os.Mkdir(at(""), 0o755), os.MkdirAll(at("deep/er/est"), 0o700),
		os.WriteFile(at("file"), []byte("up"), 0o640), os.Chown(at("file"), uid+1000, gid+33),
		os.WriteFile(at("big"), bytes.Repeat([]byte("0123456789abcdef"), 200_000), 0o644),
		os.WriteFile(at("empty"), nil, 0o600),
		os.WriteFile(at("setuid"), []byte("#!"), 0o755), unix.Chmod(at("setuid"), 0o6755),
		os.Link(at("file"), at("deep/hard")), os.Link(at("file"), at("another")),
		os.Symlink("/etc/passwd", at("link")), os.Lchown(at("link"), uid+7, gid+8),
		unix.Mkfifo(at("fifo"), 0o622), unix.Mknod(at("socket"), unix.S_IFSOCK|0o755, 0),
		// An access list: the owner, user 1000, the group, the mask and others
		// (linux/posix_acl_xattr.h).
		unix.Lsetxattr(at("big"), "system.posix_acl_access", []byte{2, 0, 0, 0,
			1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255,
			255,
			16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255}, 0),
		unix.Lsetxattr(at("big"), "user.note", []byte("text"), 0),
		unix.Lsetxattr(at("big"), "user.none", nil, 0),
		unix.Lsetxattr(at("link"), "trusted.mark", []byte("of a link"), 0),
		// VFS_CAP_REVISION_3, CAP_NET_BIND_SERVICE, of the user 1000's namespace
		// (linux/capability.h)
		unix.Lsetxattr(at("empty"), "security.capability", []byte{1, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe8, 3, 0, 0}, 0),
		// VFS_CAP_REVISION_2
		unix.Lsetxattr(at("setuid"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 0}, 0),
		unix.Lsetxattr(at("deep"), "security.selinux",
			[]byte("system_u:object_r:container_file_t:s0:c1,c2\x00"), 0),
		os.WriteFile(at("odd \n\x1b[31m-name\\'\""), []byte("x"), 0o600),
		os.WriteFile(at(strings.Repeat("n", 255)), []byte("x"), 0o600),
		// Of the image's own: removed, replaced by an empty folder (opaque), changed, renamed, of
		// another kind.
		os.Remove(filepath.Join(root, "etc/group")),
		os.RemoveAll(filepath.Join(root, "pictures/old")),
		os.Mkdir(filepath.Join(root, "pictures/old"), 0o750),
		unix.Chmod(filepath.Join(root, "root"), 0o711),
		os.Rename(filepath.Join(root, "pictures/a"), filepath.Join(root, "pictures/z")),
		os.Remove(filepath.Join(root, "pictures/b")), os.Mkdir(filepath.Join(root, "pictures/b"),
			0o700),
		os.Chtimes(at("file"), long, long), os.Chtimes(at("deep/er"), long, long),
		os.Chtimes(at(""), long, long),
	)
	f, err := os.Create(at("sparse"))
	must(t, err, f.Truncate(32<<20))
	for _, place := range []int64{0, 10_000_001, 32<<20 - 5} {
		_, err := f.WriteAt([]byte("here!"), place)
		must(t, err)
	}
	must(t, f.Close())
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

// told is what GNU tar and find tell of a folder: all attributes, and the contents by their
// digests.
func told(t *testing.T, folder string) string {
	t.Helper()
	const script = `cd "$1"
		find . -not -type d -printf '%P\t%y\t%m\t%U\t%G\t%s\t%T@\t%l\n' | sort
		find . -type d -printf '%P\t%y\t%m\t%U\t%G\t%T@\n' | sort
		find . -type f -links +1 -printf '%i\t%P\n' | sort -k2 | awk -F '\t' '{ if (!($1 in n)) n[$1] = $2; print n[$1], $2 }'
		find . -type f -exec sha256sum {} + | sort -k2
		find . -name sparse -printf '%b\n' | awk '$1 < 1000 { print "holes" }'`
	cmd := exec.Command("bash", "-ec", "set -o pipefail; "+script, "told", folder)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problem.String())
	}
	return string(out) + archived(t, folder)
}

// archived is what GNU tar puts into an archive of a folder, with all extended attributes.
func archived(t *testing.T, folder string) string {
	t.Helper()
	// overlayfs gives each upper folder a uuid of its own, which belongs to no file
	// (fs/overlayfs/util.c).
	cmd := exec.Command("tar", "--create", "--sort=name", "--numeric-owner", "--format=posix",
		"--xattrs", "--xattrs-include=*",
		"--xattrs-exclude=trusted.overlay.uuid", "--acls", "--warning=no-file-ignored",
		"--directory", folder, "--file", "-", ".")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tar: %v: %s", err, problem.String())
	}
	var text strings.Builder
	for in := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		must(t, err)
		delete(h.PAXRecords, "atime")
		delete(h.PAXRecords, "ctime")
		fmt.Fprintf(&text, "%q %c %o %d %d %d %q %q\n", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid,
			h.Size, h.Linkname, fmt.Sprint(h.PAXRecords))
	}
}

// exported is what the engine itself tells of a container's files, with all that is beneath its
// layer.
func (s *stage) exported(t *testing.T, id string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tar")
	return s.shell(t, `docker export `+id+` >`+file+`
		tar --list --verbose --full-time --numeric-owner --file `+file+` | grep -v ' etc/\(hosts\|hostname\|resolv.conf\|mtab\)\|\.dockerenv\| dev/' | sort
		tar --extract --to-stdout --wildcards --file `+file+` 'srv/*' 'pictures/*' etc/passwd | sha256sum`)
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return fmt.Sprintf("%q became %q", x[i], append(y, make([]string, len(x))...)[i])
		}
	}
	return fmt.Sprintf("%q came on top", y[min(len(x), len(y)-1):])
}

// upper is the folder of a container's own layer.
func (s *stage) upper(t *testing.T, id string) string {
	t.Helper()
	var c struct {
		GraphDriver struct{ Data struct{ UpperDir string } }
	}
	must(t, json.Unmarshal(s.inspect(t, id, ""), &c))
	if c.GraphDriver.Data.UpperDir != "" {
		return c.GraphDriver.Data.UpperDir
	}
	var info struct {
		Driver     string
		Containerd struct {
			Address    string
			Namespaces struct{ Containers string }
		}
	}
	_, answer, err := s.Raw(t.Context(), http.MethodGet, "/info", "")
	must(t, err, json.Unmarshal(answer, &info))
	store := containerd.Store{Address: info.Containerd.Address,
		Namespace: info.Containerd.Namespaces.Containers, Snapshotter: info.Driver}
	upper, err := store.Upper(t.Context(), id)
	must(t, err)
	return upper
}
