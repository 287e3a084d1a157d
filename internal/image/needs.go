package image

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"dropcap"
	"dropcap/caps"
)

// Run describes how a container runs, as far as that decides which of its files matter.
type Run struct {
	// Entry is the program that the engine starts, by path or name.
	Entry string
	// Path lists the folders to search for a name; Docker's default if empty.
	Path []string
	// Executed lists the programs that ran, by their real paths.
	Executed []dropcap.Executable
	// RootID is the host's id of the container's root, 0 without a user namespace.
	RootID uint32
	// NoNewPrivs makes setuid bits ineffective.
	NoNewPrivs bool
	// Volumes are the mount points in the container: files below them are not the image's.
	Volumes []string
}

// Needs returns what the files that run need beyond what any check shows. All needs are of class
// static and granted, without a count, in the kernel's order of capabilities. A need shown only by
// files that are not the image's is flagged, because a container can give its files capabilities.
// The result may contain what the container does not hold; the caller that merges needs knows that.
func Needs(f Files, run Run) []dropcap.Need {
	n := needs{}
	for _, p := range f.Programs {
		by, executed := p.executed(run.Executed)
		if !executed {
			by = dropcap.By{Exe: p.Path, ExeFrom: p.from(run.Volumes), Phase: dropcap.PhaseStart}
		}
		by.Syscall = "execve"
		if (executed || f.isEntry(p, run)) && p.binding(run.RootID) {
			by.Site = "get_file_caps"
			n.add(p.Capabilities.Permitted, by,
				"the kernel runs %s only if the bounding set holds the capabilities that the "+
					"file carries; else execve fails with EPERM", p)
		}
		if executed && p.SetUID && p.UID == 0 && !run.NoNewPrivs {
			by.Site = ""
			for _, k := range p.knownPurposes() {
				n.add(k.needs, by, "%s is setuid root, and "+k.because, p)
			}
		}
	}
	return n.list()
}

// binding reports whether execve depends on the file's capabilities: they are raised at once, and
// they count in the container's user namespace (security/commoncap.c, bprm_caps_from_vfs_caps and
// rootid_owns_currentns). That applies to root as well, and under no-new-privileges.
func (p Program) binding(rootID uint32) bool {
	c := p.Capabilities
	return c != nil && c.Effective && (c.RootID == 0 || c.RootID == rootID)
}

// executed finds the program among the executed ones, as the image's if it ever was.
func (p Program) executed(list []dropcap.Executable) (by dropcap.By, found bool) {
	for _, e := range list {
		if e.Path == "" || e.Path != p.Path && !slices.Contains(p.Others, e.Path) {
			continue
		}
		from := p.from(nil)
		if dropcap.Suspect(e.From) {
			// the executed file was not, or is no longer, the file in the tree
			from = cmp.Or(e.From, dropcap.FromUnknown)
		}
		if !found || !dropcap.Suspect(from) {
			by, found = dropcap.By{Exe: e.Path, ExeFrom: from, Phase: dropcap.PhaseRun}, true
		}
	}
	return by, found
}

// from returns the origin of the file that has the capabilities or the bit.
func (p Program) from(volumes []string) string {
	if slices.ContainsFunc(volumes, func(v string) bool {
		return strings.HasPrefix(p.Path+"/", path.Clean(v)+"/")
	}) {
		return dropcap.FromVolume
	}
	return cmp.Or(p.From, dropcap.FromUnknown)
}

var defaultPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin",
	"/bin"}

// isEntry reports whether the entry is this program. A relative path may be anywhere, so it matches
// every path that ends with it.
func (f Files) isEntry(p Program, run Run) bool {
	if !path.IsAbs(run.Entry) && strings.Contains(run.Entry, "/") {
		return slices.ContainsFunc(p.names(), func(n string) bool {
			return strings.HasSuffix(n, path.Clean("/"+run.Entry))
		})
	}
	return slices.ContainsFunc(candidates(run.Entry, run.Path), func(name string) bool {
		real, ok := f.Resolve(name)
		return ok && slices.Contains(p.names(), real)
	})
}

// candidates returns the paths that an entry may refer to.
func candidates(entry string, dirs []string) []string {
	switch {
	case entry == "":
		return nil
	case strings.Contains(entry, "/"):
		return []string{entry}
	}
	if len(dirs) == 0 {
		dirs = defaultPath
	}
	at := make([]string, 0, len(dirs))
	for _, dir := range dirs {
		at = append(at, dir+"/"+entry)
	}
	return at
}

func (p Program) names() []string { return append([]string{p.Path}, p.Others...) }

// String returns the path in a form that fits into a sentence.
func (p Program) String() string {
	if q := strconv.Quote(p.Path); q != `"`+p.Path+`"` || len(q) > 200 {
		return q[:min(len(q), 200)]
	}
	return p.Path
}

// purpose is what a well-known setuid program uses root's rights for.
type purpose struct {
	names   []string
	needs   caps.Set
	because string
}

var purposes = []purpose{
	{[]string{"su", "sudo", "doas", "runuser", "newgrp", "sg"}, caps.Of(caps.Setuid, caps.Setgid),
		"must be able to become another user"},
	{[]string{"ping", "ping4", "ping6", "traceroute", "traceroute6", "mtr-packet", "arping"},
		caps.Of(caps.NetRaw), "opens a raw socket"},
	{[]string{"mount", "umount", "fusermount", "fusermount3"}, caps.Of(caps.SysAdmin),
		"changes mounts"},
	{[]string{"passwd", "chage", "chfn", "chsh", "gpasswd", "expiry"}, caps.Of(caps.Chown),
		"gives the account files that it writes anew to their owners"},
	{[]string{"newuidmap"}, caps.Of(caps.Setuid), "writes maps of user ids"},
	{[]string{"newgidmap"}, caps.Of(caps.Setgid), "writes maps of group ids"},
}

// knownPurposes returns the purposes of a program by its names. The needs of an unknown program
// show when it runs.
func (p Program) knownPurposes() []purpose {
	var list []purpose
	for _, k := range purposes {
		named := slices.ContainsFunc(p.names(), func(n string) bool {
			return slices.Contains(k.names, path.Base(n))
		})
		if named {
			list = append(list, k)
		}
	}
	return list
}

// needs holds one need for each capability.
type needs map[caps.Cap]*dropcap.Need

func (n needs) add(set caps.Set, by dropcap.By, because string, p Program) {
	for _, c := range set.List() {
		if n[c] == nil {
			n[c] = &dropcap.Need{Cap: c, Outcome: dropcap.Granted, Class: dropcap.Static,
				Because: fmt.Sprintf(because, p)}
		}
		if !slices.Contains(n[c].By, by) {
			n[c].By = append(n[c].By, by)
		}
	}
}

func (n needs) list() []dropcap.Need {
	list := []dropcap.Need{}
	for c := range caps.Cap(64) {
		if n[c] != nil {
			n[c].Flagged = !slices.ContainsFunc(n[c].By, func(b dropcap.By) bool {
				return !dropcap.Suspect(b.ExeFrom)
			})
			list = append(list, *n[c])
		}
	}
	return list
}
