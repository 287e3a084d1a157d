package apply

import "testing"

// A log comes in frames, or, of a container with a terminal, as it is; what is cut short is kept
// all the same.
func TestLogsAreTakenApart(t *testing.T) {
	for _, c := range []struct{ body, text string }{
		{"\x01\x00\x00\x00\x00\x00\x00\x03one\x02\x00\x00\x00\x00\x00\x00\x04 two", "one two"},
		{"with a terminal\r\n", "with a terminal\r\n"},
		{"short", "short"},
		{"\x01\x00\x00\x00\x00\x00\x00\x09one", "\x01\x00\x00\x00\x00\x00\x00\x09one"},
		{"", ""},
	} {
		if got := string(unframed([]byte(c.body))); got != c.text {
			t.Errorf("%q: %q, want %q", c.body, got, c.text)
		}
	}
}
