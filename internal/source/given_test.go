package source

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
)

func TestFilesThatComposeReadsByItself(t *testing.T) {
	p := Project{Dir: "/srv/shop"}
	const text = `
x-base: &base {env_file: base.env}
services:
  web:
    <<: *base
    env_file: [web.env, {path: /etc/web.env, required: false}]
    label_file: labels
  db: {extends: {file: ../common.yaml, service: db}, env_file: db.env}
  other: {extends: web, command: [env_file, x]}
`
	got, err := p.Reads([]File{{"/srv/shop/a.yaml", []byte(text)},
		{"/srv/shop/b.yaml", []byte("services: {web: {env_file: b.env}}")}})
	want := "/etc/web.env /srv/common.yaml /srv/shop/b.env /srv/shop/base.env /srv/shop/db.env " +
		"/srv/shop/labels /srv/shop/web.env"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v: %s, want %s", err, strings.Join(got, " "), want)
	}
	for _, name := range []string{"${X:-.env}", "~/web.env"} {
		if _, err := p.Reads([]File{{"/srv/shop/a.yaml",
			[]byte("services: {web: {env_file: '" + name + "'}}")}}); slug(err) != "variable" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestComposeIsGivenWhatWasChecked(t *testing.T) {
	g := Given{Files: []File{{"/a", []byte("a")}, {"/b", []byte("b")}}, Env: []File{{"/.env", nil}}}
	edited := []Edited{{Path: "/b", Was: []byte("b"), Is: []byte("c")}}
	texts := func(is bool) (out []string) {
		for _, f := range g.With(edited, is) {
			out = append(out, f.Path+"="+string(f.Text))
		}
		return out
	}
	if got := texts(false); !slices.Equal(got, []string{"/a=a", "/b=b", "/.env="}) {
		t.Errorf("as they were: %v", got)
	}
	if got := texts(true); !slices.Equal(got, []string{"/a=a", "/b=c", "/.env="}) {
		t.Errorf("edited: %v", got)
	}
	if p := (Project{}).Explicit(g); !slices.Equal(p.EnvFiles, []string{"/.env"}) {
		t.Errorf("compose would look for %v", p.EnvFiles)
	}
}

func TestGivenSays(t *testing.T) {
	g := Given{Files: []File{
		{Path: "/a.yaml", Text: []byte("services: {web: {cap_drop: [NET_RAW]}, db: {image: x}}")},
		{Path: "/b.yaml", Text: []byte("services: {web: {cap_add: [CAP_SYS_TIME]}}")}}}
	grant := func(add, drop []string) dropcap.Grant {
		return dropcap.Grant{CapAdd: add, CapDrop: drop}
	}
	time, raw := []string{"SYS_TIME"}, []string{"NET_RAW"}
	for _, c := range []struct {
		service string
		was, is dropcap.Grant
		want    bool
	}{
		{"web", grant(time, nil), grant(time, raw), true},
		{"web", grant(nil, nil), grant(nil, raw), false}, // the file adds one
		{"web", grant(time, raw), grant(time, raw), false},
		{"db", grant(nil, nil), grant(nil, raw), false},
		{"no", grant(nil, nil), grant(nil, raw), false},
	} {
		if got := g.Says(c.service, Declaration{Was: c.was, Is: c.is}); got != c.want {
			t.Errorf("%s from %v to %v: %v", c.service, c.was, c.is, got)
		}
	}
}
