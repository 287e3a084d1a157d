package source

import (
	"reflect"
	"testing"
)

// What compose writes into containers is told apart from what it mounts.
func TestInjected(t *testing.T) {
	files := []File{{"/a.yml", []byte(`
x-c: &c {content: hello}
services:
  base:
    image: x
    configs: [motd]
  web:
    extends: {service: base}
    configs:
      - source: app
        target: /etc/app/app.conf
      - {source: file, target: /etc/file.conf}
      - {source: app, target: "/etc/$NAME"}
    secrets:
      - token
      - {source: key, target: /etc/key}
configs:
  motd: *c
  file: {file: ./file.conf}
secrets:
  token: {environment: TOKEN}
`)}, {"/b.yml", []byte(`
services:
  db: {image: y, configs: [app]}
configs:
  app: {<<: &v {environment: APP}}
secrets: {key: {external: true}}
`)}}
	for service, want := range map[string][]Injection{
		"web": {{"/motd", ""}, {"/etc/app/app.conf", "APP"}, {"/run/secrets/token", "TOKEN"}},
		"db":  {{"/app", "APP"}},
		"log": nil,
	} {
		if got := Injected(files, service); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", service, got, want)
		}
	}
}
