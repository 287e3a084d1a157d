// Package rootfs builds root folders of container images for `docker import`.
package rootfs

import (
	"archive/tar"
	"bytes"
)

// Applets are the names that the busybox of an image answers to, in /bin.
var Applets = []string{
	"sh", "sleep", "cat", "echo", "true", "false", "id", "chown", "chmod", "touch", "mkdir", "rm",
	"ls", "ps", "kill", "nc",
	"ping", "su", "mknod", "httpd", "wget", "sed", "grep", "env", "hostname", "ip", "mount",
	"umount", "nice", "tail", "dd", "date",
}

// Busybox returns a tar of a root folder with the static busybox in program, its applets' links and
// /etc/passwd.
func Busybox(program []byte) ([]byte, error) {
	var err error
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
	for dir, mode := range map[string]int64{"bin/": 0o755, "etc/": 0o755, "tmp/": 0o1777,
		"root/": 0o700, "var/": 0o755, "dev/": 0o755, "proc/": 0o755, "sys/": 0o755} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode}, "")
	}
	add(tar.Header{Name: "bin/busybox", Mode: 0o755}, string(program))
	for _, name := range Applets {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox",
			Mode: 0o777}, "")
	}
	add(tar.Header{Name: "etc/passwd", Mode: 0o644},
		"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
	add(tar.Header{Name: "etc/group", Mode: 0o644}, "root:x:0:\nnogroup:x:65534:\nweb:x:1000:\n")
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}
