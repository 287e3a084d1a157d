package recreate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"dropcap"
)

const anID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// sketch makes an original of a few fields, with an image.
func sketch(api, inspect string) Original {
	return Original{
		API: api, Engine: "docker", Changes: json.RawMessage("null"),
		Image: json.RawMessage(`{"Id":"sha256:1","RepoTags":["app:1"]}`),
		Inspect: json.RawMessage(`{"Id":"` + anID + `","Name":"/it","Image":"sha256:1",` + inspect +
			`}`),
	}
}

func mustRead(t *testing.T, o Original) *Recipe {
	t.Helper()
	r, err := Read(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bodyOf(t *testing.T, r *Recipe) (host, networking map[string]any, c Creation) {
	t.Helper()
	c, err := r.Exact("new")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := decoded(c.Body)
	if err != nil {
		t.Fatal(err)
	}
	return child(doc, "HostConfig"), child(child(doc, "NetworkingConfig"), "EndpointsConfig"), c
}

func slugs(r *Recipe) (out []string) {
	for _, x := range r.Refusals(Options{}) {
		out = append(out, x.Slug)
	}
	return out
}

// An address that a swarm has given stands where otherwise a person's choice stands; to send it
// would pin it.
func TestASwarmsAddressIsNotPinned(t *testing.T) {
	o := sketch("1.45",
		`"Config":{"Image":"app:1"},"HostConfig":{"NetworkMode":"over"},"NetworkSettings":{"Networks":{
		"over":{"IPAMConfig":{"IPv4Address":"10.0.1.7"}},"own":{"IPAMConfig":{"IPv4Address":"10.0.2.7"}}}}`)
	o.Networks = map[string]json.RawMessage{"over": json.RawMessage(`{"Scope":"swarm"}`),
		"own": json.RawMessage(`{"Scope":"local"}`)}
	r := mustRead(t, o)
	_, networks, _ := bodyOf(t, r)
	if child(networks, "over")["IPAMConfig"] != nil || child(networks, "own")["IPAMConfig"] == nil {
		t.Errorf("sent: %v", networks)
	}
	after := json.RawMessage(strings.ReplaceAll(string(o.Inspect), "10.0.1.7", "10.0.1.8"))
	if d := r.Check(after, r.Grant()); len(d) > 0 {
		t.Errorf("another address from the swarm counts: %v", d)
	}
	after = json.RawMessage(strings.ReplaceAll(string(o.Inspect), "10.0.2.7", "10.0.2.8"))
	if d := r.Check(after, r.Grant()); len(d) != 1 {
		t.Errorf("another address of its own: %v", d)
	}
	if w := strings.Join(r.Warnings(), "\n"); !strings.Contains(w, "swarm") {
		t.Errorf("no warning: %s", w)
	}
}

// What an engine of long ago has stored is said in today's words, or left out.
func TestOldWords(t *testing.T) {
	const old = `"Config":{"Image":"app:1"},"HostConfig":{"NetworkMode":"default","KernelMemory":5000000,"KernelMemoryTCP":0,"CgroupnsMode":"","Sysctls":{"net.ipv4.conf.eth0.x":"1"},"Privileged":false}`
	host, _, c := bodyOf(t, mustRead(t, sketch("1.41", old)))
	if host["KernelMemory"] == nil || host["KernelMemoryTCP"] != nil ||
		host["CgroupnsMode"] != "host" || c.API != "" {
		t.Errorf("at 1.41: %v %q", host, c.API)
	}
	host, _, c = bodyOf(t, mustRead(t, sketch("1.54", old)))
	if host["KernelMemory"] != nil || c.API != "1.47" {
		t.Errorf("at 1.54: %v %q", host, c.API)
	}
}

// Where one thing needs an old version, and another a new one, nothing is done by halves.
func TestVersionsThatExcludeEachOther(t *testing.T) {
	o := sketch("1.54",
		`"Config":{"Image":"app:1"},"Mounts":[{"Type":"bind","Source":"/s","Destination":"/ro dir"}],
		"HostConfig":{"NetworkMode":"bridge","Binds":["/s:/ro dir:ro"],"Mounts":[{"Type":"volume","Source":"v","Target":"/part","VolumeOptions":{"Subpath":"p"}}]},
		"NetworkSettings":{"Networks":{"bridge":{}}}`)
	r := mustRead(t, o)
	if len(slugs(r)) != 0 || !strings.Contains(strings.Join(r.Warnings(), "\n"),
		"read-only binds become read-only too") {
		t.Errorf("not looked at: refused for %q, warned of %q", slugs(r), r.Warnings())
	}
	o.MountInfo = []byte("1 2 0:1 / /ro\\040dir ro,relatime - ext4 x rw\n1 2 0:1 / " +
		"/ro\\040dir/in ro,relatime - ext4 x rw\n1 2 0:1 / /part rw - ext4 x rw\n")
	if got := slugs(mustRead(t, o)); len(got) != 0 {
		t.Errorf("recursive binds are refused: %q", got)
	}
	o.MountInfo = append(o.MountInfo, "1 2 0:1 / /ro\\040dir/in/deep rw,relatime - ext4 x rw\n"...)
	r = mustRead(t, o)
	if got := slugs(r); !slices.Equal(got, []string{"api"}) {
		t.Errorf("refused for %q", got)
	}
	if _, err := r.Exact("new"); err == nil {
		t.Error("it is made all the same")
	}
	o.MinAPI = "1.44"
	o.Inspect = json.RawMessage(strings.Replace(string(o.Inspect), `"Subpath":"p"`, "", 1))
	if got := slugs(mustRead(t, o)); !slices.Equal(got, []string{"api"}) {
		t.Errorf("an engine that no longer speaks it: refused for %q", got)
	}
	o.MinAPI = ""
	if _, _, c := bodyOf(t, mustRead(t, o)); c.API != "1.43" {
		t.Errorf("made under %q", c.API)
	}
}

func TestAMACAddressIsFoundAndChecked(t *testing.T) {
	const body = `"State":{"Status":"created"},"Config":{"Image":"app:1"},"HostConfig":{"NetworkMode":"front"},"NetworkSettings":{"Networks":{"front":{"MacAddress":"02:00:00:00:00:01"}}}`
	o := sketch("1.54", body)
	if _, n, _ := bodyOf(t, mustRead(t, o)); child(n, "front")["MacAddress"] != nil {
		t.Error("an address that nobody has configured is pinned")
	}
	o.Older = json.RawMessage(`{"Config":{"MacAddress":"02:00:00:00:00:01"}}`)
	r := mustRead(t, o)
	if _, n, _ := bodyOf(t, r); child(n, "front")["MacAddress"] != "02:00:00:00:00:01" {
		t.Error("a configured address is lost")
	}
	if d := r.Check(o.Inspect, r.Grant()); len(d) > 0 {
		t.Error(d)
	}
	if d := r.Check(json.RawMessage(strings.Replace(string(o.Inspect), "00:01", "00:02", 1)),
		r.Grant()); len(d) != 1 {
		t.Errorf("another address: %v", d)
	}
}

func TestReferences(t *testing.T) {
	for _, c := range []struct {
		ref, tags, digests string
		moved              bool
		by                 string
	}{
		{"nginx", "nginx:latest", "", false, "nginx"},
		{"docker.io/library/nginx", "nginx:latest", "", false, "docker.io/library/nginx"},
		{"nginx:1", "nginx:2", "", true, "sha256:abcdef012345"},
		{"nginx:1", "nginx:2", "nginx@sha256:99", true, "nginx@sha256:99"},
		{"reg:5000/a/b:1", "", "reg:5000/a/b@sha256:99", true, "reg:5000/a/b@sha256:99"},
		{"reg:5000/a/b", "reg:5000/a/b:latest", "", false, "reg:5000/a/b"},
		{"nginx@sha256:99", "", "nginx@sha256:99", false, "nginx@sha256:99"},
		{"nginx:1@sha256:99", "", "nginx@sha256:99", false, "nginx:1@sha256:99"},
		{"sha256:abcdef012345", "", "", false, "sha256:abcdef012345"},
		{"abcdef01", "", "", false, "abcdef01"},
		{"abc", "", "", true, "sha256:abcdef012345"},
		{"beef", "", "", true, "sha256:abcdef012345"},
	} {
		r := &Recipe{in: inspected{Image: "sha256:abcdef012345"}, config: config{Image: c.ref},
			o: Original{Image: json.RawMessage("{ }")}}
		r.image.RepoTags, r.image.RepoDigests = strings.Fields(c.tags), strings.Fields(c.digests)
		if r.moved() != c.moved || r.imageReference() != c.by {
			t.Errorf("%s: moved %v, made from %s; want %v, %s", c.ref, r.moved(),
				r.imageReference(), c.moved, c.by)
		}
	}
}

func TestTheLayerOfAGPU(t *testing.T) {
	const changes = `[{"Path":"/usr","Kind":0},{"Path":"/usr/bin","Kind":0},{"Path":"/usr/bin/nvidia-smi","Kind":1},{"Path":"/usr/lib/x86_64-linux-gnu/libcuda.so.1","Kind":1},{"Path":"/etc/ld.so.cache","Kind":0},{"Path":"/usr/sbin/docker-init","Kind":1}]`
	o := sketch("1.45",
		`"Config":{"Image":"app:1"},"HostConfig":{"DeviceRequests":[{"Count":-1}]},"NetworkSettings":{"Networks":{"none":{}}}`)
	o.Changes = json.RawMessage(changes)
	if got := mustRead(t, o).Layer(); len(got) > 0 {
		t.Errorf("the hook's own files count: %q", got)
	}
	o.Inspect = json.RawMessage(strings.Replace(string(o.Inspect), "DeviceRequests", "Nothing", 1))
	if got := mustRead(t, o).Layer(); len(got) != 3 {
		t.Errorf("without GPUs: %q", got)
	}
}

func TestAliases(t *testing.T) {
	short := anID[:12]
	for list, want := range map[string]string{
		"www " + short: "www", "www " + short + " host": "www", "host " + short: "host",
		"host www": "host www", short: "", "www host": "www host",
		"a " + short + " host b": "a b",
	} {
		if got := ownAliases(strings.Fields(list), anID, "host"); strings.Join(got, " ") != want {
			t.Errorf("of %q are left %q", list, got)
		}
	}
}

func TestAGrantIsCheckedToTheLetter(t *testing.T) {
	o := sketch("1.45",
		`"Config":{"Image":"app:1"},"HostConfig":{"CapAdd":["CAP_CHOWN","net_admin"],"CapDrop":["ALL"]},"NetworkSettings":{"Networks":{"none":{}}}`)
	r := mustRead(t, o)
	for _, c := range []struct {
		g    dropcap.Grant
		same bool
	}{
		{dropcap.Grant{CapAdd: []string{"NET_ADMIN", "chown"}, CapDrop: []string{"all"}}, true},
		{dropcap.Grant{CapAdd: []string{"CHOWN"}, CapDrop: []string{"ALL"}}, false},
		{dropcap.Grant{CapAdd: []string{"NET_ADMIN", "CHOWN"}}, false},
		{dropcap.Grant{CapAdd: []string{"NET_ADMIN", "CHOWN"}, CapDrop: []string{"ALL"},
			Privileged: true}, false},
	} {
		if d := r.Check(o.Inspect, c.g); (len(d) == 0) != c.same {
			t.Errorf("%v: %v", c.g, d)
		}
	}
}

func TestErrorsSayNoValue(t *testing.T) {
	for _, bad := range []string{`{"Id":7}`, `{"Id":"secretvalue"}`, `{`, `null`, `{"Id":"` + anID +
		`","Name":"/it","Config":{"Env":["secretvalue"],"Entrypoint":"secretvalue"},"HostConfig":{}}`} {
		_, err := Read(Original{API: "1.45", Inspect: json.RawMessage(bad)})
		if err == nil || strings.Contains(err.Error(), "secretvalue") ||
			!strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
