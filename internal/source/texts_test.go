package source

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropcap/internal/testenv"
)

func slug(err error) string {
	var no *Cannot
	if errors.As(err, &no) {
		return no.Slug
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return ""
}

// What is printed is a patch that git takes, and that gives the very file.
func TestDiffApplies(t *testing.T) {
	testenv.Need(t, testenv.Tool("git", "git"))
	text := "services:\r\n  db: {image: y}\r\n  web:\r\n    environment: {PASSWORD: canary}\r\n  " +
		"  image: x\r\n    cap_add:\r\n      - CHOWN # c\r\n      - NET_RAW"
	d := Declaration{grant("CHOWN NET_RAW", ""), grant("CHOWN", "MKNOD NET_RAW")}
	out, err := Compose([]File{{"compose.yaml", []byte(text)}}, "web", d)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	diff := Diff(out, "web", d)
	if strings.Contains(diff, "canary") {
		t.Errorf("it shows a secret:\n%s", diff)
	}
	cmd := exec.Command("git", "apply", "--unidiff-zero", "-p0", "-")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(diff)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, text, diff)
	}
	got, _ := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	if string(got) != string(out[0].Is) {
		t.Errorf("the patch gives %q, want %q", got, out[0].Is)
	}
}

// A line that says more than capabilities is not shown.
func TestDiffHidesWhatStandsBeside(t *testing.T) {
	for _, text := range []string{
		"services:\n  web: {image: x, environment: {P: canary}}\n",
		"services:\n  web: {\"cap_add\": [NET_RAW], environment: [canary]}\n",
		"services:\n  web:\n    cap_add: [NET_RAW, canary]\n    image: x\n",
	} {
		d := Declaration{grant("NET_RAW", ""), grant("", "ALL")}
		if !strings.Contains(text, "NET_RAW") {
			d.Was = grant("", "")
		}
		out, err := Compose([]File{{"/srv/c.yaml", []byte(text)}}, "web", d)
		if err != nil {
			t.Fatal(err)
		}
		diff := Diff(out, "web", d)
		if strings.Contains(diff, "canary") || !strings.Contains(diff, "in /srv/c.yaml, line") ||
			!strings.Contains(diff, "cap_drop: [ALL]") {
			t.Errorf("it says\n%s", diff)
		}
	}
}

func labels(change map[string]string) map[string]string {
	l := map[string]string{
		"com.docker.compose.project": "shop", "com.docker.compose.service": "web",
		"com.docker.compose.oneoff":               "False",
		"com.docker.compose.project.working_dir":  "/srv/shop",
		"com.docker.compose.project.config_files": "/srv/shop/a.yaml,/srv/shop/b.yaml",
	}
	for k, v := range change {
		l["com.docker.compose."+k] = v
	}
	return l
}

func TestReadProject(t *testing.T) {
	p, err := ReadProject(labels(
		map[string]string{"project.environment_file": "/srv/shop/x.env,y.env"}))
	if err != nil {
		t.Fatal(err)
	}
	want := "--project-name shop --project-directory /srv/shop --file /srv/shop/a.yaml --file " +
		"/srv/shop/b.yaml --env-file /srv/shop/x.env " +
		"--env-file /srv/shop/y.env up --detach --no-deps --no-build --pull never --scale web=2 web"
	if got := strings.Join(p.Up(Scale{p.Service, 2}), " "); got != want {
		t.Errorf("it runs %s", got)
	}
	if got := strings.Join(p.Config(), " "); !strings.Contains(got,
		"--file /srv/shop/a.yaml --file /srv/shop/b.yaml ") {
		t.Errorf("it runs %s", got)
	}
	needed, optional := p.Trusts()
	if len(needed) != 4 || optional != nil {
		t.Errorf("it needs %v, %v", needed, optional)
	}
	for name, c := range map[string]struct {
		labels map[string]string
		slug   string
	}{
		"a pipe": {map[string]string{"project.config_files": "/srv/shop/-"},
			"stdin"},
		"a pipe, plainly": {map[string]string{"project.config_files": "-"}, "stdin"},
		"kept elsewhere": {map[string]string{"project.config_files": "oci://registry/x:1"},
			"remote"},
		"compose 1": {map[string]string{"project.config_files": "docker-compose.yml"},
			"labels"},
		"a way around": {map[string]string{"project.config_files": "/srv/../etc/x.yaml"},
			"labels"},
		"no files":               {map[string]string{"project.config_files": ""}, "no-files"},
		"docker compose run":     {map[string]string{"oneoff": "True"}, "one-off"},
		"a service like a flag":  {map[string]string{"service": "--privileged"}, "labels"},
		"a project like a flag":  {map[string]string{"project": "-f"}, "labels"},
		"a relative folder":      {map[string]string{"project.working_dir": "shop"}, "labels"},
		"a service that is none": {map[string]string{"service": "a\nb"}, "labels"},
	} {
		if _, err := ReadProject(labels(c.labels)); slug(err) != c.slug {
			t.Errorf("%s: %v, want %s", name, err, c.slug)
		}
	}
}

func TestPending(t *testing.T) {
	const warned = "time=\"2026-01-01T00:00:00Z\" level=warning msg=\"the attribute version is " +
		"obsolete\"\n"
	for _, c := range []struct{ output, slug string }{
		{warned + " DRY-RUN MODE -  Container shop-web-2  Running \n DRY-RUN MODE -  Container " +
			"shop-web-1  Running \n", ""},
		{" Container shop-web-1 Running \n Container shop-web-2 Running \n", ""},
		{" Container shop-web-1 Running \n Container shop-web-2 Running \n Container shop-web-1 " +
			"Waiting \n Container shop-web-1 Healthy \n", ""},
		{" Container shop-web-1 Running \n Container shop-web-1 Waiting \n", "pending"},
		{" Container shop-web-1 Running \n", "pending"},
		{" Container shop-web-1 Running \n Container shop-web-2 Running \n Container shop-web-3 " +
			"Running \n", "pending"},
		{" Container shop-web-1 Recreate \n Container shop-web-2 Running \n", "pending"},
		{" Container shop-web-1 Running \n Container shop-web-2 Running \n Network shop_front " +
			"Removing \n", "pending"},
		{"", "pending"},
	} {
		if err := Pending(c.output, []string{"shop-web-1", "shop-web-2"}); slug(err) != c.slug {
			t.Errorf("%q: %v", c.output, err)
		}
	}
}

func TestModels(t *testing.T) {
	const before = `{"name":"shop","networks":{"a":{}},"services":{"db":{"image":"y"},"web":{"cap_add":["NET_RAW","cap_chown"],"image":"x"}}}`
	d := Declaration{grant("CAP_CHOWN NET_RAW", ""), grant("CHOWN", "ALL")}
	for name, c := range map[string]struct{ after, slug string }{
		"as it was meant":     {`{"name":"shop","networks":{"a":{}},"services":{"db":{"image":"y"},"web":{"cap_add":["CHOWN"],"cap_drop":["all"],"image":"x"}}}`, ""},
		"another service":     {`{"name":"shop","networks":{"a":{}},"services":{"db":{"image":"y","cap_drop":["ALL"]},"web":{"cap_add":["CHOWN"],"cap_drop":["ALL"],"image":"x"}}}`, "model"},
		"another field":       {`{"name":"shop","networks":{"a":{}},"services":{"db":{"image":"y"},"web":{"cap_add":["CHOWN"],"cap_drop":["ALL"],"image":"z"}}}`, "model"},
		"another network":     {`{"name":"shop","networks":{},"services":{"db":{"image":"y"},"web":{"cap_add":["CHOWN"],"cap_drop":["ALL"],"image":"x"}}}`, "model"},
		"other capabilities":  {`{"name":"shop","networks":{"a":{}},"services":{"db":{"image":"y"},"web":{"cap_add":["KILL"],"cap_drop":["ALL"],"image":"x"}}}`, "model"},
		"nothing was changed": {before, "model"},
		"more than was asked": {`{"name":"shop","networks":{"a":{}},"services":{"db":{"image":"y"},"web":{"privileged":true,"cap_add":["CHOWN"],"cap_drop":["ALL"],"image":"x"}}}`, "model"},
		"the service has gone": {`{"services":{"db":{}}}`,
			"error: cannot understand what compose makes of the files"},
	} {
		if err := Models([]byte(before), []byte(c.after),
			[]Wanted{{"web", d}}); slug(err) != c.slug {
			t.Errorf("%s: %v, want %q", name, err, c.slug)
		}
	}
	if err := Models([]byte(before), []byte(before),
		[]Wanted{{"web", Declaration{grant("CHOWN", ""), grant("CHOWN", "")}}}); slug(
		err) != "model" {
		t.Errorf("a file that does not say what the container has: %v", err)
	}
}

func TestLineIsSafeToPaste(t *testing.T) {
	got := Line([]string{"--file", "/srv/it's $(x)/c.yaml", "up"})
	if got != `docker compose --file '/srv/it'\''s $(x)/c.yaml' up` {
		t.Error(got)
	}
	if !slices.Contains(strings.Fields(Line([]string{"a\nb"})), "'a?b'") {
		t.Error(Line([]string{"a\nb"}))
	}
}
