package source

import (
	"bytes"
	"encoding/json"
	"fmt"

	"dropcap"
	"dropcap/caps"
)

// HostConfig returns the engine's own file of a container, hostconfig.json, with other capabilities
// in it: the values of CapAdd and CapDrop are replaced, and every other byte stays. Was is what
// must stand there.
func HostConfig(text []byte, was, is dropcap.Grant) ([]byte, error) {
	if was.Privileged != is.Privileged {
		return nil, cannot("privileged",
			"a privileged container has more than its capabilities from that")
	}
	var now struct {
		Privileged      bool
		CapAdd, CapDrop []string
	}
	if err := json.Unmarshal(text, &now); err != nil {
		return nil, cannot("form", "the engine's file is not what it should be")
	}
	if now.Privileged != was.Privileged || !SameNames(now.CapAdd, was.CapAdd) ||
		!SameNames(now.CapDrop, was.CapDrop) {
		return nil, cannot("changed", "the engine's file does not say what the container had")
	}
	spans, err := topLevel(text)
	if err != nil {
		return nil, err
	}
	doc := document{text: string(text)}
	for key, list := range map[string][]string{"CapAdd": is.CapAdd, "CapDrop": is.CapDrop} {
		at, ok := spans[key]
		if !ok || at.from < 0 {
			return nil, cannot("form", "the engine's file has not exactly one %s", key)
		}
		value := []byte("null") // as the engine writes an empty list
		if len(list) > 0 {
			if value, err = json.Marshal(full(list)); err != nil {
				return nil, err
			}
		}
		doc.cuts = append(doc.cuts, cut{from: at.from, to: at.to, with: string(value)})
	}
	out, ok := doc.spliced()
	if !ok {
		return nil, cannot("form", "the engine's file is not what it should be")
	}
	return []byte(out), onlyLists(text, []byte(out), is)
}

// full spells names as the engine keeps them (moby oci/caps, NormalizeLegacyCapabilities).
func full(list []string) []string {
	out := []string{}
	for _, n := range caps.ShortNames(list) {
		if c, err := caps.Parse(n); err == nil {
			n = c.String()
		}
		out = append(out, n)
	}
	return out
}

// onlyLists checks that two files differ only in the lists.
func onlyLists(was, is []byte, g dropcap.Grant) error {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(is, &b) != nil || len(a) != len(b) {
		return cannot("form", "the engine's file is not what it should be")
	}
	for k, v := range a {
		if k != "CapAdd" && k != "CapDrop" && !bytes.Equal(v, b[k]) {
			return cannot("form", "the engine's file is not what it should be")
		}
	}
	var add, drop []string
	if json.Unmarshal(b["CapAdd"], &add) != nil || json.Unmarshal(b["CapDrop"], &drop) != nil ||
		!SameNames(add, g.CapAdd) || !SameNames(drop, g.CapDrop) {
		return cannot("form", "the engine's file is not what it should be")
	}
	return nil
}

// extent is the position of a value.
type extent struct{ from, to int }

// topLevel returns the position of each key's value in a JSON object; -1 for a duplicate key.
func topLevel(text []byte) (map[string]extent, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, cannot("form", "the engine's file is no object")
	}
	out := map[string]extent{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read the engine's file: %w", err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("read the engine's file: %w", err)
		}
		end := int(dec.InputOffset())
		at := extent{end - len(v), end}
		if _, twice := out[key.(string)]; twice {
			at.from = -1
		}
		out[key.(string)] = at
	}
	return out, nil
}
