package change_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This is the tests' own judgement of "the same container". It is independent of dropcap's own
// comparison, and everything counts that is not named here.

// lives are the differences between two runs of the same container.
var lives = []*regexp.Regexp{
	regexp.MustCompile(`^State\.(Pid|StartedAt|FinishedAt|ExitCode|Error|OOMKilled|Health.*)$`),
	regexp.MustCompile(`^ExecIDs$`),
	regexp.MustCompile(`^NetworkSettings\.(SandboxID|SandboxKey|EndpointID)$`),
	regexp.MustCompile(`^NetworkSettings\.Networks\..+\.EndpointID$`),
	// Dynamic addresses. A configured one is covered by the configuration's own fields and by what
	// the container sees (same).
	regexp.MustCompile(`^NetworkSettings\.(IPAddress|MacAddress|GlobalIPv6Address)$`),
	regexp.MustCompile(`^NetworkSettings\.Networks\..+\.(IPAddress|MacAddress|GlobalIPv6Address)$`),
}

// another are the further differences between a container and its replacement.
var another = []*regexp.Regexp{
	regexp.MustCompile(`^(Id|Created)$`),
	// below a folder named after the id
	regexp.MustCompile(`^(ResolvConfPath|HostnamePath|HostsPath|LogPath)$`),
	// the writable layer's own folder
	regexp.MustCompile(`^(GraphDriver\.Data|Storage\.RootFS)\..*$`),
	regexp.MustCompile(`^HostConfig\.(CapAdd|CapDrop)$`),
}

// differences returns the paths at which two inspect answers differ, except those that match.
func differences(t *testing.T, before, after json.RawMessage, except ...*regexp.Regexp) []string {
	t.Helper()
	a, b := flat(t, before), flat(t, after)
	ids := []string{short(a), short(b)}
	var out []string
	paths := slices.Sorted(maps.Keys(a))
	for path := range b {
		if _, both := a[path]; !both {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		if x, y := plain(path, a[path], ids), plain(path, b[path], ids); x != y &&
			!slices.ContainsFunc(except, func(e *regexp.Regexp) bool {
				return e.MatchString(path)
			}) {
			out = append(out, fmt.Sprintf("%s: %.300s became %.300s", path, x, y))
		}
	}
	return out
}

func short(flat map[string]string) string { return strings.Trim(flat["Id"], `"`)[:12] }

var named = regexp.MustCompile(`\.(Aliases|DNSNames)$`)

// unset are fields that the engine reports as {} or null, depending on whether they were sent.
var unset = regexp.MustCompile(`\.(IPAMConfig|DriverOpts)$`)

// plain removes the engine's own addition to a list of names: the short id of the container.
func plain(path, value string, ids []string) string {
	switch {
	case (value == "null" || value == "") && unset.MatchString(path):
		return "{}"
	case path == "HostConfig.Links":
		ids = nil // sorted, since the engine reports them in a map's order
	case !named.MatchString(path):
		return value
	}
	var list []string
	if json.Unmarshal([]byte(value), &list) != nil || list == nil {
		return "[]"
	}
	list = slices.DeleteFunc(list, func(s string) bool { return slices.Contains(ids, s) })
	slices.Sort(list)
	text, _ := json.Marshal(slices.Compact(list))
	return string(text)
}

// flat maps the path of each leaf to its JSON. A list is a leaf, except that mounts are keyed by
// their destination, in no order.
func flat(t *testing.T, raw json.RawMessage) map[string]string {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	if mounts, ok := tree["Mounts"].([]any); ok {
		byPlace := map[string]any{}
		for _, m := range mounts {
			place, _ := m.(map[string]any)["Destination"].(string)
			byPlace[place] = m
		}
		tree["Mounts"] = byPlace
	}
	anonymizePorts(tree)
	out := map[string]string{}
	flatten("", tree, out)
	return out
}

func flatten(path string, node any, out map[string]string) {
	if m, ok := node.(map[string]any); ok && len(m) > 0 {
		for k, v := range m {
			flatten(strings.TrimPrefix(path+"."+k, "."), v, out)
		}
		return
	}
	text, err := json.Marshal(node)
	if err != nil {
		panic(err)
	}
	out[path] = string(text)
}

// anonymizePorts removes host ports that the engine chose by itself, where none is configured.
func anonymizePorts(tree map[string]any) {
	network, _ := tree["NetworkSettings"].(map[string]any)
	ports, _ := network["Ports"].(map[string]any)
	host, _ := tree["HostConfig"].(map[string]any)
	bound, _ := host["PortBindings"].(map[string]any)
	for port, list := range ports {
		if fixed(bound[port]) {
			continue
		}
		bindings, _ := list.([]any)
		for _, b := range bindings {
			b.(map[string]any)["HostPort"] = "chosen"
		}
	}
}

func fixed(bindings any) bool {
	list, _ := bindings.([]any)
	for _, b := range list {
		if port, _ := b.(map[string]any)["HostPort"].(string); port != "" && port != "0" {
			return true
		}
	}
	return false
}

// A comparison that finds nothing proves nothing.
func TestTheComparisonSeesEveryChange(t *testing.T) {
	const whole = `{"Id":"0123456789abcdef","Created":"x","State":{"Pid":1,"Running":true},"Config":{"Env":["A=1"],"Entrypoint":null,"Labels":{"a":"b"}},
		"HostConfig":{"CapDrop":null,"MaskedPaths":[],"PortBindings":{"80/tcp":[{"HostPort":"8080"}],"81/tcp":[{"HostPort":""}]}},
		"Mounts":[{"Destination":"/a","Name":"v"},{"Destination":"/b"}],
		"NetworkSettings":{"Ports":{"80/tcp":[{"HostPort":"8080"}],"81/tcp":[{"HostPort":"32768"}]},
		"Networks":{"n":{"Aliases":["0123456789ab","web"],"IPAMConfig":{"IPv4Address":"10.0.0.9"},"IPAddress":"10.0.0.9"}}}}`
	for _, c := range []struct{ was, is, path string }{
		{`"A=1"`, `"A=2"`, "Config.Env"},
		{`"Entrypoint":null`, `"Entrypoint":[]`, "Config.Entrypoint"},
		{`"MaskedPaths":[]`, `"MaskedPaths":null`, "HostConfig.MaskedPaths"},
		{`"a":"b"`, `"a":"b","c":""`, "Config.Labels.c"},
		{`"Name":"v"`, `"Name":"w"`, "Mounts./a.Name"},
		{`,{"Destination":"/b"}`, ``, "Mounts./b.Destination"},
		{`"Running":true`, `"Running":false`, "State.Running"},
		{`[{"HostPort":"8080"}],"81/tcp":[{"HostPort":"32768"}]`,
			`[{"HostPort":"8081"}],"81/tcp":[{"HostPort":"32768"}]`,
			"NetworkSettings.Ports.80/tcp"},
		{`"web"`, `"db"`, "NetworkSettings.Networks.n.Aliases"},
		{`"IPv4Address":"10.0.0.9"`, `"IPv4Address":""`,
			"NetworkSettings.Networks.n.IPAMConfig.IPv4Address"},
	} {
		got := differences(t, json.RawMessage(whole),
			json.RawMessage(strings.Replace(whole, c.was, c.is, 1)), append(lives, another...)...)
		if len(got) != 1 || !strings.HasPrefix(got[0], c.path+": ") {
			t.Errorf("%s for %s: differs %q, want %s", c.is, c.was, got, c.path)
		}
	}
	same := strings.NewReplacer("0123456789ab", "ba9876543210", `"x"`, `"y"`, `:1,`, `:2,`,
		`"32768"`, `"32770"`, `"CapDrop":null`, `"CapDrop":["NET_RAW"]`).Replace(whole)
	if got := differences(t, json.RawMessage(whole), json.RawMessage(same),
		append(lives, another...)...); len(got) > 0 {
		t.Errorf("what may differ is reported: %q", got)
	}
}
