package change_test

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/dockertest"
)

// twinsFile is what people write: waiting for health, a profile, replicas, an environment file, and
// a service in the network of another.
const twinsFile = `x-common: &common
  image: app:1
  stop_grace_period: 1s
  command: sleep 100000
services:
  db:
    <<: *common
    healthcheck: {test: ["CMD", "true"], interval: 1s}
  vpn:
    <<: *common
    healthcheck: {test: ["CMD", "true"], interval: 1s}
    depends_on: {db: {condition: service_healthy}}
  web:
    <<: *common
    env_file: [web.env]
    network_mode: service:vpn
    depends_on: {vpn: {condition: service_healthy}}
    deploy: {replicas: 2}
  tool:
    <<: *common
    profiles: [tools]
    network_mode: service:vpn
`

const twinsOverride = `services:
  web:
    environment: {B: "2"}
    cap_add: [SYS_TIME]
`

// Two projects are made of one folder's files. One is changed at its source; of the other the files
// say then already what it is to have, so that its containers are re-created; and both come back.
func TestTwoProjectsOfOneFile(t *testing.T) {
	p := newShop(t, newStage(t, dockertest.Docker20), "v2")
	p.write(t, "compose.yaml", twinsFile)
	p.write(t, "compose.override.yaml", twinsOverride)
	ups := []string{
		"cd $SHOP; docker compose -p one --profile tools up -d --quiet-pull >/dev/null 2>&1",
		"cd $SHOP; docker compose -p two up -d --quiet-pull >/dev/null 2>&1"}
	for _, up := range ups {
		p.shell(t, up)
	}
	count := func() int {
		list := p.shell(t, "docker inspect -f '{{.State.Running}} {{.HostConfig.CapDrop}}' $(docker ps -aq)")
		if n := strings.Count(list, "true"); n != 9 || strings.Contains(list, "false") {
			t.Errorf("there is\n%s", list)
		}
		return strings.Count(list, "NET_RAW")
	}
	ready := append([]string{"apply", "--all-ready"}, quick...)
	if r := p.dropcap(t, ready...); r.status != dropcap.ExitIncomplete ||
		!strings.Contains(r.err, "apply it by itself afterwards") {
		t.Fatal(r)
	}
	if n := count(); n != 5 && n != 4 {
		t.Errorf("%d are changed", n)
	}
	if r := p.dropcap(t, "plan"); !strings.Contains(strings.Join(strings.Fields(r.out), " "),
		"its compose file says so already") {
		t.Errorf("%v", r)
	}
	if r := p.dropcap(t, ready...); r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	if n := count(); n != 9 {
		t.Errorf("%d are changed", n)
	}
	if r := p.dropcap(t, "backout", "--all", "--yes"); r.status != dropcap.ExitOK {
		t.Fatal(r)
	}
	if n := count(); n != 0 {
		t.Errorf("%d are still changed", n)
	}
	if p.read(t, "compose.yaml") != twinsFile ||
		p.read(t, "compose.override.yaml") != twinsOverride {
		t.Error("the files are others")
	}
	for _, up := range slices.Backward(ups) { // the profile is whose who names it
		p.shell(t, up)
	}
	if n := count(); n != 0 {
		t.Errorf("after compose's up %d are changed", n)
	}
}
