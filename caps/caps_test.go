package caps

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The expected numbers are the kernel's ABI (include/uapi/linux/capability.h), not copied from the
// table.
func TestNumbersAreTheKernels(t *testing.T) {
	abi := map[Cap]string{
		0: "CAP_CHOWN", 1: "CAP_DAC_OVERRIDE", 2: "CAP_DAC_READ_SEARCH", 5: "CAP_KILL",
		8: "CAP_SETPCAP", 10: "CAP_NET_BIND_SERVICE",
		12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW", 16: "CAP_SYS_MODULE", 19: "CAP_SYS_PTRACE",
		21: "CAP_SYS_ADMIN", 27: "CAP_MKNOD",
		29: "CAP_AUDIT_WRITE", 31: "CAP_SETFCAP", 34: "CAP_SYSLOG", 37: "CAP_AUDIT_READ",
		38: "CAP_PERFMON", 39: "CAP_BPF",
		40: "CAP_CHECKPOINT_RESTORE",
	}
	for c, name := range abi {
		if c.String() != name {
			t.Errorf("capability %d is %s, want %s", c, c, name)
		}
	}
	if Last != 40 || len(names) != 41 {
		t.Errorf("last is %d and there are %d names, want 40 and 41", Last, len(names))
	}
}

func TestParseTakesEverySpellingTheEngineTakes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Cap
	}{
		{"CAP_NET_RAW", NetRaw},
		{"NET_RAW", NetRaw},
		{"net_raw", NetRaw},
		{"cap_net_raw", NetRaw},
		{"Cap_Net_raW", NetRaw},
		{"chown", Chown},
		{"BPF", BPF},
		{"checkpoint_restore", CheckpointRestore},
		{"CAP_41", 41},
		{"cap_63", 63},
		{"ſetuid", Setuid}, // Go's upper case of the long s, here as in the engine
	} {
		got, err := Parse(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q) = %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseRefusesWhatTheEngineRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "ALL", "all", "CAP_ALL", "CAP_", "CAP_CAP_NET_RAW", " NET_RAW", "NET_RAW ",
		"NET_RAW\n", "NET-RAW", "NETRAW", "net raw",
		"13", "CAP_13", "CAP_40", "CAP_64", "CAP_041", "CAP_+41", "CAP_-1", "CAP_4_1", "CAP_256",
		"CAP_0x29", "NET_RAW\x00", "\xff",
	} {
		if got, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", in, got)
		}
	}
}

func TestParseErrorNamesTheNearest(t *testing.T) {
	_, err := Parse("net_rwa")
	if want := `"net_rwa" is not a capability; did you mean NET_RAW?`; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Parse("frobnicate")
	if want := `"frobnicate" is not a capability`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestEveryCapabilityIsReadBackFromItsName(t *testing.T) {
	for c := Cap(0); c < 64; c++ {
		for _, name := range []string{c.String(), c.Short(), strings.ToLower(c.String()),
			strings.ToLower(c.Short())} {
			if got, err := Parse(name); err != nil || got != c {
				t.Errorf("Parse(%q) = %v, %v; want %v", name, got, err, c)
			}
		}
	}
}

func TestMasksReadAndPrintLikeProc(t *testing.T) {
	for _, tt := range []struct {
		hex  string
		want Set
	}{
		{"0000000000000000", 0},
		{"0000000000000001", Of(Chown)},
		{"00000000a80425fb", DockerDefaults},
		{"0000003fffffffff", UpTo(AuditRead)},
		{"000001ffffffffff", UpTo(CheckpointRestore)},
		{"ffffffffffffffff", UpTo(63)},
	} {
		got, err := ParseMask(tt.hex)
		if err != nil || got != tt.want || got.Mask() != tt.hex {
			t.Errorf("ParseMask(%q) = %s, %v; want %s", tt.hex, got.Mask(), err, tt.want.Mask())
		}
	}
	for _, bad := range []string{"", "0x1", "g", "-1", "+1", "1ffffffffffffffff",
		"00000000 a80425fb", "1_0", "a80425fb\n"} {
		if s, err := ParseMask(bad); err == nil {
			t.Errorf("ParseMask(%q) = %s, want an error", bad, s.Mask())
		}
	}
}

func TestSetOperations(t *testing.T) {
	s := Of(NetRaw, Chown, 63)
	if !s.Has(NetRaw) || !s.Has(Chown) || !s.Has(63) || s.Has(Kill) || s.Has(64) || s.Has(255) {
		t.Errorf("members of %s are wrong", s.Mask())
	}
	if got := s.List(); !slices.Equal(got, []Cap{Chown, NetRaw, 63}) {
		t.Errorf("List() = %v, want the kernel's order", got)
	}
	if got := s.Short(); got != "CHOWN,NET_RAW,63" {
		t.Errorf("Short() = %q", got)
	}
	if got := Set(0).Short(); got != "none" {
		t.Errorf("Short() of the empty set = %q", got)
	}
	if got := s.Minus(Of(Chown, Kill)); got != Of(NetRaw, 63) || got.Len() != 2 || got.Empty() {
		t.Errorf("Minus = %s", got)
	}
	if Of(64, 200) != 0 {
		t.Error("a number that no mask can hold became a member")
	}
	if UpTo(0) != Of(Chown) || UpTo(62).Len() != 63 || UpTo(200) != ^Set(0) {
		t.Error("UpTo counts wrongly at its ends")
	}
}

func TestDockerDefaultsAreTheFourteen(t *testing.T) {
	want := Of(Chown, DacOverride, Fsetid, Fowner, Mknod, NetRaw, Setgid, Setuid, Setfcap, Setpcap,
		NetBindService, SysChroot, Kill,
		AuditWrite)
	if DockerDefaults != want || want.Len() != 14 {
		t.Errorf("defaults are %s, want %s", DockerDefaults, want)
	}
}

func TestSetInJSONIsAListOfNames(t *testing.T) {
	type document struct {
		Caps Set  `json:"caps"`
		Seen *Set `json:"seen"`
	}
	b, err := json.Marshal(document{Caps: Of(NetRaw, Chown)})
	if want := `{"caps":["CAP_CHOWN","CAP_NET_RAW"],"seen":null}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v; want %s", b, err, want)
	}
	empty := Set(0)
	b, err = json.Marshal(document{Seen: &empty})
	if want := `{"caps":[],"seen":[]}`; err != nil || string(b) != want {
		t.Errorf("empty and unseen must differ: got %s, %v; want %s", b, err, want)
	}
	d := document{Caps: Of(Chown)} // the old content must go
	if err := json.Unmarshal([]byte(`{"caps":["net_raw","CAP_KILL","NET_RAW"],"seen":null}`),
		&d); err != nil {
		t.Fatal(err)
	}
	if d.Caps != Of(NetRaw, Kill) || d.Seen != nil {
		t.Errorf("read %s and %v", d.Caps, d.Seen)
	}
}

func TestSetInJSONRefusesWhatIsNoListOfNames(t *testing.T) {
	for _, in := range []string{`["ALL"]`, `["CAP_X"]`, `"NET_RAW"`, `[13]`, `{}`, `7`, `[null]`,
		`["NET_RAW"`} {
		s := Of(Kill)
		if err := json.Unmarshal([]byte(in), &s); err == nil {
			t.Errorf("%s was read as %s", in, s)
		} else if s != Of(Kill) {
			t.Errorf("%s failed and yet changed the set to %s", in, s)
		}
	}
}

func TestCapabilityInJSONIsItsName(t *testing.T) {
	var back map[Cap]Cap
	b, err := json.Marshal(map[Cap]Cap{NetRaw: 41})
	if err != nil || string(b) != `{"CAP_NET_RAW":"CAP_41"}` {
		t.Fatalf("got %s, %v", b, err)
	}
	if err := json.Unmarshal(b, &back); err != nil ||
		!reflect.DeepEqual(back, map[Cap]Cap{NetRaw: 41}) {
		t.Errorf("read back %v, %v", back, err)
	}
}

func TestSeveritiesAreOrdered(t *testing.T) {
	order := []Severity{"", Low, Medium, High, Critical}
	for i, a := range order {
		for j, b := range order {
			if got, want := a.Worse(b), order[max(i, j)]; got != want {
				t.Errorf("%q.Worse(%q) = %q, want %q", a, b, got, want)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"NET_RAW", "cap_net_raw", "ALL", "CAP_41", "CAP_", "", "net_rwa",
		"ſys_admin", "\xff\xfe", " KILL"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, err := Parse(name)
		if err != nil {
			if !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
				t.Errorf("the error %q does not quote %q", err, name)
			}
			return
		}
		if c > 63 {
			t.Fatalf("Parse(%q) = %d, which no mask can hold", name, c)
		}
		if again, err := Parse(c.String()); err != nil || again != c {
			t.Errorf("Parse(%q) = %s, which reads back as %s, %v", name, c, again, err)
		}
		if up := strings.ToUpper(name); up != c.String() && "CAP_"+up != c.String() {
			t.Errorf("Parse(%q) = %s, but the engine would look up another name", name, c)
		}
	})
}

func FuzzSetJSON(f *testing.F) {
	f.Add([]byte(`["CAP_NET_RAW","kill"]`))
	f.Add([]byte(`null`))
	f.Add([]byte(`["CAP_63"]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var s, back Set
		if json.Unmarshal(doc, &s) != nil {
			return
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Errorf("%s was read as %s, written as %s, read back as %s, %v", doc, s, b, back, err)
		}
		if m, err := ParseMask(s.Mask()); err != nil || m != s {
			t.Errorf("the mask %s reads back as %s, %v", s.Mask(), m.Mask(), err)
		}
	})
}
