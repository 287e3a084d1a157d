package dockertest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"dropcap/internal/dockertest/rootfs"
)

// Applets are the names that the busybox of test images answers to, in /bin.
var Applets = rootfs.Applets

// Import creates an image of a static busybox, named name ("app:1"), in well under a second.
// Changes are the Dockerfile lines that an import accepts: LABEL, USER, VOLUME, ENTRYPOINT, CMD,
// ENV, EXPOSE, WORKDIR, HEALTHCHECK, STOPSIGNAL. It returns the image's id.
func (e *Engine) Import(name string, changes ...string) (id string, err error) {
	program, err := os.ReadFile(busybox())
	if err != nil {
		return "", fmt.Errorf("cannot make an image: %w; run test/hosts/provision base", err)
	}
	content, err := rootfs.Busybox(program)
	if err != nil {
		return "", err
	}
	repo, tag, _ := strings.Cut(name, ":")
	if tag == "" {
		tag = "latest"
	}
	path := "/images/create?" + url.Values{"fromSrc": {"-"}, "repo": {repo}, "tag": {tag},
		"changes": changes}.Encode()
	if e.Kind == Podman4 {
		// Podman 4.3's own call, since its version of Docker's loses the name.
		path = "/v4.0.0/libpod/images/import?" +
			url.Values{"reference": {"docker.io/library/" + repo + ":" + tag},
				"changes": changes}.Encode()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status, answer, err := e.Raw(ctx, http.MethodPost, path, string(content))
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
