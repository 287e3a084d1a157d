package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/kernel"
	"dropcap/internal/source"
)

func TestAUnitThatStartsAContainerOwnsIt(t *testing.T) {
	folder, below := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		"web.service":   "[Service]\nExecStartPre=-/usr/bin/docker rm web\nExecStart=/usr/bin/docker run --rm \\\n  --name web -p 80:80 \\\n  nginx:1\n",
		"db.service":    "[Service]\n ExecStart = -/usr/bin/docker start -a db \n",
		"cache.service": "[Service]\nExecStart=@/usr/bin/docker run --name=%N redis\n",
		"odd.service":   "[Service]\nExecStart=/usr/bin/dockerd --name web2\nExecStart=/bin/docker ps web3\nExecStop=/usr/bin/docker stop web4\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(below, "web.service"), []byte("[Service]\nExecStart=/usr/bin/docker run --name other x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(folder, "endless.service")); err != nil {
		t.Fatal(err)
	}
	k, err := kernel.New("/")
	if err != nil {
		t.Fatal(err)
	}
	o := &originals{units: units(k, []string{folder, below})}
	id := strings.Repeat("ab", 32)
	for name, want := range map[string]string{
		"web": "web.service", "db": "db.service", "cache": "cache.service",
		"web2": "", "web3": "", "web4": "", "other": "", "redis": "", "nginx:1": "",
	} {
		got := o.ownerOf(dropcap.Container{ID: id, Name: name, Owner: dropcap.Owner{Kind: "docker"}})
		if got.Service != want || (want != "") != (got.Kind == "systemd") {
			t.Errorf("%s belongs to %+v, want %q", name, got, want)
		}
	}
	if got := o.ownerOf(dropcap.Container{Name: "web", Owner: dropcap.Owner{Kind: "compose"}}); got.Kind != "compose" {
		t.Errorf("labels count first, but it belongs to %+v", got)
	}
	d := source.Declaration{Is: dropcap.Grant{CapDrop: []string{"CAP_NET_RAW"}}}
	for name, want := range map[string]string{"web": "web.service.d/50-capabilities.conf", "db": "systemctl stop db.service"} {
		c := dropcap.Container{ID: id, Name: name, Owner: dropcap.Owner{Kind: "docker"}}
		c.Owner = o.ownerOf(c)
		if text := o.unitText(c, d); !strings.Contains(text, want) || !strings.Contains(text, "--cap-drop=NET_RAW") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestOnlyAStartOfThisContainerCounts(t *testing.T) {
	id := "0123456789ab" + strings.Repeat("c", 52)
	for command, want := range map[string]bool{
		"/usr/bin/docker start -a web":                        true,
		"/usr/bin/docker start 0123456789ab":                  true,
		"/usr/bin/docker start 0123":                          false,
		"/usr/bin/docker run --name='web' x":                  true,
		`/usr/bin/docker --log-level info run "--name" web x`: true,
		"/usr/bin/docker run --name web-2 x":                  false,
		"/usr/bin/docker compose up":                          false,
		"/usr/bin/docker logs -f web":                         false,
	} {
		if got := starts(source.Unit{ExecStart: command}, "web", id); got != want {
			t.Errorf("%s: %t", command, got)
		}
	}
}

func TestAPIVersionsAreCompared(t *testing.T) {
	for pair, want := range map[[2]string]bool{{"1.52", "1.51"}: true, {"1.51", "1.51"}: false, {"1.9", "1.51"}: false, {"2.0", "1.51"}: true, {"x", "1.51"}: false} {
		if newer(pair[0], pair[1]) != want {
			t.Errorf("%q", pair)
		}
	}
}
