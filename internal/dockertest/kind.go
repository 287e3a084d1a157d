package dockertest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"dropcap/internal/testenv"
)

// Kind names an engine.
type Kind string

// The engines, by the components of test/hosts/provision.
const (
	Docker20 Kind = "docker20" // 20.10, API 1.41, containerd 1.6, runc 1.1
	Docker26 Kind = "docker26" // 26.1, API 1.45, containerd 1.7, runc 1.1
	Docker29 Kind = "docker29" // 29, API 1.56, containerd 1.6, runc 1.3
	Podman4  Kind = "podman4"  // 4.3, Docker API 1.41, crun
)

// Kinds lists all engines.
var Kinds = []Kind{Docker20, Docker26, Docker29, Podman4}

// recipe says where an engine's programs are and which version it must report.
type recipe struct {
	needs []testenv.Requirement
	// path lists folders of the cache, searched in order: a newer engine borrows
	// containerd or runc from an older one.
	path          []string
	versionPrefix string
	api           string
}

var recipes = map[Kind]recipe{
	Docker20: {
		needs:         []testenv.Requirement{testenv.Root, testenv.Base, testenv.Docker20},
		path:          []string{"docker20/usr/sbin", "docker20/usr/bin"},
		versionPrefix: "20.10.", api: "1.41",
	},
	Docker26: {
		needs: []testenv.Requirement{testenv.Root, testenv.Base, testenv.Docker20,
			testenv.Docker26},
		path: []string{"docker26/usr/sbin", "docker26/usr/bin", "docker20/usr/sbin",
			"docker20/usr/bin"},
		versionPrefix: "26.1.", api: "1.45",
	},
	Docker29: {
		needs: []testenv.Requirement{testenv.Root, testenv.Base, testenv.Docker20,
			testenv.Docker29},
		path:          []string{"docker29/bin", "docker20/usr/sbin", "docker20/usr/bin"},
		versionPrefix: "29.", api: "1.56",
	},
	Podman4: {
		needs:         []testenv.Requirement{testenv.Root, testenv.Base, testenv.Podman4},
		path:          []string{"podman4/usr/bin", "podman4/usr/sbin", "podman4/usr/lib/podman"},
		versionPrefix: "4.3.", api: "1.41",
	},
}

// Needs returns what the host must have for engines of this kind.
func (k Kind) Needs() []testenv.Requirement { return slices.Clone(recipes[k].needs) }

// ParseKind reads a kind's name.
func ParseKind(name string) (Kind, error) {
	if _, ok := recipes[Kind(name)]; !ok {
		return "", fmt.Errorf("cannot start engine %q: no such kind; choose from %v", name, Kinds)
	}
	return Kind(name), nil
}

// program finds one of the engine's programs in the cache.
func (r recipe) program(name string) (string, error) {
	for _, dir := range r.path {
		file := filepath.Join(testenv.Cache(), dir, name)
		if executable(file) {
			return file, nil
		}
	}
	return "", fmt.Errorf("cannot find %s in %v of %s; run test/hosts/provision", name, r.path,
		testenv.Cache())
}

// environment returns the whole environment of the daemons.
func (r recipe) environment(home string) []string {
	var dirs []string
	for _, dir := range r.path {
		dirs = append(dirs, filepath.Join(testenv.Cache(), dir))
	}
	dirs = append(dirs, "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	return []string{"PATH=" + strings.Join(dirs, ":"), "HOME=" + home, "TMPDIR=" + home}
}
