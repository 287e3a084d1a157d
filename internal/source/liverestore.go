package source

import (
	"bytes"
	"encoding/json"
)

// liveRestore is the engine's setting that keeps containers running without it.
const liveRestore = "live-restore"

// LiveRestore returns the engine's configuration file (daemon.json) with live-restore switched on
// and switched off; every other byte stays. Set reports whether the file says anything about it:
// where it does not, a reload of the file as it was leaves the engine as it is (moby
// daemon/reload.go, reloadLiveRestore), and only the file that switches it off brings the former
// state back. An empty file is one without settings.
func LiveRestore(text []byte) (on, off []byte, set bool, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return []byte(`{"live-restore": true}` + "\n"), []byte(`{"live-restore": false}` + "\n"),
			false, nil
	}
	if !json.Valid(text) {
		return nil, nil, false, cannot("form", "it is not JSON")
	}
	spans, err := topLevel(text)
	if err != nil {
		return nil, nil, false, cannot("form", "it is no JSON object")
	}
	at, set := spans[liveRestore]
	with := func(value string) []byte {
		var out []byte
		if set {
			out = append(append(out, text[:at.from]...), value...)
			return append(out, text[at.to:]...)
		}
		begin := bytes.IndexByte(text, '{') + 1
		entry := `"` + liveRestore + `": ` + value
		if len(spans) > 0 {
			entry += ","
		}
		out = append(append(out, text[:begin]...), entry...)
		return append(out, text[begin:]...)
	}
	if set {
		var now bool
		if at.from < 0 || json.Unmarshal(text[at.from:at.to], &now) != nil {
			return nil, nil, false,
				cannot("form", "it has not exactly one %s that is true or false", liveRestore)
		}
	}
	on, off = with("true"), with("false")
	if !onlyLiveRestore(text, on, true) || !onlyLiveRestore(text, off, false) {
		return nil, nil, false, cannot("form", "it is not what it should be")
	}
	return on, off, set, nil
}

// onlyLiveRestore checks that two files differ only in live-restore.
func onlyLiveRestore(was, is []byte, want bool) bool {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(is, &b) != nil {
		return false
	}
	var now bool
	if json.Unmarshal(b[liveRestore], &now) != nil || now != want {
		return false
	}
	delete(a, liveRestore)
	delete(b, liveRestore)
	for k, v := range a {
		if !bytes.Equal(v, b[k]) {
			return false
		}
	}
	return len(a) == len(b)
}
