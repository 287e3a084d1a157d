package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

const composeFile = `services:
  web:
    image: app:1
    environment:
      KEY: canary-env
    stop_grace_period: 1s
    depends_on: [db]
  db:
    image: app:1
    cap_add:
      - NET_RAW
    stop_grace_period: 1s
`

// A service is planned at its source: a patch that applies, and the command that puts it into
// effect, in the order of depends_on.
func TestPlanOfComposeIsAPatch(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Tool("git", "git"))
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	trusted := testenv.RootFolder(t)
	file := filepath.Join(trusted, "compose.yaml")
	if err := os.WriteFile(file, []byte(composeFile), 0o644); err != nil {
		t.Fatal(err)
	}
	s.docker("compose", "--project-name", "shop", "--file", file, "up", "-d")

	out := s.dropcap(3, "plan", "shop-web-1", "shop-db-1")
	for _, want := range []string{"source: its owner re-creates it", "+++ " + file, "cap_drop",
		"up --detach --no-deps --no-build --pull never --scale web=1 web"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "canary") {
		t.Errorf("the patch shows what stands beside:\n%s", out)
	}
	order := s.dropcap(3, "plan", "--format", "{{.Name}} {{.Strategy}} {{.Refused}}")
	if order != "shop-db-1 source \nshop-web-1 source \n" {
		t.Errorf("the order is\n%s", order)
	}
	s.followed(trusted, s.dropcap(3, "plan", "shop-web-1", "--format", "{{json .Source}}"))

	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	s.dropcap(0, "plan", "shop-web-1")
	if out := s.dropcap(7, "plan", "shop-db-1", "--level", "least", "--accept", "low", "--format",
		"{{.Refused}}"); !strings.Contains(out, "others may write "+file) {
		t.Errorf("a file that others may write is edited: %s", out)
	}
	if out := s.dropcap(7, "plan", "shop-db-1", "--level", "least", "--accept",
		"low"); strings.Contains(out, "docker compose --project-name") ||
		!strings.Contains(out, "cap_drop") {
		t.Errorf("with a file that others may write root is told to run it:\n%s", out)
	}
	if out := s.dropcap(3, "plan", "shop-db-1", "--level", "least", "--accept", "low", "--strategy",
		"recreate"); !strings.Contains(out, "the compose file stays as it is") {
		t.Errorf("it does not warn:\n%s", out)
	}
}

// followed does what the plan says, as a person would.
func (s stage) followed(dir, quoted string) {
	s.t.Helper()
	var text string
	if err := unquote(quoted, &text); err != nil {
		s.t.Fatal(err)
	}
	patch, command, found := strings.Cut(text, "docker compose ")
	if !found {
		s.t.Fatalf("there is no command in %q", text)
	}
	cmd := exec.Command("git", "apply", "--unidiff-zero", "-p1", "--unsafe-paths", "--directory=/",
		"-")
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("git apply: %v\n%s\n%s", err, out, patch)
	}
	s.docker(strings.Fields("compose " + command)...)
	if got := s.docker("inspect", "--format", "{{.HostConfig.CapDrop}}",
		"shop-web-1"); got != "[NET_RAW]" {
		s.t.Errorf("afterwards it drops %s", got)
	}
}

func unquote(quoted string, to *string) error { return json.Unmarshal([]byte(quoted), to) }
