package kernel

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// The program drops the pages of its own file from memory, and goes on running.
func TestForgetProgram(t *testing.T) {
	before := resident(t)
	ForgetProgram()
	if after := resident(t); after > before*2/3 {
		t.Errorf("of %d KiB of files it holds %d still", before, after)
	}
}

// resident returns how many KiB of files a process has in memory (proc_pid_status(5), RssFile).
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nRssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConstantMappingsOfTheProgram(t *testing.T) {
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"00400000-01a00000 r-xp 00001000 fe:00 123  /usr/bin/dropcap", true},
		{"00400000-01a00000 r--p 00001000 fe:00 123  /usr/bin/dropcap", true},
		// what was written there would be lost
		{"00400000-01a00000 rw-p 00001000 fe:00 123  /usr/bin/dropcap", false},
		{"00400000-01a00000 r--p 00001000 fe:00 123  /usr/bin/dropcap.so", false},
		{"00400000-01a00000 r--p 00000000 00:00 0 ", false},
		{"00400000-01a00000 r-xp 00001000 fe:00 123  /usr/bin/dropcap (deleted)", false},
		{"", false},
	} {
		from, to, ok := constant(c.line, "/usr/bin/dropcap")
		if ok != c.ok || ok && (from != 0x400000 || to != 0x1a00000) {
			t.Errorf("%q: %x-%x %v", c.line, from, to, ok)
		}
	}
}
