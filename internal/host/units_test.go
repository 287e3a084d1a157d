package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/kernel"
	"dropcap/internal/owner"
)

// A unit counts by its file in a folder of root's, or by a client in root's own service; whatever
// else calls itself docker is a stranger.
func TestUnitsOfRootAreKnownAndOthersAreStrangers(t *testing.T) {
	base, me := t.TempDir(), os.Getuid()
	put := func(path, text string, mode os.FileMode) {
		t.Helper()
		path = filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	const run = "[Service]\nExecStart=/usr/bin/docker run --name "
	put("etc/web.service", "[Service]\nExecStartPre=-/usr/bin/docker rm "+
		"web\nExecStart=/usr/bin/docker run --rm \\\n  --name web -p 80:80 \\\n  nginx:1\n", 0o644)
	put("etc/db.service", "[Service]\n ExecStart = -/usr/bin/docker start -a db \n", 0o644)
	put("etc/cache.service", "[Service]\nExecStart=@/usr/bin/docker run --name=%N redis\n", 0o644)
	put("etc/odd.service", "[Service]\nExecStart=/usr/bin/dockerd --name "+
		"web2\nExecStart=/bin/docker ps web3\nExecStop=/usr/bin/docker stop web4\n", 0o644)
	put("etc/anybodys.service", run+"anybodys x\n", 0o666)
	put("lib/web.service", run+"other x\n", 0o644)
	put("loose/loose.service", run+"loose x\n", 0o644)
	put("made/script.service", "", 0o644)
	put("made/worker@.service", "", 0o644)
	if err := os.Chmod(filepath.Join(base, "loose"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(base, "etc/endless.service")); err != nil {
		t.Fatal(err)
	}
	put("proc/self/mountinfo", "", 0o644)
	put("proc/sys/kernel/cap_last_cap", "40\n", 0o644)
	process := func(pid, uid int, comm, exe, cgroup, args string) {
		dir := fmt.Sprintf("proc/%d/", pid)
		put(dir+"comm", comm+"\n", 0o644)
		put(dir+"cgroup", "0::"+cgroup+"\n", 0o644)
		put(dir+"cmdline", strings.ReplaceAll(args, " ", "\x00")+"\x00", 0o644)
		put(dir+"status", fmt.Sprintf("Name:\t%s\nUid:\t%d\t%d\t%d\t%d\n", comm, uid, uid, uid,
			uid), 0o644)
		if err := os.Symlink(exe, filepath.Join(base, dir, "exe")); err != nil {
			t.Fatal(err)
		}
	}
	const docker = "/usr/bin/docker"
	process(10, 0, "docker", docker, "/system.slice/script.service", "docker run --name scripted x")
	process(11, 0, "docker", docker+" (deleted)",
		"/system.slice/system-worker.slice/worker@2.service", "docker run --name worker x")
	process(12, 1000, "docker", "/home/e/docker",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/evil.service",
		"docker run --name victim x")
	process(13, 1000, "docker", "/usr/bin/python3", "/system.slice/script.service",
		"docker run --name victim2 x")
	process(14, 0, "docker", docker, "/system.slice/docker-"+strings.Repeat("a", 64)+
		".scope/system.slice/script.service", "docker run --name victim3 x")
	process(15, 0, "docker", docker, "/system.slice/unheard.service", "docker run --name victim4 x")
	process(16, 0, "sh", "/bin/sh", "/system.slice/script.service", "docker run --name victim5 x")
	k, err := kernel.New(base)
	if err != nil {
		t.Fatal(err)
	}
	at := func(names ...string) (list []string) {
		for _, n := range names {
			list = append(list, filepath.Join(base, n))
		}
		return list
	}
	u := findUnits(k, at("etc", "loose", "lib"), at("made"), me, 0)
	id := strings.Repeat("ab", 32)
	for name, want := range map[string]string{
		"web": "web.service", "db": "db.service", "cache": "cache.service",
		"scripted": "script.service", "worker": "worker@2.service",
		"web2": "", "web3": "", "web4": "", "other": "", "redis": "", "nginx:1": "", "anybodys": "",
		"loose":  "",
		"victim": "", "victim2": "", "victim3": "", "victim4": "", "victim5": "",
	} {
		i := slices.IndexFunc(u.Known, func(u owner.Unit) bool {
			return owner.Starts(u.ExecStart, name, id)
		})
		if got := i >= 0; got != (want != "") || got && u.Known[i].Name != want {
			t.Errorf("%s belongs to %+v, want %q", name, u.Known, want)
		}
	}
	var strangers []int
	for _, s := range u.Strangers {
		strangers = append(strangers, s.PID)
	}
	if slices.Sort(strangers); !slices.Equal(strangers, []int{12, 13, 14, 15}) {
		t.Errorf("strangers are %v", strangers)
	}
	if u = findUnits(k, at("etc"), nil, me+1, 0); len(u.Known) > 0 {
		t.Errorf("units of a folder that is not root's: %+v", u.Known)
	}
}
