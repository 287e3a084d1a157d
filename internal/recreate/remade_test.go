package recreate_test

import (
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/recreate"
)

const (
	oldID = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
	newID = "ffb2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
)

const composed = `{"Id":"` + oldID +
	`","Name":"/shop-web-1","Image":"sha256:1","State":{"Status":"running","Running":true},
"Config":{"Hostname":"a1b2c3d4e5f6","Image":"app:1","Env":["A=1","B=2"],"Cmd":["/serve"],"Volumes":{"/anonymous":{}},
 "Labels":{"com.docker.compose.config-hash":"x","com.docker.compose.depends_on":"a:s:true,b:s:true","com.docker.compose.service":"web"}},
"HostConfig":{"NetworkMode":"front","CapAdd":["SYS_TIME"],"Binds":["data:/data:rw"],"Mounts":[{"Type":"volume","Target":"/anonymous"}],"ExtraHosts":["a:1","b:2"]},
"Mounts":[{"Type":"volume","Name":"data","Source":"/v/data/_data","Destination":"/data","Driver":"local","Mode":"rw","RW":true},
 {"Type":"volume","Name":"` + oldID + `","Source":"/v/anon/_data","Destination":"/anonymous","Driver":"local","Mode":"","RW":true}],
"NetworkSettings":{"Networks":{"front":{"Aliases":["shop-web-1","web","a1b2c3d4e5f6"]}}}}`

// What compose makes in another form each time is the same; anything else is not.
func TestWhatComposeMakesAgainIsTheSame(t *testing.T) {
	again := strings.NewReplacer(
		`"Id":"`+oldID, `"Id":"`+newID, `"Hostname":"a1b2c3d4e5f6"`, `"Hostname":"ffb2c3d4e5f6"`,
		`"A=1","B=2"`, `"B=2","A=1"`,
		`"config-hash":"x"`, `"config-hash":"y","com.docker.compose.replace":"1"`,
		"a:s:true,b:s:true", "b:s:true,a:s:true", `"a:1","b:2"`, `"b:2","a:1"`,
		`"shop-web-1","web","a1b2c3d4e5f6"`, `"ffb2c3d4e5f6","web","shop-web-1"`,
		`"Mounts":[{"Type":"volume","Target":"/anonymous"}]`,
		`"Mounts":[{"Type":"volume","Source":"`+oldID+`","Target":"/anonymous"}]`,
		`"CapAdd":["SYS_TIME"]`, `"CapDrop":["CAP_NET_RAW"],"CapAdd":["CAP_SYS_TIME"]`,
	).Replace(composed)
	r := recipe(t, recreate.Original{API: "1.41", Engine: "docker", Inspect: []byte(composed)})
	g := dropcap.Grant{CapAdd: []string{"SYS_TIME"}, CapDrop: []string{"NET_RAW"}}
	if d := r.Remade([]byte(again), g); len(d) > 0 {
		t.Errorf("the same container differs: %v", d)
	}
	for change, path := range map[[2]string]string{
		{`"data:/data:rw"`,
			`"data:/data:rw","/:/host:rw"`}: "HostConfig.Binds",
		{`"Driver":"local","Mode":"rw","RW":true}`,
			`"Driver":"local","Mode":"rw","RW":false}`}: "Mounts./data",
		{`"Name":"data","Source":"/v/data/_data"`,
			`"Name":"other","Source":"/v/other/_data"`}: "Mounts./data",
		{`"A=1"`, `"A=2"`}:        "Config.Env",
		{`"/serve"`, `"/bin/sh"`}: "Config.Cmd",
		{`"Hostname":"ffb2c3d4e5f6"`,
			`"Hostname":"a1b2c3d4e5f6"`}: "Config.Hostname",
		{`"NetworkMode":"front"`,
			`"NetworkMode":"host"`}: "HostConfig.NetworkMode",
		{`"CapAdd":["CAP_SYS_TIME"]`,
			`"CapAdd":["CAP_SYS_TIME","SYS_ADMIN"]`}: "HostConfig.CapAdd",
		{`"CapAdd":`,
			`"Privileged":true,"CapAdd":`}: "HostConfig.Privileged",
		{`"CapAdd":`,
			`"Devices":[{"PathOnHost":"/dev/sda"}],"CapAdd":`}: "HostConfig.Devices",
		{`"CapAdd":`,
			`"PidMode":"host","CapAdd":`}: "HostConfig.PidMode",
		{`"com.docker.compose.service":"web"`,
			`"com.docker.compose.service":"web","x":"y"`}: "Config.Labels.x",
		{`"Image":"sha256:1"`,
			`"Image":"sha256:2"`}: "Image",
		{`{"front":`,
			`{"back":{},"front":`}: "NetworkSettings.Networks.back",
	} {
		other := strings.Replace(again, change[0], change[1], 1)
		if other == again {
			t.Fatalf("nothing to replace: %s", change[0])
		}
		d := r.Remade([]byte(other), g)
		if !slices.ContainsFunc(d, func(d recreate.Difference) bool {
			return strings.HasPrefix(d.Path, path)
		}) {
			t.Errorf("%s: %v, want %s", change[1], d, path)
		}
	}
}
