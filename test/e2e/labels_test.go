package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/dockertest"
	"dropcap/internal/testenv"
)

// An image cannot exempt itself by a label, live or in a saved snapshot; a label given to the
// container selects it all the same.
func TestAnImageExemptsItselfByNoLabel(t *testing.T) {
	e := dockertest.Start(t, dockertest.Docker20)
	if _, err := e.Import("vpn:1", `CMD ["sleep", "3600"]`, "LABEL role=vpn",
		"LABEL exempt=yes"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := stage{t, e, filepath.Join(dir, "store")}
	s.docker("run", "-d", "--name", "liar", "--cap-add", "NET_ADMIN", "vpn:1")
	s.docker("run", "-d", "--name", "repeats", "--label", "role=vpn", "--cap-add", "NET_ADMIN",
		"vpn:1")
	s.docker("run", "-d", "--name", "honest", "--label", "role=gate", "--label", "exempt=gate",
		"--cap-add", "NET_ADMIN", "vpn:1")
	policy := filepath.Join(dir, "policy.yaml")
	write(t, policy, `keep:
  - containers: {label: role=vpn}
    capabilities: [NET_ADMIN, NET_RAW]
    reason: tunnels
waivers:
  - containers: {label: exempt}
    capabilities: [NET_ADMIN, NET_RAW]
    owner: team
    reason: for a test
    expires: 2099-01-01
`)
	const rows = "{{.Name}} {{.Verdict}}"
	want := "honest waived\nliar fail\nrepeats fail\n"
	sorted := func(out string) string {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n") + "\n"
	}
	if got := sorted(s.dropcap(3, "audit", "--policy", policy, "--format", rows)); got != want {
		t.Errorf("live:\n%s", got)
	}
	byKey := filepath.Join(dir, "key.yaml")
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	write(t, byKey, strings.Replace(string(text), "role=vpn", "role", 1))
	saved := filepath.Join(dir, "host.json")
	s.dropcap(3, "audit", "--policy", policy, "--snapshot", saved, "--format", rows)
	if got := sorted(s.dropcap(3, "audit", "--from", saved, "--policy", byKey, "--format",
		rows)); got != strings.Replace(want, "honest waived", "honest pass", 1) {
		t.Errorf("saved:\n%s", got)
	}
}

// An image decides neither the files nor the variables of the commands printed for its container,
// and nothing of them reaches it.
func TestAnImageNamesNoFilesOfCompose(t *testing.T) {
	testenv.Need(t, testenv.Root)
	e := dockertest.Start(t, dockertest.Docker20)
	trusted := testenv.RootFolder(t)
	secret := filepath.Join(trusted, "other.env")
	write(t, secret, "TOKEN=canary-of-another-project\n")
	const c = "LABEL com.docker.compose."
	if _, err := e.Import("app:1", `CMD ["sleep", "3600"]`, c+"project.environment_file="+secret,
		c+"replace=web-1", c+"depends_on=db:service_started:false"); err != nil {
		t.Fatal(err)
	}
	s := stage{t, e, filepath.Join(t.TempDir(), "store")}
	file := filepath.Join(trusted, "compose.yaml")
	write(t, file, "services:\n  web:\n    image: app:1\n    environment: "+
		"[\"T=${TOKEN:-none}\"]\n    stop_grace_period: 1s\n")
	s.docker("compose", "--project-name", "shop", "--file", file, "up", "-d")
	out := s.dropcap(3, "plan", "shop-web-1")
	if strings.Contains(out, "other.env") ||
		!strings.Contains(out, "docker compose --project-name shop") {
		t.Errorf("the plan says\n%s", out)
	}
	s.followed(trusted, s.dropcap(3, "plan", "shop-web-1", "--format", "{{json .Source}}"))
	if env := s.docker("inspect", "--format", "{{.Config.Env}}", "shop-web-1"); strings.Contains(
		env, "canary") || !strings.Contains(env, "T=none") {
		t.Errorf("its environment is %s", env)
	}

	if _, err := e.Import("claims:1", `CMD ["sleep", "3600"]`, c+"project=shop", c+"service=web",
		c+"oneoff=False", c+"config-hash=0"); err != nil {
		t.Fatal(err)
	}
	s.docker("run", "-d", "--name", "stranger", "claims:1")
	out = s.dropcap(7, "plan", "shop-web-1", "--level", "least", "--accept", "low", "--format",
		"{{.Refused}} {{.Source}}")
	if !strings.Contains(out, "the container stranger says by its image's labels alone") ||
		strings.Contains(out, "docker compose") {
		t.Errorf("with a stranger that compose would take for its own the plan says\n%s", out)
	}
}
