package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

// labBench is a lab in the background, and the settings that it printed, as parsed by a shell.
type labBench struct {
	program
	folder string
	env    map[string]string
}

func startLab(t *testing.T, args ...string) *labBench {
	t.Helper()
	folder, err := os.MkdirTemp("", "it's-a-lab-")
	if err != nil {
		t.Fatal(err)
	}
	l := &labBench{program: program{env: []string{"DROPCAP_LAB=" + folder, "DROPCAP_TEST_CACHE=" +
		testenv.Cache(), "AWS_PROFILE=mine"}}, folder: folder, env: map[string]string{}}
	t.Cleanup(func() {
		// the test's context is over
		cmd := exec.Command(testenv.Binary(t), "fleet", "lab", "--stop")
		cmd.Env = l.program.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("stop: %v: %s", err, out)
		}
		if _, err := os.Lstat(folder); err == nil {
			t.Errorf("%s is left behind", folder)
		}
	})
	r := l.run(t, append([]string{"fleet", "lab"}, args...)...)
	if r.status != 0 {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	cmd := exec.Command("sh", "-c", `eval "$1" && exec env`, "sh", r.out)
	cmd.Env = append(l.program.env, "PATH="+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		l.env[name] = value
	}
	return l
}

// key returns the lab's access key.
func (l *labBench) key() cloud.Key {
	return cloud.Key{ID: l.env["AWS_ACCESS_KEY_ID"], Secret: l.env["AWS_SECRET_ACCESS_KEY"]}
}

// ask sends a request as the SDK would.
func (l *labBench) ask(t *testing.T, key cloud.Key, operation string, in, out any) int {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.env["AWS_ENDPOINT_URL"]+
		"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSSM."+operation)
	if err := key.Sign(req, body, "ssm", l.env["AWS_REGION"]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatalf("%s: %s: %v", operation, resp.Status, err)
	}
	return resp.StatusCode
}

func (l *labBench) nodes(t *testing.T) (ids []string) {
	t.Helper()
	var out struct {
		InstanceInformationList []struct{ InstanceId, PingStatus string }
	}
	l.ask(t, l.key(), "DescribeInstanceInformation", map[string]any{}, &out)
	for _, n := range out.InstanceInformationList {
		if n.PingStatus == "Online" {
			ids = append(ids, n.InstanceId)
		}
	}
	return ids
}

// script runs a script on all nodes, and returns each one's output.
func (l *labBench) script(t *testing.T, line string) map[string]string {
	t.Helper()
	key, ids := l.key(), l.nodes(t)
	var sent struct{ Command struct{ CommandId string } }
	l.ask(t, key, "SendCommand", map[string]any{"DocumentName": "AWS-RunShellScript",
		"InstanceIds": ids, "MaxConcurrency": "100%",
		"Parameters": map[string][]string{"commands": {line}}}, &sent)
	printed := map[string]string{}
	if !testenv.Within(time.Minute, func() bool {
		for _, id := range ids {
			var i struct{ Status, StandardOutputContent, StandardErrorContent string }
			l.ask(t, key, "GetCommandInvocation",
				map[string]any{"CommandId": sent.Command.CommandId, "InstanceId": id}, &i)
			switch i.Status {
			case "Success":
				printed[id] = strings.TrimSpace(i.StandardOutputContent)
			case "Failed":
				t.Fatalf("%s: %s", id, i.StandardErrorContent)
			}
		}
		return len(printed) == len(ids)
	}) {
		t.Fatalf("%q: only %v have answered", line, printed)
	}
	return printed
}

// running reports whether a process runs; a zombie does not.
func running(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// pid returns the lab's process.
func (l *labBench) pid(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.folder, "lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ PID int }
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s.PID
}

func TestALabRunsScriptsOnItsNodes(t *testing.T) {
	l := startLab(t, "--nodes", "2", "--engines", "none", "--for", "10m", "--offline", "--windows")
	if l.env["AWS_PROFILE"] != "" || l.env["AWS_SHARED_CREDENTIALS_FILE"] != os.DevNull ||
		l.env["DROPCAP_LAB"] != l.folder {
		t.Errorf("somebody's own account could be reached: %v", l.env)
	}
	if ids := l.nodes(t); len(ids) != 3 {
		t.Errorf("online: %v", ids)
	}
	var refused struct {
		Type string `json:"__type"`
	}
	for want, key := range map[string]cloud.Key{"UnrecognizedClientException": cloud.DefaultKey,
		"InvalidSignatureException": {ID: l.key().ID, Secret: "none"}} {
		if l.ask(t, key, "DescribeInstanceInformation", map[string]any{},
			&refused); refused.Type != want {
			t.Errorf("with %s: %s, want %s", key.ID, refused.Type, want)
		}
	}
	for name, want := range map[string]string{"AWS_SECRET_ACCESS_KEY": "the signature is wrong",
		"AWS_ACCESS_KEY_ID": "AWS does not accept the credentials"} {
		p := l.fleet(t)
		p.env = append(p.env, name+"=NONE")
		if r := p.run(t, "fleet", "ls"); r.status != dropcap.ExitHost ||
			!strings.Contains(r.err, want) {
			t.Errorf("with another %s: %d %s", name, r.status, r.err)
		}
	}
	if r := l.run(t, "fleet", "lab"); r.status != 1 ||
		!strings.Contains(r.err, "cannot start a lab: one runs already") {
		t.Errorf("a second one: %d, %s", r.status, r.err)
	}
	if r := l.run(t, "fleet", "lab", "--status"); r.status != 0 ||
		!strings.Contains(r.out, "lab-2") ||
		!strings.Contains(r.out, "ssm:DescribeInstanceInformation") {
		t.Errorf("status: %d, %s%s", r.status, r.out, r.err)
	}
}

// Nodes without dropcap: what is installed is their own, and gone when it is removed.
func TestABareLabIsInstalledAndTakenOff(t *testing.T) {
	testenv.Need(t, testenv.Root)
	l := startLab(t, "--nodes", "2", "--engines", "none", "--bare")
	p := l.fleet(t)
	has := func(want bool) {
		t.Helper()
		for id, path := range l.script(t, `command -v dropcap || echo none`) {
			if want != strings.HasPrefix(path, l.folder+"/node-"+id[len(id)-1:]+"/") ||
				!want && path != "none" {
				t.Errorf("%s has dropcap as %s", id, path)
			}
		}
	}
	do := func(status int, words string, args ...string) {
		t.Helper()
		r := p.run(t, append([]string{"fleet"}, append(args, "--rate", "100")...)...)
		if r.status != status || !strings.Contains(r.out+r.err, words) {
			t.Errorf("%v: status %d, want %d and %q:\n%s%s", args, r.status, status, words, r.out,
				r.err)
		}
	}
	do(0, "is there now", "install", "--documents-only")
	has(false)
	do(7, "dropcap is not installed there", "ls")
	do(0, "is installed as", "install", "--bucket", "dropcap-lab", "--targets", "all", "--yes")
	has(true)
	do(0, "2 online", "ls")
	do(0, "dropcap uninstall: ", "uninstall", "--targets", "all", "--yes")
	has(false)
	do(0, "is there", "install", "--distributor", "dropcap", "--bucket", "dropcap-lab", "--targets",
		"all", "--yes")
	has(true)
	do(0, "dropcap is off", "uninstall", "--distributor", "dropcap", "--targets", "all", "--yes")
	has(false)
}

func TestAStoppedLabLeavesNoProcess(t *testing.T) {
	l := startLab(t, "--nodes", "2", "--engines", "none")
	printed := l.script(t,
		`setsid sleep 1000 >/dev/null 2>&1 & echo "$! $DROPCAP_STORE $(dropcap version | cut -d' ' -f1)"`)
	if len(printed) != 2 {
		t.Fatalf("%v", printed)
	}
	if r := l.run(t, "fleet", "lab", "--stop"); r.status != 0 ||
		!strings.HasPrefix(r.out, "unset AWS_ACCESS_KEY_ID ") {
		t.Errorf("stop: %d, %s%s", r.status, r.out, r.err)
	}
	for id, line := range printed {
		pid, rest, _ := strings.Cut(line, " ")
		if running(pid) || !strings.HasPrefix(rest, l.folder) ||
			!strings.HasSuffix(rest, "/store dropcap") {
			t.Errorf("%s: %q; its child runs: %v", id, line, running(pid))
		}
	}
	if r := l.run(t, "fleet", "lab", "--status"); r.status != 1 ||
		!strings.Contains(r.err, "cannot find a running lab") {
		t.Errorf("status: %d, %s", r.status, r.err)
	}
}

func TestALabEndsWithItsTime(t *testing.T) {
	l := startLab(t, "--nodes", "1", "--engines", "none", "--for", "2s")
	testenv.Eventually(t, time.Minute, "end of the lab's folder", func() bool {
		_, err := os.Lstat(l.folder)
		return err != nil
	})
}

// engineOf asks a node's engine, from the node.
const engineOf = `docker version --format '{{.Server.Version}}'; docker ps --format '{{.Names}}'; echo "$DOCKER_HOST"`

func TestNodesHaveEnginesOfTheirOwn(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Base, testenv.Docker20)
	l := startLab(t, "--nodes", "2", "--node-fails", "2", "--engines", "private")
	hosts := map[string]bool{}
	for id, text := range l.script(t, engineOf) {
		lines := strings.Fields(text)
		hosts[lines[len(lines)-1]] = true
		if !strings.HasPrefix(lines[0], "20.10.") || !strings.Contains(text, "tunnel") ||
			!strings.Contains(text, "hardened") ||
			strings.Contains(text, "monitor") != strings.HasSuffix(id, "2") {
			t.Errorf("%s: %q", id, text)
		}
	}
	if len(hosts) != 2 {
		t.Errorf("engines: %v", hosts)
	}
	if r := l.run(t, "fleet", "lab", "--stop"); r.status != 0 {
		t.Errorf("stop: %s", r.err)
	}
	wantNoEngine(t, hosts)
}

func TestAKilledLabLeavesNothing(t *testing.T) {
	testenv.Need(t, testenv.Root, testenv.Base, testenv.Docker20)
	l := startLab(t, "--nodes", "2", "--engines", "private")
	hosts, children := map[string]bool{}, []string{}
	for _, text := range l.script(t, engineOf+`; setsid sleep 1000 >/dev/null 2>&1 & echo "$!"`) {
		lines := strings.Fields(text)
		hosts[lines[len(lines)-2]], children = true, append(children, lines[len(lines)-1])
	}
	// The supervisor of one engine is killed too.
	var record struct{ Pid int }
	for host := range hosts {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimPrefix(host, "unix://")),
			"supervisor.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &record); err != nil {
			t.Fatal(err)
		}
	}
	for _, pid := range []int{record.Pid, l.pid(t)} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if r := l.run(t, "fleet", "lab", "--stop"); r.status != 0 {
		t.Errorf("stop: %s", r.err)
	}
	wantNoEngine(t, hosts)
	for _, pid := range children {
		if running(pid) {
			t.Errorf("process %s of a node runs on", pid)
		}
	}
}

// wantNoEngine checks that an engine left nothing: no processes with its folder mounted, no
// cgroups, no folder.
func wantNoEngine(t *testing.T, hosts map[string]bool) {
	t.Helper()
	for host := range hosts {
		root := filepath.Dir(strings.TrimPrefix(host, "unix://"))
		if _, err := os.Lstat(root); err == nil {
			t.Errorf("%s is left behind", root)
		}
		if left, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup/*", filepath.Base(root))); len(
			left) > 0 {
			t.Errorf("cgroups are left behind: %v", left)
		}
		entries, err := os.ReadDir("/proc")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, err := strconv.Atoi(e.Name()); err != nil {
				continue
			}
			for _, file := range []string{"mountinfo", "cmdline"} {
				if text, _ := os.ReadFile(filepath.Join("/proc", e.Name(), file)); bytes.Contains(
					text, []byte(filepath.Base(root))) {
					t.Errorf("process %s is left behind: %s", e.Name(), fmt.Sprintf("%q", text))
				}
			}
		}
	}
}
