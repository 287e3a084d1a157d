package caps

import (
	"strings"
	"testing"
)

func TestNearestFindsWhatWasMeant(t *testing.T) {
	for in, want := range map[string]Cap{
		"NET_RAW": NetRaw, "net-raw": NetRaw, "NetRaw": NetRaw, " net_raw ": NetRaw,
		"CAP-NET-RAW": NetRaw, "cap net raw": NetRaw,
		"NET_RWA": NetRaw, "NT_RAW": NetRaw, "NET_RAWW": NetRaw, "CAP_NET_ROW": NetRaw,
		"SYS_ADMN": SysAdmin, "SYSADMIN": SysAdmin, "cap_sysadmin": SysAdmin, "NET_BIND": 255,
		"NET_BIND_SERVCE": NetBindService,
		"DAC_OVERIDE":     DacOverride, "SYS_PTRAC": SysPtrace, "SYS_TRACE": SysPtrace,
		"SET_UID": Setuid, "SETUDI": Setuid, "CHWON": Chown,
		"BFP": BPF, "SYS_LOG": Syslog, "MKNODE": Mknod, "CHECKPOINT_RESTART": CheckpointRestore,
		"NET_BROADCASTS": NetBroadcast, "SYS_RAW_IO": SysRawio, "PERF_MON": Perfmon,
	} {
		got, ok := Nearest(in)
		if want == 255 {
			if ok {
				t.Errorf("Nearest(%q) = %s, want none: too much is missing", in, got)
			}
			continue
		}
		if !ok || got != want {
			t.Errorf("Nearest(%q) = %s, %t; want %s", in, got, ok, want)
		}
	}
}

func TestNearestDoesNotGuess(t *testing.T) {
	for _, in := range []string{
		// equally close to SETUID and SETGID
		"", "_", "CAP_", "ALL", "web", "x", "postgres", "frobnicate", "kelp", "SETXID",
		"日本語", "\xff\xfe", strings.Repeat("NET_RAW", 20), strings.Repeat("A", 1<<20),
	} {
		if got, ok := Nearest(in); ok {
			t.Errorf("Nearest(%q) = %s, want none", in[:min(len(in), 40)], got)
		}
	}
}

func TestNearestOfAKnownNameIsItself(t *testing.T) {
	for c := Cap(0); c <= Last; c++ {
		for _, in := range []string{c.String(), c.Short(), strings.ToLower(c.Short())} {
			if got, ok := Nearest(in); !ok || got != c {
				t.Errorf("Nearest(%q) = %s, %t", in, got, ok)
			}
		}
	}
}

// One edit in a long name is always forgiven, unless the result is equally close to another name.
func TestNearestForgivesOneLetter(t *testing.T) {
	for c := Cap(0); c <= Last; c++ {
		name := c.Short()
		for i := range name {
			if len(name) < 8 || name[i] == '_' {
				continue
			}
			typo := name[:i] + "Q" + name[i+1:]
			if got, ok := Nearest(typo); ok && got != c {
				t.Errorf("Nearest(%q) = %s, want %s", typo, got, c)
			} else if !ok && typo != "QAC_OVERRIDE" {
				// equally close to MAC_OVERRIDE and DAC_OVERRIDE
				t.Errorf("Nearest(%q) found none", typo)
			}
		}
	}
}

func TestEditsCountsEdits(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ABC", 3}, {"ABC", "", 3}, {"ABC", "ABC", 0}, {"ABC", "ACB", 1},
		{"ABC", "AXC", 1}, {"ABC", "AC", 1},
		{"KITTEN", "SITTING", 3}, {"SYSADMN", "SYSADMIN", 1}, {"ABCD", "BADC", 2}} {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("edits(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := edits(tt.b, tt.a); got != tt.want {
			t.Errorf("edits(%q, %q) = %d, want %d: it must not matter which comes first", tt.b,
				tt.a, got, tt.want)
		}
	}
}
