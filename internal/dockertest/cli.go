package dockertest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dropcap/internal/testenv"
)

// CLI runs the docker CLI against the engine and returns its stdout. The error includes its stderr.
func (e *Engine) CLI(args ...string) (string, error) {
	docker, err := dockerCLI()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(docker, args...)
	cmd.Env = append(os.Environ(), e.Env()...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err,
			strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// Env returns the variables that make a docker CLI, or dropcap, talk to this engine: DOCKER_HOST,
// and an empty DOCKER_CONFIG so that the caller's contexts and plugins do not matter. Append it to
// os.Environ().
func (e *Engine) Env() []string {
	config := e.layout.file("cli")
	// Docker's CLI finds Compose here.
	plugins := filepath.Join(config, "cli-plugins")
	os.MkdirAll(plugins, 0o700)
	os.Symlink(filepath.Join(testenv.Cache(),
		"docker26/usr/libexec/docker/cli-plugins/docker-compose"),
		filepath.Join(plugins, "docker-compose"))
	return []string{
		"DOCKER_HOST=" + e.Host, "DOCKER_CONFIG=" + config,
		"DOCKER_CONTEXT=", "DOCKER_TLS_VERIFY=", "DOCKER_CERT_PATH=", "DOCKER_API_VERSION=",
	}
}

// dockerCLI finds a docker CLI: the host's, else the newest provisioned one.
func dockerCLI() (string, error) {
	if path, err := exec.LookPath("docker"); err == nil {
		return path, nil
	}
	for _, kind := range []Kind{Docker26, Docker20} {
		path := filepath.Join(testenv.Cache(), string(kind), "usr/bin/docker")
		if executable(path) {
			return path, nil
		}
	}
	return "", errors.New("cannot find a docker CLI; run test/hosts/provision docker26")
}
