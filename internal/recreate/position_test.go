package recreate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/internal/recreate"
)

// everyPosition is an inspect in which each place that holds text holds a canary: "@" stands for
// one.
const everyPosition = `{"Id":"` + positionID + `","Name":"/web","Image":"sha256:` + positionID +
	`","Path":"@","Args":["@"],
"State":{"Status":"running","Running":true,"Error":"@"},"Platform":"linux","Driver":"@","MountLabel":"@","ProcessLabel":"@","AppArmorProfile":"@",
"Config":{"Hostname":"@","Domainname":"@","User":"@","WorkingDir":"/@","StopSignal":"@","Image":"@:1","MacAddress":"@",
 "Env":["n@=@","m@=@\nline","@"],"Cmd":["@","--@=@"],"Entrypoint":["@","@"],"Shell":["@"],"OnBuild":["@"],
 "Labels":{"n@":"@","com.docker.compose.project":"@"},"Volumes":{"/@":{}},"ExposedPorts":{"80/@":{}},
 "Healthcheck":{"Test":["CMD","@","@"]}},
"HostConfig":{"Binds":["/@:/@:ro"],"ContainerIDFile":"/@","NetworkMode":"front","VolumeDriver":"@","Runtime":"@","CgroupParent":"@","Cgroup":"@",
 "CpusetCpus":"@","CpusetMems":"@","CgroupnsMode":"@","IpcMode":"@","PidMode":"@","UTSMode":"@","UsernsMode":"@","Isolation":"@",
 "LogConfig":{"Type":"@","Config":{"n@":"@"}},"RestartPolicy":{"Name":"@"},"PortBindings":{"81/@":[{"HostIp":"@","HostPort":"@"}]},
 "CapAdd":["@"],"CapDrop":["@"],"Dns":["@"],"DnsOptions":["@"],"DnsSearch":["@"],"ExtraHosts":["@:@"],"GroupAdd":["@"],"Links":["/@:/web/@"],
 "SecurityOpt":["apparmor=@","label=@","seccomp={\"@\":\"@\"}","seccomp=@","@=@","@"],"VolumesFrom":["@"],"DeviceCgroupRules":["@"],
 "MaskedPaths":["/@"],"ReadonlyPaths":["/@"],"Annotations":{"n@":"@"},"StorageOpt":{"n@":"@"},"Sysctls":{"n@":"@"},"Tmpfs":{"/@":"@"},
 "BlkioWeightDevice":[{"Path":"/@","Weight":1}],"BlkioDeviceReadBps":[{"Path":"/@","Rate":1}],"BlkioDeviceWriteBps":[{"Path":"/@","Rate":1}],
 "BlkioDeviceReadIOps":[{"Path":"/@","Rate":1}],"BlkioDeviceWriteIOps":[{"Path":"/@","Rate":1}],
 "Devices":[{"PathOnHost":"/@","PathInContainer":"/@","CgroupPermissions":"@"}],
 "DeviceRequests":[{"Driver":"@","DeviceIDs":["@"],"Capabilities":[["gpu","@"]]},{"Driver":"@","DeviceIDs":["@"],"Capabilities":[["@"]],"Options":{"n@":"@"}}],
 "Ulimits":[{"Name":"@","Soft":1,"Hard":2}],
 "Mounts":[{"Type":"bind","Source":"/@","Target":"/@","Consistency":"@","BindOptions":{"Propagation":"@"}},
  {"Type":"volume","Source":"@","Target":"/@","VolumeOptions":{"Subpath":"@","Labels":{"n@":"@"},"DriverConfig":{"Name":"@","Options":{"n@":"@"}}}},
  {"Type":"volume","Source":"plain@","Target":"/@","VolumeOptions":{"Subpath":"@","DriverConfig":{"Name":"@"}}},
  {"Type":"image","Source":"@","Target":"/@","ImageOptions":{"Subpath":"@"}},
  {"Type":"tmpfs","Target":"/@","TmpfsOptions":{"Options":[["n@","@"]]}}]},
"Mounts":[{"Type":"bind","Source":"/@","Destination":"/@","Mode":"@","Propagation":"@"},{"Type":"volume","Name":"@","Source":"/@","Destination":"/@","Driver":"@","Mode":"@"}],
"NetworkSettings":{"Networks":{
 "front":{"IPAMConfig":{"IPv4Address":"@","IPv6Address":"@","LinkLocalIPs":["@"]},"Links":["@:@"],"Aliases":["@"],"DriverOpts":{"n@":"@"},"MacAddress":"@","NetworkID":"@","DNSNames":["@"]},
 "back@":{"IPAMConfig":{"IPv4Address":"@"},"Aliases":["@"],"Links":["@:@"]}}}}`

const positionID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// shown are the places whose text may be printed, each with its reason. Whatever is not here never
// is.
var shown = map[string]string{
	"Config.Hostname": name, "Config.Domainname": name, "Config.User": "the audit is about it",
	"Config.WorkingDir": path, "Config.StopSignal": word,
	"Config.Image": name, "Config.ExposedPorts": address,
	"HostConfig.Binds": path, "HostConfig.VolumeDriver": name,
	"HostConfig.Runtime": name, "HostConfig.CgroupParent": path, "HostConfig.CpusetCpus": word,
	"HostConfig.CpusetMems":   word,
	"HostConfig.CgroupnsMode": word, "HostConfig.IpcMode": word, "HostConfig.PidMode": word,
	"HostConfig.UTSMode": word, "HostConfig.UsernsMode": word,
	"HostConfig.LogConfig.Type": name, "HostConfig.RestartPolicy.Name": word,
	"HostConfig.PortBindings": address,
	"HostConfig.CapAdd":       word, "HostConfig.CapDrop": word, "HostConfig.Dns": address,
	"HostConfig.DnsOptions": word, "HostConfig.DnsSearch": name,
	"HostConfig.ExtraHosts": address, "HostConfig.GroupAdd": name, "HostConfig.Links": name,
	"HostConfig.VolumesFrom": name,
	// AppArmor's profile, SELinux's label
	"HostConfig.SecurityOpt[0]": name, "HostConfig.SecurityOpt[1]": name,
	"HostConfig.DeviceCgroupRules": word,
	"HostConfig.Sysctls":           "the kernel's, and numbers nearly all",
	"HostConfig.Tmpfs":             path,
	"HostConfig.BlkioWeightDevice": path, "HostConfig.BlkioDeviceReadBps": path,
	"HostConfig.BlkioDeviceWriteBps": path,
	"HostConfig.BlkioDeviceReadIOps": path, "HostConfig.BlkioDeviceWriteIOps": path,
	"HostConfig.Devices":           path,
	"HostConfig.DeviceRequests[0]": name, "HostConfig.Ulimits": word,
	"HostConfig.Mounts[0]": path, "HostConfig.Mounts[2]": path, "HostConfig.Mounts[3]": path,
	"HostConfig.Mounts[4].Target": path,
	"Mounts":                      path, "NetworkSettings.Networks.front.Links": name,
	"NetworkSettings.Networks.back": name,
}

const (
	name    = "a name of the engine's or the host's"
	path    = "a path, or what the kernel reads beside one"
	address = "an address or a port"
	word    = "a word of the engine's or the kernel's own"
)

// planted returns each "@" a canary of its own, and says at which place it stands.
func plantedAt(t *testing.T, template string) (inspect []byte, at map[string]string) {
	t.Helper()
	n := 0
	text := regexp.MustCompile("@").ReplaceAllStringFunc(template, func(string) string {
		n++
		return fmt.Sprintf("canary%03dq", n)
	})
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	at = map[string]string{}
	token := regexp.MustCompile(`canary\d{3}q`)
	var walk func(place string, v any)
	walk = func(place string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				for _, c := range token.FindAllString(k, -1) {
					at[c] = place + "." + strings.Replace(k, c, "", 1)
				}
				walk(strings.TrimPrefix(place+"."+token.ReplaceAllString(k, ""), "."), inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", place, i), inner)
			}
		case string:
			for _, c := range token.FindAllString(v, -1) {
				at[c] = place
			}
		}
	}
	walk("", doc)
	if len(at) != n || n < 100 {
		t.Fatalf("%d canaries at %d places", n, len(at))
	}
	return []byte(text), at
}

// Of every place of a container, only those in the list are ever printed: whatever stands there,
// and however it looks.
func TestOnlyListedPlacesArePrinted(t *testing.T) {
	inspect, at := plantedAt(t, everyPosition)
	image := `{"Id":"sha256:` + positionID + `","Config":{"Cmd":["sh"],"Labels":{"a":"b"}}}`
	used := map[string]bool{}
	for _, api := range []string{"1.40", "1.45", "1.52"} {
		for _, img := range []string{image, `{"Id":"sha256:` + positionID + `"}`} {
			o := recreate.Original{API: api, MinAPI: "1.24", Engine: "docker", Inspect: inspect,
				Image: json.RawMessage(img)}
			for _, text := range textsOf(t, o) {
				for canary, place := range at {
					if !strings.Contains(strings.ToLower(text), canary) {
						continue
					}
					where := slices.IndexFunc(slices.Collect(maps.Keys(shown)),
						func(p string) bool {
							return strings.HasPrefix(place, p)
						})
					if where < 0 {
						t.Errorf("API %s: what stands at %s is in %.300s", api, place, text)
					}
					for p := range shown {
						used[p] = used[p] || strings.HasPrefix(place, p)
					}
				}
			}
		}
	}
	for p := range shown {
		if !used[p] {
			t.Errorf("%s is in the list and never printed", p)
		}
	}
}

// textsOf is all that is made for people of a container; its file is not.
func textsOf(t *testing.T, o recreate.Original) []string {
	t.Helper()
	r := recipe(t, o)
	var out []string
	for _, g := range []dropcap.Grant{r.Grant(), {CapDrop: []string{"ALL"}}} {
		c := r.Command(g, "web.env")
		if c.Line == "" || !strings.Contains(string(c.File), "canary") {
			t.Fatalf("no command, or nothing in its file: %+v", c)
		}
		out = append(out, c.Fetch, c.Line)
		for _, d := range r.Check([]byte(strings.ReplaceAll(string(o.Inspect), "q", "p")), g) {
			out = append(out, d.Because)
		}
	}
	for _, s := range []dropcap.Strategy{dropcap.StrategyRecreate, dropcap.StrategyInPlace,
		dropcap.StrategySource} {
		for _, no := range r.Refusals(recreate.Options{Strategy: s}) {
			out = append(out, no.Message, no.Hint)
		}
	}
	return append(append(append(out, r.Warnings()...), r.Unsaid()...), r.Deprivileged()...)
}

// Every place that a real engine's answers have text at is in the test above.
func TestNoPlaceIsForgotten(t *testing.T) {
	places := func(inspect []byte) map[string]bool {
		var doc map[string]any
		if err := json.Unmarshal(inspect, &doc); err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, top := range []string{"Config", "HostConfig"} {
			general(top, doc[top], out)
		}
		return out
	}
	known := places([]byte(strings.ReplaceAll(everyPosition, "@", "x")))
	for _, kind := range kinds {
		for container, o := range kept(t, kind) {
			for place := range places(o.Inspect) {
				if !known[place] {
					t.Errorf("%s, %s: %s has text, and no canary stands there", kind, container,
						place)
				}
			}
		}
	}
}

// general gathers where a value has texts: "HostConfig.Binds[]", and "Config.Labels.*" for names
// that people choose.
func general(place string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		free := slices.Contains([]string{"Labels", "Config", "Sysctls", "Annotations", "StorageOpt",
			"Tmpfs", "PortBindings", "Options", "Volumes",
			"ExposedPorts"}, place[strings.LastIndex(place, ".")+1:]) && place != "Config"
		for k, inner := range v {
			if free {
				k = "*"
			}
			general(place+"."+k, inner, into)
		}
	case []any:
		for _, inner := range v {
			general(place+"[]", inner, into)
		}
	case string:
		if v != "" {
			into[place] = true
		}
	}
}

// What equals the image's own at the same place is shown: it is public with the image.
func TestTheImagesOwnArgumentsAreShown(t *testing.T) {
	inspect := `{"Id":"` + positionID + `","Name":"/web","Image":"sha256:` + positionID +
		`","State":{"Running":true},
		"Config":{"Image":"redis:7","Entrypoint":["docker-entrypoint.sh"],"Cmd":["redis-server","-a","redis-server"],"Labels":{"a":"b","c":"d"}},
		"HostConfig":{"NetworkMode":"bridge","LogConfig":{"Type":"json-file"}},"NetworkSettings":{"Networks":{"bridge":{}}}}`
	image := `{"Id":"sha256:` + positionID +
		`","RepoTags":["redis:7"],"Config":{"Entrypoint":["docker-entrypoint.sh"],"Cmd":["redis-server"],"Labels":{"a":"b"}}}`
	r := recipe(t, recreate.Original{API: "1.45", Engine: "docker", Inspect: []byte(inspect),
		Image: []byte(image)})
	c := r.Command(r.Grant(), "web.env")
	if !strings.HasSuffix(c.Line, ` redis:7 redis-server "$2" "$3"`) ||
		strings.Contains(c.Line, "a=b") || !strings.Contains(c.Line, `--label="$1"`) {
		t.Errorf("the command is %s", c.Line)
	}
	if want := "#- 'c=d' \\\n#- '-a' \\\n#- 'redis-server'\n"; string(c.File) != want {
		t.Errorf("its file is\n%s, want\n%s", c.File, want)
	}
}
