package source

import "testing"

// Every byte but the one setting stays.
func TestLiveRestore(t *testing.T) {
	for name, c := range map[string]struct {
		text, on, off string
		set           bool
	}{
		"empty": {" \n", `{"live-restore": true}` + "\n", `{"live-restore": false}` + "\n",
			false},
		"no setting": {"{ }", `{"live-restore": true }`, `{"live-restore": false }`, false},
		"others": {"{\n\t\"dns\": [\"live-restore\"], \"x\":{\"live-restore\":1}\n}\n",
			"{\"live-restore\": true,\n\t\"dns\": [\"live-restore\"], " +
				"\"x\":{\"live-restore\":1}\n}\n",
			"{\"live-restore\": false,\n\t\"dns\": [\"live-restore\"], " +
				"\"x\":{\"live-restore\":1}\n}\n", false},
		"off": {`{"a":9007199254740993,"live-restore" : false }`,
			`{"a":9007199254740993,"live-restore" : true }`,
			`{"a":9007199254740993,"live-restore" : false }`, true},
		"on": {`{"live-restore":true}`, `{"live-restore":true}`, `{"live-restore":false}`, true},
	} {
		on, off, set, err := LiveRestore([]byte(c.text))
		if err != nil || string(on) != c.on || string(off) != c.off || set != c.set {
			t.Errorf("%s: %v %v\n%s\n%s", name, err, set, on, off)
		}
	}
	for name, text := range map[string]string{
		"twice": `{"live-restore":true,"live-restore":false}`, "a word": `{"live-restore":"yes"}`,
		"null":      `{"live-restore":[]}`,
		"no object": `[]`, "no JSON": `{"a":`, "a comment": "// x\n{}", "something after": `{}{}`,
	} {
		if on, _, _, err := LiveRestore([]byte(text)); err == nil {
			t.Errorf("%s: %s", name, on)
		}
	}
}
