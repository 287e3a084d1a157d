package host

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
)

// A refusal is told by what was to be done: a request's path says nothing to a person, and fills
// the line.
func TestARefusalIsNamedByItsEffect(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	c, err := docker.Open(t.Context(), docker.Options{Host: e.Host})
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("ab", 32)
	_, err = (&executor{engine: c}).Do(t.Context(), dropcap.Effect{Name: "start-new",
		Says:   "start the new web",
		Action: &dropcap.Call{Method: http.MethodPost, Path: "/containers/" + id + "/start"}})
	if err == nil || !strings.HasPrefix(err.Error(),
		"cannot start the new web: the engine says: ") || strings.Contains(err.Error(), "/v1.") {
		t.Errorf("it is told as %v", err)
	}
	if !errors.Is(err, dropcap.ErrNotFound) {
		t.Errorf("it is no longer what it was: %#v", err)
	}
}
