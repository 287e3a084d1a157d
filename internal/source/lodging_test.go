package source

import "testing"

func TestLodges(t *testing.T) {
	for text, want := range map[string]bool{
		`services: {web: {network_mode: "service:vpn"}}`:                                        true,
		`services: {web: {pid: "service:vpn", network_mode: host}}`:                             true,
		`services: {base: {ipc: "service:vpn"}, web: {extends: base}}`:                          true,
		`services: {base: {ipc: "service:vpn"}, web: {extends: {service: base}}}`:               true,
		"x-m: &m {network_mode: 'service:vpn'}\nservices: {web: {<<: *m}}":                      true,
		`services: {web: {network_mode: "container:vpn"}}`:                                      false,
		`services: {web: {network_mode: "container:vpn", pid: "service:vpn"}}`:                  false,
		`services: {web: {network_mode: "${MODE}", pid: "service:vpn"}}`:                        false,
		`services: {web: {network_mode: "service:vpn", extends: {file: a.yaml, service: web}}}`: false,
		`services: {web: {image: x}}`:                                                           false,
		`services: {db: {network_mode: "service:vpn"}}`:                                         false,
		`services: [`: false,
	} {
		if got := Lodges([]File{{Path: "/c.yaml", Text: []byte(text)}}, "web"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	files := []File{{Path: "/a.yaml", Text: []byte(`services: {web: {network_mode: "service:vpn"}}`)},
		{Path: "/b.yaml", Text: []byte(`services: {web: {network_mode: "container:vpn"}}`)}}
	if Lodges(files, "web") || !Lodges(files[:1], "web") {
		t.Error("a file that overrides it does not count")
	}
}
