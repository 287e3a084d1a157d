package docker_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest"
)

func conformExecs(t *testing.T, s subject, c *docker.Client) {
	id := s.create(t, "busy", "")
	s.must(t, http.MethodPost, "/containers/"+id+"/start", "", nil)
	run := func(body string) string {
		var made struct{ Id string }
		s.must(t, http.MethodPost, "/containers/"+id+"/exec", body, &made)
		s.must(t, http.MethodPost, "/exec/"+made.Id+"/start", `{"Detach":true}`, nil)
		return made.Id
	}
	ended := run(`{"Cmd":["true"]}`)
	exec := run(`{"Cmd":["sleep","1000"],"User":"1000"}`)
	var got []dropcap.Exec
	dockertest.Eventually(t, 10*time.Second, "single live exec", func() bool {
		got = inspect(t, c, id).Execs
		if s.name == "podman" {
			// up to 4.5 it lists a detached exec for minutes after its end (podman#18424)
			got = slices.DeleteFunc(got, func(x dropcap.Exec) bool { return x.ID == ended })
		}
		return len(got) == 1 && got[0].PID > 1
	})
	if got[0].ID != exec || got[0].User != "1000" || got[0].Privileged {
		t.Errorf("got %+v", got)
	}
	s.must(t, http.MethodPost, "/containers/"+id+"/stop?t=0", "", nil)
	if got := inspect(t, c, id); len(got.Execs) > 0 || got.PID != 0 || got.State != "exited" {
		t.Errorf("after stop: %+v", got)
	}
}

func conformLabels(t *testing.T, s subject, c *docker.Client) {
	const project, service = "com.docker.compose.project", "com.docker.compose.service"
	if _, err := s.load("claims:1", "LABEL "+project+"=shop", "LABEL "+service+"=web"); err != nil {
		t.Fatal(err)
	}
	var made struct{ Id string }
	s.must(t, http.MethodPost, "/containers/create?name=liar",
		`{"Image":"claims:1","Cmd":["sleep","1"]}`, &made)
	t.Cleanup(func() { s.remove(t, made.Id) })
	got := inspect(t, c, made.Id)
	if got.EngineLabels.Own[project] != "shop" || got.EngineLabels.Image[project] != "shop" {
		t.Errorf("the image's labels are not told, or not on the container: %v", got.EngineLabels)
	}
	id := s.create(t, "true-one", `,"Labels":{"`+project+`":"shop","`+service+`":"web"}`)
	if got := inspect(t, c, id); got.EngineLabels.Own[project] != "shop" ||
		got.EngineLabels.Image[project] != "" ||
		!got.EngineLabels.ImageKnown {
		t.Errorf("got %+v", got.EngineLabels)
	}
}

func conformDo(t *testing.T, s subject, c *docker.Client) {
	id := s.create(t, "raw", "")
	status, answer, err := c.Do(t.Context(), http.MethodGet, "/containers/"+id+"/json", nil, nil)
	if err != nil || status != 200 || !json.Valid(answer) {
		t.Errorf("%d, %v", status, err)
	}
	status, _, err = c.Do(t.Context(), http.MethodPost, "/containers/"+id+"/start", nil, []byte{})
	if err != nil || status != 204 {
		t.Errorf("start: %d, %v", status, err)
	}
	status, answer, err = c.Do(t.Context(), http.MethodGet, "/containers/nobody/json", nil, nil)
	if err != nil || status != 404 || !strings.Contains(strings.ToLower(string(answer)),
		"no such container") {
		t.Errorf("%d %s %v", status, answer, err)
	}
}
