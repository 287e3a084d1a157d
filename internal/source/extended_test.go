package source

import (
	"errors"
	"testing"
)

// What services have from one that they extend goes with that one's, if all of them are to lose it.
func TestEditOfExtendedServices(t *testing.T) {
	const text = "services:\n  base: {image: x, cap_add: [KILL, CHOWN]}\n" +
		"  web:\n    extends: base\n  db:\n    extends: {service: web}\n    image: y\n"
	loses := func(service string) Wanted { return want(service, "KILL CHOWN", "", "CHOWN", "") }
	out, err := Edit([]File{{"/c.yml", []byte(text)}},
		[]Wanted{loses("db"), loses("base"), loses("web")})
	if err != nil {
		t.Fatal(err)
	}
	const edited = "services:\n  base: {image: x, cap_add: [CHOWN]}\n" +
		"  web:\n    extends: base\n  db:\n    extends: {service: web}\n    image: y\n"
	if len(out) != 1 || string(out[0].Is) != edited {
		t.Errorf("it is\n%s", out[0].Is)
	}
	for name, wanted := range map[string][]Wanted{
		"db keeps it":                 {loses("base"), loses("web")},
		"the one that has it is none": {loses("web"), loses("db")},
	} {
		_, err := Edit([]File{{"/c.yml", []byte(text)}}, wanted)
		var no *Cannot
		if !errors.As(err, &no) || no.Slug != "elsewhere" || no.Service == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	circle := "services:\n  web: {extends: db, cap_add: [KILL]}\n  db: {extends: web}\n"
	d, err := parse("", []byte(circle))
	if err != nil || len(d.bases("web")) != 2 {
		t.Errorf("a circle: %v, %v", err, d.bases("web"))
	}
}
