package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A host's document is written piece by piece, byte for byte as json.Indent would.
func FuzzIndentJSON(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a":[1,-2.5e9,true,null,{"b":{}}],"c":"x\"\\, [ {"}`,
		` [ [ ] , { } ] `, "\"\\u00e9é\u202e\"", `{"a":{"b":[[],[1]]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
		var want bytes.Buffer
		if err := json.Indent(&want, bytes.TrimSpace(raw), "    ", "  "); err != nil {
			return
		}
		var got strings.Builder
		b := bufio.NewWriter(&got)
		indentJSON(b, raw, "\n    ")
		b.Flush()
		if got.String() != asciiJSON(want.String()) {
			t.Errorf("%q becomes\n%s\nand not\n%s", raw, got.String(), asciiJSON(want.String()))
		}
	})
}
