package e2e_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/lab/cloud"
	"dropcap/internal/testenv"
)

// distributed is a double of AWS with nodes that have no dropcap yet; their agents run what
// Distributor brings.
type distributed struct {
	program
	double *cloud.Cloud
	folder string
}

const amd, arm = "i-0dc00000000000001", "i-0dc00000000000002"

func (d distributed) path(node, name string) string { return filepath.Join(d.folder, node, name) }

// installed returns the path of dropcap on a node.
func (d distributed) installed(node string) string {
	return d.path(node, "root/usr/local/bin/dropcap")
}

func startDistributed(t *testing.T) distributed {
	t.Helper()
	double := cloud.New(nil)
	srv := httptest.NewServer(double)
	t.Cleanup(srv.Close)
	d := distributed{double: double, folder: t.TempDir()}
	d.program = program{env: []string{"AWS_ENDPOINT_URL=" + srv.URL, "AWS_ACCESS_KEY_ID=" +
		cloud.AccessKey, "AWS_SECRET_ACCESS_KEY=" + cloud.SecretKey,
		"AWS_REGION=us-east-1", "AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "DROPCAP_STORE=" + filepath.Join(t.TempDir(),
			"store")}}
	double.Bucket(cloud.DefaultAccount, "us-east-1", "lab")
	for id, arch := range map[string]string{amd: "x86_64", arm: "arm64"} {
		for _, name := range []string{"agent", "root", "store", "tmp"} {
			if err := os.MkdirAll(d.path(id, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		double.Add(cloud.Node{ID: id})
		agent := &cloud.Agent{Endpoint: srv.URL, Node: id, Region: "us-east-1",
			Folder: d.path(id, "agent"), Alone: true, Platform: "debian", Arch: arch, Env: []string{
				"PATH=" + filepath.Dir(d.installed(id)) + ":/usr/bin:/bin:/usr/sbin:/sbin",
				"DROPCAP_PREFIX=" + d.path(id, "root"), "DROPCAP_STORE=" + d.path(id, "store"),
				"TMPDIR=" + d.path(id, "tmp"), "HOME=" + d.path(id, "tmp"),
				"DOCKER_HOST=unix:///nonexistent"}}
		done := make(chan struct{})
		go func() { defer close(done); _ = agent.Run(t.Context()) }()
		t.Cleanup(func() { <-done }) // t.Context ends earlier
	}
	return d
}

// fleet runs a fleet command, and checks its status and its output.
func (d distributed) fleet(t *testing.T, status int, words string, args ...string) {
	t.Helper()
	r := d.run(t, append([]string{"fleet"}, append(args, "--yes", "--rate", "100")...)...)
	if said := r.out + r.err; r.status != status || !strings.Contains(said, words) ||
		strings.Contains(said, "X-Amz-") {
		t.Errorf("%v: status %d, want %d and %q:\n%s%s", args, r.status, status, words, r.out,
			r.err)
	}
}

func (d distributed) has(t *testing.T, node string, want bool) {
	t.Helper()
	i, err := os.Lstat(d.installed(node))
	if (err == nil) != want || want && i.Mode().Perm() != 0o755 {
		t.Errorf("%s: %v, %v", node, i, err)
	}
}

func TestDistributorInstallsAndTakesOff(t *testing.T) {
	testenv.Need(t, testenv.Root)
	d := startDistributed(t)
	d.fleet(t, 1, "there is no package dropcap", "install", "--distributor", "dropcap", "--targets",
		amd)
	d.fleet(t, 7, "the package dropcap has nothing for it: debian, arm64", "install",
		"--distributor", "dropcap", "--bucket", "lab", "--targets", "all",
		"--bin", "amd64="+testenv.Binary(t))
	d.has(t, amd, true)
	d.has(t, arm, false)
	if left := d.double.Objects("lab"); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
	d.fleet(t, 1, "of version 9.9", "install", "--distributor", "dropcap", "--package-version",
		"9.9", "--targets", amd)

	// Somebody removes it by hand: the agent would report that it is installed.
	if err := os.Remove(d.installed(amd)); err != nil {
		t.Fatal(err)
	}
	d.fleet(t, 0, "is there", "install", "--distributor", "dropcap", "--targets", amd)
	d.has(t, amd, true)
	d.fleet(t, 0, amd+": dropcap is off", "uninstall", "--distributor", "dropcap", "--targets", amd)
	d.has(t, amd, false)

	// The delivered file does not match the manifest.
	d.double.Inject(cloud.Fault{Kind: cloud.DamagedPackage})
	d.fleet(t, 1, "what the agent got of the package is not what its manifest says", "install",
		"--distributor", "dropcap", "--targets", amd)
	d.has(t, amd, false)
	d.double.Heal()

	// It was installed another way: Distributor has nothing to remove, and reports success.
	d.fleet(t, 0, "is installed as", "install", "--bucket", "lab", "--targets", amd)
	d.fleet(t, 1, "answers still: it was not this package that brought it", "uninstall",
		"--distributor", "dropcap", "--targets", amd)
	d.has(t, amd, true)
}

// A host whose changes could be backed out keeps its dropcap; another version replaces it all the
// same, and what was published is not replaced.
func TestDistributorLeavesAHostWhoseChangesCouldBeBackedOut(t *testing.T) {
	testenv.Need(t, testenv.Root)
	d := startDistributed(t)
	stub := write(t, filepath.Join(t.TempDir(), "dropcap"),
		"#!/bin/sh\ncase $1 in\nhistory) echo '0123456789ab applied false' ;;\n*) exec "+
			testenv.Binary(t)+" \"$@\" ;;\nesac\n")
	d.fleet(t, 0, "is there", "install", "--distributor", "dropcap", "--bucket", "lab", "--targets",
		amd, "--bin", "amd64="+stub)
	write(t, d.path(amd, "store/store.db"), "")
	d.fleet(t, 1, "1 changes are applied or retain a container", "uninstall", "--distributor",
		"dropcap", "--targets", amd)
	d.has(t, amd, true)
	d.fleet(t, 1, "it is there with other files", "install", "--distributor", "dropcap", "--bucket",
		"lab", "--targets", amd, "--bin", "amd64="+testenv.Binary(t))
	d.fleet(t, 0, "dropcap is off", "uninstall", "--distributor", "dropcap", "--targets", "all",
		"--purge", "--force")
	d.has(t, amd, false)
	if _, err := os.Stat(d.path(amd, "store")); err == nil {
		t.Error("the store is left after --purge")
	}
	d.fleet(t, 1, "there is no package dropcap", "install", "--distributor", "dropcap", "--targets",
		amd)
}
