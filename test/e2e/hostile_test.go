package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropcap/internal/dockertest/fake"
)

// evil contains what a terminal, a reader or a parser might act on: ANSI colours and titles, C1
// controls, line breaks, bidirectional overrides, zero-width characters, wide ones, markup and a
// formula. No slash: the engine has those only in the names of links.
const evil = "=1+1\x1b[31m\x1b]0;owned\x07\u009b2J\r\n\t\u202e\u2066\u200b\u2028漢字🐳|`<img src=x onerror=alert(1)>]]>\\\"'"

var everyFormat = []string{
	"table", "wide", "json", "cis", "csv", "markdown", "junit", "sarif", "html",
	"{{.}}", "{{json .}}", "{{json .Name}}",
	`{{printf "%s|%v|%+v|%#v|%q|%d" .Name .Name . . .Name .Name}}`,
	`table {{.Name}}\t{{.Image}}\t{{.Labels}}\t{{.Why}}`,
	`{{lower .Name}} {{upper .Image}} {{title .User}} {{pad .Name 1 2}} {{truncate .Name 9}} {{slice .Name 1 3}} {{join .Labels ","}}`,
}

// TestHostileNamesMoveNothing: program.run checks every printed byte; here JSON must also mean what
// the engine sent.
func TestHostileNamesMoveNothing(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	id := e.Add(fake.Container{
		Name: evil, Image: evil, User: evil, State: "running", Labels: map[string]string{evil: evil,
			"com.docker.compose.project": evil, "com.docker.compose.service": evil},
		HostConfig: fake.HostConfig{CapAdd: []string{"NET_ADMIN"}, NetworkMode: evil,
			Runtime: evil},
	})
	e.Add(fake.Container{Name: "caps" + evil, HostConfig: fake.HostConfig{CapAdd: []string{evil},
		CapDrop: []string{"ALL", evil}}})
	for _, format := range everyFormat {
		r := on(e).run(t, "audit", "--no-trunc", "--format", format)
		r.want(t, 3)
		wantSameName(t, format, r.out)
	}
	on(e).run(t, "explain", id).want(t, 7)
	on(e).run(t, "explain", id, "--format", "json").want(t, 7)
	on(e).run(t, "explain", evil).wantError(t, 1, "did you mean")
	on(e).run(t, "audit", "cap"+evil).wantError(t, 1, "did you mean caps")
	on(e).run(t, "audit", "cap"+evil, "--format", "json")
	on(e).run(t, "__complete", "audit", "")
}

func wantSameName(t *testing.T, format, out string) {
	t.Helper()
	var name string
	switch format {
	case "json":
		var doc struct{ Containers []struct{ Name string } }
		if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Containers) != 2 {
			t.Fatalf("%v in %q", err, out)
		}
		name = doc.Containers[1].Name
	case "{{json .}}":
		var doc struct{ Name string }
		if err := json.Unmarshal([]byte(strings.Split(out, "\n")[1]), &doc); err != nil {
			t.Fatal(err)
		}
		name = doc.Name
	case "{{json .Name}}":
		if err := json.Unmarshal([]byte(strings.Split(out, "\n")[1]), &name); err != nil {
			t.Fatal(err)
		}
	default:
		return
	}
	if name != evil {
		t.Errorf("%s: the name became %q", format, name)
	}
}

// TestHostileDocumentMovesNothing: a foreign snapshot, with processes of any name.
func TestHostileDocumentMovesNothing(t *testing.T) {
	quoted, _ := json.Marshal(evil)
	text := strings.ReplaceAll(`{"schema":"dropcap.snapshot/v1","created":EVIL,
	 "host":{"id":EVIL,"name":EVIL,"kernel":EVIL,"cgroup":EVIL,"lsm":[EVIL],"engine":{"name":EVIL,"version":EVIL,"api":EVIL},"grantable":null,"defaults":["CAP_CHOWN"]},
	 "containers":[{"id":EVIL,"name":EVIL,"image":EVIL,"image_id":EVIL,"state":"running","user":EVIL,"pid":7,"workload":EVIL,"labels":[EVIL],
	  "owner":{"kind":EVIL,"project":EVIL,"service":EVIL,"claimed":EVIL},"declared":{"privileged":false,"cap_add":[EVIL],"cap_drop":[EVIL]},
	  "runtime":EVIL,"network":EVIL,"created":EVIL,"execs":[{"id":EVIL,"pid":9,"user":EVIL}],"predicted":["CAP_CHOWN"],
	  "kernel":{"visible":true,"why_not":EVIL,"bounding":["CAP_CHOWN","CAP_SYS_ADMIN"],"effective":["CAP_CHOWN"],"permitted":[],"inheritable":[],"ambient":[],"user_ns":EVIL,
	   "processes":[{"pids":[7],"comm":EVIL,"origin":EVIL,"bounding":"0000000000200001","effective":"0000000000000001"},
	                {"pids":[9],"comm":EVIL,"origin":"exec","bounding":"0000000000200001","effective":EVIL}]}},
	 {"id":"b","name":EVIL,"state":EVIL,"predicted_why_not":EVIL,"predicted":null,"kernel":{"visible":false,"why_not":EVIL}}]}`, "EVIL", string(quoted))
	file := write(t, filepath.Join(t.TempDir(), "s.json"), text)
	for _, format := range everyFormat {
		if r := (program{}).run(t, "audit", "--from", file, "--no-trunc", "--format",
			format); r.status != 3 || r.err != "" {
			t.Fatalf("%s: %d %q", format, r.status, r.err)
		}
	}
	(program{}).run(t, "explain", "--from", file, evil)
	(program{}).run(t, "explain", "--from", file, evil, "--format", "json")
}

// TestNoSecretsAnywhere: the values of environment, labels, commands, health checks and log options
// are in the engine's answers, and in nothing that dropcap prints.
func TestNoSecretsAnywhere(t *testing.T) {
	const canary = "canary-5f2b"
	e := pair(t)
	e.AddImage(fake.Image{Name: "app:1", Labels: map[string]string{"image-token": canary}})
	id := e.Add(fake.Container{Name: "secretive", State: "running",
		Labels: map[string]string{"token": canary, "image-token": canary}})
	_, raw, err := e.Raw(t.Context(), "GET", "/containers/"+id+"/json", "")
	if err != nil {
		t.Fatal(err)
	}
	plant := func(edit func(body, config, host map[string]any)) string {
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		edit(body, body["Config"].(map[string]any), body["HostConfig"].(map[string]any))
		out, _ := json.Marshal(body)
		return string(out)
	}
	everywhere := func(body, config, host map[string]any) {
		words := []string{"sh", "-c", canary}
		body["Path"], body["Args"] = canary, words
		config["Env"], config["Cmd"], config["Entrypoint"] = []string{"TOKEN=" + canary}, words,
			words
		config["Healthcheck"] = map[string]any{"Test": append([]string{"CMD"}, words...)}
		host["LogConfig"] = map[string]any{"Type": "splunk",
			"Config": map[string]string{"splunk-token": canary}}
		host["SecurityOpt"], host["Binds"] = []string{"label=" + canary},
			[]string{"/" + canary + ":/x"}
	}
	wantSilence(t, e, id, plant(everywhere), canary, 3)
	for name, body := range map[string]string{
		"a wrong type": plant(func(_, _, host map[string]any) { host["CapAdd"] = canary }),
		"a wrong list": plant(func(_, config, _ map[string]any) {
			config["Labels"] = []string{canary}
		}),
		"a wrong pid": plant(func(body, _, _ map[string]any) {
			body["State"] = map[string]any{"Pid": canary, "Status": canary}
		}),
		"cut off": plant(everywhere)[:1500] + canary + `"` + canary,
		"no JSON": canary,
	} {
		t.Run(name, func(t *testing.T) { wantSilence(t, e, id, body, canary, 3) })
	}
}

func wantSilence(t *testing.T, e *fake.Engine, id, body, canary string, status int) {
	t.Helper()
	e.Behave()
	e.Misbehave(fake.Fault{Path: "/containers/" + id + "/json", Body: body})
	dir := t.TempDir()
	for _, format := range everyFormat {
		r := on(e).run(t, "audit", "--no-trunc", "--snapshot", filepath.Join(dir, "s.json"),
			"--format", format, "--format", "html="+filepath.Join(dir, "a.html"))
		if r.status != status || strings.Contains(r.out+r.err, canary) {
			t.Errorf("%s: status %d: %.400s %s", format, r.status, r.out, r.err)
		}
	}
	for _, args := range [][]string{{"explain", "secretive"}, {"explain", "secretive", "--format",
		"json"}, {"doctor"}, {"doctor", "--format", "json"}, {"__complete", "audit", ""}} {
		if r := on(e).run(t, args...); strings.Contains(r.out+r.err, canary) {
			t.Errorf("%v: %s %s", args, r.out, r.err)
		}
	}
	files, _ := filepath.Glob(dir + "/*")
	for _, f := range files {
		if text, err := os.ReadFile(f); err != nil || strings.Contains(string(text), canary) {
			t.Errorf("%s holds the secret, or %v", f, err)
		}
	}
	if status == 3 && len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
}
