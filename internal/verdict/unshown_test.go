package verdict

import (
	"strings"
	"testing"

	"dropcap/caps"
)

func TestEachLimitIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, l := range Limits {
		if l.Name == "" || names[l.Name] || l.Caps.Empty() || l.Because == "" || l.Source == "" {
			t.Errorf("%+v", l)
		}
		names[l.Name] = true
	}
	list := Unshown(caps.Of(caps.BPF, caps.Kill), caps.Of(caps.BPF, caps.SysAdmin))
	if len(list) != 2 || list[0].Cap != caps.BPF && list[1].Cap != caps.BPF {
		t.Errorf("%+v", list)
	}
	if list = Unshown(caps.Of(caps.BPF, caps.SysAdmin), caps.UpTo(caps.Last)); len(list) < 3 {
		t.Errorf("%+v", list)
	}
	for _, u := range list {
		if u.Cap == caps.BPF && strings.Contains(u.Because, "SYS_ADMIN is asked next") {
			t.Error("both are tried, so that neither serves")
		}
	}
}
