package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

// fleetProject is two services, one of them in the network of the other.
const fleetProject = `services:
  vpn: {image: "dropcap-lab:1", command: [sleep, "100000"], stop_grace_period: 1s}
  app: {image: "dropcap-lab:1", command: [sleep, "100000"], stop_grace_period: 1s, network_mode: "service:vpn"}
  lone: {image: "dropcap-lab:1", command: [sleep, "100000"], stop_grace_period: 1s, cap_add: [SYS_TIME]}
`

// composeLooks is what there is of the project on a node: its file, its containers, and whether
// app is in the network of the vpn that runs.
const composeLooks = `cmp -s $d/compose.yaml $d/written && echo as written
	$compose ps -q --all | xargs docker inspect --format '{{.Name}} {{.State.Running}} {{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}' | sort
	[ $(docker inspect --format '{{.HostConfig.NetworkMode}}' shop-app-1) = container:$(docker inspect --format '{{.Id}}' shop-vpn-1) ] && echo together`

// compose: projects of a fleet's hosts are changed without touching a file; the plan has what is to
// be written there, and compose leaves alone what it is not told to make again.
func (s fleetStage) compose(t *testing.T) {
	testenv.Need(t, testenv.Compose)
	s = s.in(t)
	tools := t.TempDir()
	if err := os.Mkdir(filepath.Join(tools, "cli-plugins"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(testenv.Cache(), "compose/v5/docker-compose"),
		filepath.Join(tools, "cli-plugins/docker-compose")); err != nil {
		t.Fatal(err)
	}
	folder := testenv.RootFolder(t)
	const node = "i-0dc00000000000001"
	on := func(script string) string {
		head := fmt.Sprintf(`[ "$AWS_SSM_INSTANCE_ID" = %s ] || exit 0; d=%s
			compose="env DOCKER_CONFIG=%s %s compose --project-name shop --file $d/compose.yaml"
			`, node, folder, tools, filepath.Join(testenv.Cache(), "docker26/usr/bin/docker"))
		return s.lab.script(t, head+script)[node]
	}
	for _, name := range []string{"compose.yaml", "written"} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(fleetProject), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := on("$compose up --detach --quiet-pull >/dev/null 2>&1; " + composeLooks)
	want := `as written
/shop-app-1 true [] []
/shop-lone-1 true [SYS_TIME] []
/shop-vpn-1 true [] []
together`
	if strings.ReplaceAll(before, "CAP_", "") != want {
		t.Fatalf("there is %s", before)
	}
	plan := runID(t, s.dropcap(3, []string{"over a fleet no file is edited", "cap_drop:"}, "fleet",
		"plan", "--targets", node, "--container", "shop-vpn-1", "--container", "shop-app-1",
		"--container", "shop-lone-1"))
	run := runID(t, s.dropcap(0, []string{"applied"}, "fleet", "apply", plan, "--yes",
		"--host-soak", "1s"))
	now := strings.ReplaceAll(on(composeLooks), "CAP_", "")
	if now != strings.NewReplacer("app-1 true [] []", "app-1 true [] [NET_RAW]", "[SYS_TIME] []",
		"[SYS_TIME] [NET_RAW]", "vpn-1 true [] []", "vpn-1 true [] [NET_RAW]").Replace(want) {
		t.Errorf("after apply there is %s", now)
	}
	if said := on("$compose --dry-run up --detach vpn lone 2>&1 | grep Container"); strings.Count(said,
		"Running") != 2 || strings.Contains(said, "Recreate") {
		t.Errorf("compose would do more: %s", said)
	}
	s.dropcap(0, []string{"backed-out"}, "fleet", "backout", run, "--yes")
	if now := on(composeLooks); now != before {
		t.Errorf("after the backout there is %s, before %s", now, before)
	}
}
