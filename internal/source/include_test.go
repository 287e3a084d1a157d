package source

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// What a file includes is told by the file alone, and compose is given the copies of it with the
// folder and environment that the files themselves would have.
func TestIncludes(t *testing.T) {
	f := File{"/srv/compose.yaml", []byte(`include:
  - more.yaml # theirs
  - path: [sub/a.yaml, "sub/b.yaml"]
    env_file: [one.env]
  - {path: '/opt/x.yaml', project_directory: ./data,}
services: {web: {image: x}}
`)}
	list, err := Includes("/srv", f)
	if err != nil {
		t.Fatal(err)
	}
	want := []Include{
		{Files: []string{"/srv/more.yaml"}, Dir: "/srv"},
		{Files: []string{"/srv/sub/a.yaml", "/srv/sub/b.yaml"}, Dir: "/srv/sub",
			Env: []string{"/srv/one.env"}},
		{Files: []string{"/opt/x.yaml"}, Dir: "/srv/data"},
	}
	for i := range list {
		list[i].from, list[i].to = 0, 0
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("%+v", list)
	}
	g := Given{Files: []File{f}, Dir: "/srv"}
	got := strings.ReplaceAll(string(g.Placed(g.All())[0].Text), "\x00", "@")
	if got != `include:
  - {path: [@/srv/more.yaml@], project_directory: "/srv"} # theirs
  - {path: [@/srv/sub/a.yaml@, @/srv/sub/b.yaml@], project_directory: "/srv/sub", `+
		`env_file: ["/srv/one.env"]}
  - {path: [@/opt/x.yaml@], project_directory: "/srv/data"}
services: {web: {image: x}}
` {
		t.Errorf("it is\n%s", got)
	}
}

func TestIncludesThatAreNotFollowed(t *testing.T) {
	for _, text := range []string{
		"include: b.yaml\n", "include: [$HOME/b.yaml]\n", "include: [~/b.yaml]\n",
		"include: ['']\n",
		"include: ['https://example.org/b.yaml']\n", "include: ['git@example.org:b']\n",
		"include: ['oci://example.org/b']\n", "include: [{path: b.yaml, other: 1}]\n",
		"include: [{project_directory: /x}]\n", "include: [&a b.yaml, *a]\n",
		"include: [{path: b.yaml, project_directory: $X}]\n", "include: [\"b\\x2eyaml\"]\n",
		"include: [{path: &p b.yaml}]\n", "include: ['a#b.git']\n",
		"include:\n  - path: |\n      b.yaml\n",
	} {
		_, err := Includes("/srv", File{"/srv/c.yaml", []byte(text)})
		var no *Cannot
		if !errors.As(err, &no) || no.Slug != "include" {
			t.Errorf("%q: %v", text, err)
		}
	}
	none := File{"/srv/c.yaml", []byte("include:\nservices: {}\n")}
	if list, err := Includes("/srv", none); err != nil || list != nil {
		t.Errorf("nothing is included: %v, %v", list, err)
	}
}
