package recreate

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// change is an entry of GET /containers/ID/changes.
type change struct {
	Path string
	Kind int
}

// The kinds of change (moby pkg/archive, ChangeType).
const (
	modified = 0
	added    = 1
	deleted  = 2
)

func (r *Recipe) readChanges() error {
	if len(r.o.Changes) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.o.Changes, &r.changes); err != nil {
		return unreadable("what was written in "+r.name, err)
	}
	return nil
}

// Injected is the recipe without what its owner writes into each new container by itself: the files
// at these paths, and the folders that they are in.
func (r *Recipe) Injected(paths []string) *Recipe {
	made := map[string]bool{}
	for _, p := range paths {
		climb(p, made)
	}
	out := *r
	out.changes = slices.DeleteFunc(slices.Clone(r.changes), func(c change) bool {
		return c.Kind != deleted && (slices.Contains(paths, c.Path) || made[c.Path])
	})
	return &out
}

// scratch are folders whose contents may not survive a restart of the program.
var scratch = []string{"/tmp", "/run", "/var/run", "/dev", "/proc", "/sys"}

// engines are paths that the engine or its runtime creates: mount points of the files that
// it binds, and of docker-init (--init). moby daemon/initlayer/setup_unix.go,
// daemon/container_operations_unix.go, daemon/oci_linux.go (inContainerInitPath).
var engines = []string{
	"/.dockerenv", "/.dockerinit", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab",
	"/sbin/docker-init", "/dev/init", "/usr/sbin/docker-init",
}

// nvidia are the files that NVIDIA's runtime hook binds into a container with GPUs, and the
// loader's cache that it renews (libnvidia-container, src/nvc_mount.c and nvc_ldcache.c).
var nvidia = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^(/usr)?/(bin|lib|lib64|lib/[a-z0-9_]+-linux-gnu)(/firmware|/vdpau)?(/nvidia.*|/lib(nvidia|cuda|vdpau_nvidia|nvcuvid|nvoptix)[^/]*)?$|^/etc/ld\.so\.cache~?$|^/etc/vulkan.*|^/usr/share/(nvidia|glvnd|egl).*`)
})

// Layer returns the paths in the container's own layer that the workload has changed and a
// re-creation would lose.
func (r *Recipe) Layer() []string {
	made, mounted := r.made(), r.mounted()
	inside := map[string]bool{} // folders listed because of their contents
	for _, c := range r.changes {
		climb(c.Path, inside)
	}
	var lost []string
	for _, c := range r.changes {
		switch {
		case below(c.Path, scratch), below(c.Path, mounted):
		case c.Kind == added && made[usr(c.Path)], c.Kind != deleted && slices.Contains(engines,
			c.Path):
		case c.Kind == modified && inside[c.Path]:
		case len(r.host.DeviceRequests) > 0 && nvidia().MatchString(c.Path):
		default:
			lost = append(lost, c.Path)
		}
	}
	slices.Sort(lost)
	return lost
}

// made returns the folders that a create makes: mount points with all above them, and the
// working directory (moby daemon/container/container_unix.go, SetupWorkingDirectory).
func (r *Recipe) made() map[string]bool {
	out := map[string]bool{}
	for _, p := range append(r.mounted(), cleaned("/"+r.config.WorkingDir)) {
		out[usr(p)] = true
		climb(usr(p), out)
	}
	for _, p := range engines {
		climb(usr(p), out)
	}
	return out
}

// mounted returns all destinations of mounts, including --tmpfs.
func (r *Recipe) mounted() []string {
	var out []string
	for _, m := range r.in.Mounts {
		out = append(out, cleaned("/"+m.Destination))
	}
	for p := range r.host.Tmpfs {
		out = append(out, cleaned("/"+p))
	}
	slices.Sort(out)
	return out
}

// usr strips "/usr" where many images have a link, so that a mount on /lib/x equals /usr/lib/x.
func usr(p string) string {
	for _, merged := range []string{"/bin", "/sbin", "/lib", "/lib64"} {
		if p == "/usr"+merged || strings.HasPrefix(p, "/usr"+merged+"/") {
			return strings.TrimPrefix(p, "/usr")
		}
	}
	return p
}

// climb marks every folder above a path.
func climb(p string, mark map[string]bool) {
	for p = path.Dir(p); p != "/" && p != "." && !mark[p]; p = path.Dir(p) {
		mark[p] = true
	}
}

// below reports whether a path is one of the folders or inside one.
func below(p string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return p == f || strings.HasPrefix(p, f+"/")
	})
}
