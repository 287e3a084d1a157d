package source

import (
	"testing"

	"dropcap"
)

// Every byte but the two values stays.
func TestHostConfig(t *testing.T) {
	const file = `{"Binds":["/x:/CapAdd"], "CapAdd":null ,"CapDrop":["CAP_MKNOD"],"NanoCpus":9007199254740993,"Dns":[{"CapAdd":["a"]}],"X":"<é"}` + "\n"
	got, err := HostConfig([]byte(file), grant("", "MKNOD"), grant("chown", "ALL"))
	want :=
		`{"Binds":["/x:/CapAdd"], "CapAdd":["CAP_CHOWN"] ,"CapDrop":["ALL"],"NanoCpus":9007199254740993,"Dns":[{"CapAdd":["a"]}],"X":"<é"}` + "\n"
	if err != nil || string(got) != want {
		t.Fatalf("%v\n%s, want\n%s", err, got, want)
	}
	back, err := HostConfig(got, grant("CHOWN", "all"), grant("", "CAP_MKNOD"))
	if err != nil || string(back) != file {
		t.Errorf("%v\n%s, want\n%s", err, back, file)
	}
	for name, c := range map[string]struct {
		text string
		was  dropcap.Grant
		slug string
	}{
		"other lists": {file, grant("", ""), "changed"},
		"privileged":  {file, dropcap.Grant{Privileged: true}, "privileged"},
		"now privileged": {`{"Privileged":true,"CapAdd":null,"CapDrop":["MKNOD"]}`,
			grant("", "MKNOD"), "changed"},
		"no CapAdd": {`{"CapDrop":["MKNOD"]}`, grant("", "MKNOD"), "form"},
		"CapAdd twice": {`{"CapAdd":null,"CapAdd":null,"CapDrop":["MKNOD"]}`, grant("", "MKNOD"),
			"form"},
		"another case":    {`{"capadd":null,"CapDrop":["MKNOD"]}`, grant("", "MKNOD"), "form"},
		"no JSON":         {`{"CapAdd":`, grant("", "MKNOD"), "form"},
		"something after": {file + "{}", grant("", "MKNOD"), "form"},
	} {
		if out, err := HostConfig([]byte(c.text), c.was, grant("", "ALL")); slug(err) != c.slug {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}
