package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Applets are the names that the busybox of test images answers to, in /bin.
var Applets = []string{
	"sh", "sleep", "cat", "echo", "true", "false", "id", "chown", "chmod", "touch", "mkdir", "rm", "ls", "ps", "kill", "nc",
	"ping", "su", "mknod", "httpd", "wget", "sed", "grep", "env", "hostname", "ip", "mount", "umount", "nice", "tail", "dd", "date",
}

// Import makes an image of a static busybox, named name ("app:1"), in well under a
// second. Changes are Dockerfile lines that an import may have: LABEL, USER, VOLUME,
// ENTRYPOINT, CMD, ENV, EXPOSE, WORKDIR, HEALTHCHECK, STOPSIGNAL. It returns the image's id.
func (e *Engine) Import(name string, changes ...string) (id string, err error) {
	content, err := rootfs()
	if err != nil {
		return "", err
	}
	repo, tag, _ := strings.Cut(name, ":")
	if tag == "" {
		tag = "latest"
	}
	path := "/images/create?" + url.Values{"fromSrc": {"-"}, "repo": {repo}, "tag": {tag}, "changes": changes}.Encode()
	if e.Kind == Podman4 {
		// Podman 4.3's own call, since its imitation of Docker's loses the name.
		path = "/v4.0.0/libpod/images/import?" + url.Values{"reference": {"docker.io/library/" + repo + ":" + tag}, "changes": changes}.Encode()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status, answer, err := e.Raw(ctx, http.MethodPost, path, content)
	if err != nil {
		return "", err
	}
	// A failure after the first byte is a line in the answer, under status 200.
	if status != http.StatusOK || strings.Contains(string(answer), `"error"`) {
		return "", fmt.Errorf("import image %s: %d: %s", name, status, answer)
	}
	var image struct{ Id string }
	err = e.get(ctx, "/images/"+name+"/json", &image)
	return image.Id, err
}

// rootfs is a tar of a root folder with busybox, its applets' links and /etc/passwd.
func rootfs() (string, error) {
	program, err := os.ReadFile(busybox())
	if err != nil {
		return "", fmt.Errorf("cannot make an image: %w; run test/hosts/provision base", err)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, content string) {
		h.Size = int64(len(content))
		if err == nil {
			err = w.WriteHeader(&h)
		}
		if err == nil {
			_, err = w.Write([]byte(content))
		}
	}
	for dir, mode := range map[string]int64{"bin/": 0o755, "etc/": 0o755, "tmp/": 0o1777, "root/": 0o700, "var/": 0o755, "dev/": 0o755, "proc/": 0o755, "sys/": 0o755} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode}, "")
	}
	add(tar.Header{Name: "bin/busybox", Mode: 0o755}, string(program))
	for _, name := range Applets {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}, "")
	}
	add(tar.Header{Name: "etc/passwd", Mode: 0o644}, "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
	add(tar.Header{Name: "etc/group", Mode: 0o644}, "root:x:0:\nnogroup:x:65534:\nweb:x:1000:\n")
	if err == nil {
		err = w.Close()
	}
	return out.String(), err
}
