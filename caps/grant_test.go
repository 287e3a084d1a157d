package caps

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// modern is an engine on an ordinary host with Linux 5.9 or later.
var modern = Grants{Defaults: DockerDefaults, All: UpTo(CheckpointRestore)}

func TestPredictFollowsTheEnginesOrder(t *testing.T) {
	all, defaults := modern.All, DockerDefaults
	for _, tt := range []struct {
		name      string
		add, drop []string
		want      Set
	}{
		{"nothing declared", nil, nil, defaults},
		{"empty lists", []string{}, []string{}, defaults},
		{"add one", []string{"NET_ADMIN"}, nil, defaults | Of(NetAdmin)},
		{"add a default", []string{"NET_RAW"}, nil, defaults},
		{"drop a default", nil, []string{"NET_RAW"}, defaults.Minus(Of(NetRaw))},
		{"drop what is not held", nil, []string{"SYS_ADMIN"}, defaults},
		{"add wins over drop", []string{"NET_RAW"}, []string{"NET_RAW"}, defaults},
		{"add wins over drop, not a default", []string{"SYS_TIME"}, []string{"SYS_TIME"},
			defaults | Of(SysTime)},
		{"add and drop different ones", []string{"SYS_TIME"}, []string{"KILL"},
			defaults.Minus(Of(Kill)) | Of(SysTime)},

		{"add ALL", []string{"ALL"}, nil, all},
		{"add ALL and one more", []string{"NET_RAW", "ALL"}, nil, all},
		{"drop ALL", nil, []string{"ALL"}, 0},
		{"drop ALL and one more", nil, []string{"ALL", "KILL"}, 0},
		{"drop ALL, add one", []string{"NET_BIND_SERVICE"}, []string{"ALL"}, Of(NetBindService)},
		{"drop ALL and X, add X", []string{"CHOWN"}, []string{"ALL", "CHOWN"}, Of(Chown)},

		{"add ALL, drop ALL: ALL stays", []string{"ALL"}, []string{"ALL"}, all},
		{"add ALL, drop X: X goes", []string{"ALL"}, []string{"SYS_ADMIN"},
			all.Minus(Of(SysAdmin))},
		{"add ALL and X, drop X: X goes", []string{"ALL", "SYS_ADMIN"}, []string{"SYS_ADMIN"},
			all.Minus(Of(SysAdmin))},
		{"add ALL, drop ALL and X: X goes", []string{"ALL"}, []string{"ALL", "NET_RAW"},
			all.Minus(Of(NetRaw))},
		{"add ALL, X, drop ALL, X: X goes", []string{"NET_RAW", "ALL"}, []string{"NET_RAW", "ALL"},
			all.Minus(Of(NetRaw))},

		{"lower case", []string{"net_admin"}, []string{"net_raw"},
			defaults.Minus(Of(NetRaw)) | Of(NetAdmin)},
		{"lower case all", nil, []string{"all"}, 0},
		{"mixed case All in adds", []string{"All"}, []string{"aLL"}, all},
		{"prefix", []string{"CAP_NET_ADMIN"}, []string{"cap_net_raw"},
			defaults.Minus(Of(NetRaw)) | Of(NetAdmin)},
		{"one name in three spellings", nil, []string{"NET_RAW", "net_raw", "CAP_NET_RAW"},
			defaults.Minus(Of(NetRaw))},
		{"add in one spelling, drop in another", []string{"cap_net_raw"}, []string{"NET_RAW"},
			defaults},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := modern.Predict(Declared{Add: tt.add, Drop: tt.drop})
			if err != nil || got != tt.want {
				t.Errorf("add %q drop %q: %s, %v; want %s", tt.add, tt.drop, got, err, tt.want)
			}
		})
	}
}

func TestPrivilegedIgnoresTheLists(t *testing.T) {
	for _, d := range []Declared{
		{},
		{Drop: []string{"ALL"}},
		{Drop: []string{"NET_RAW"}, Add: []string{"KILL"}},
		// the engine returns before it reads them
		{Drop: []string{"no such thing"}, Add: []string{""}},
	} {
		d.Privileged = true
		if got, err := modern.Predict(d); err != nil || got != modern.All {
			t.Errorf("privileged, add %q drop %q: %s, %v", d.Add, d.Drop, got, err)
		}
	}
}

func TestUnknownNamesPredictNothing(t *testing.T) {
	for _, bad := range []string{"", "NET_RAW ", " net_raw", "NET-RAW", "CAP_ALL", "CAP_cap_kill",
		"41", "CAP_41", "cap_63", "13"} {
		for _, d := range []Declared{
			{Add: []string{"KILL", bad}}, {Drop: []string{bad, "KILL"}},
			{Add: []string{"ALL"}, Drop: []string{bad}},
			{Add: []string{"ALL", bad}}, {Drop: []string{"ALL", bad}},
		} {
			got, err := modern.Predict(d)
			if err == nil || got != 0 {
				t.Errorf("add %q drop %q: %s, %v; want an error and nothing", d.Add, d.Drop, got,
					err)
				continue
			}
			list := "CapAdd: "
			if len(d.Add) == 0 || d.Add[len(d.Add)-1] != bad {
				list = "CapDrop: "
			}
			if !strings.HasPrefix(err.Error(), list) {
				t.Errorf("add %q drop %q: the error %q names the wrong list", d.Add, d.Drop, err)
			}
		}
	}
}

func TestAllIsWhatTheEngineCanGive(t *testing.T) {
	inContainer := Grants{Defaults: DockerDefaults,
		All: UpTo(CheckpointRestore).Minus(Of(SysResource))}
	for _, d := range []Declared{{Privileged: true}, {Add: []string{"ALL"}},
		{Add: []string{"all"}, Drop: []string{"ALL"}}} {
		if got, err := inContainer.Predict(d); err != nil || got != inContainer.All {
			t.Errorf("%+v: %s, %v; want the engine's own set", d, got, err)
		}
	}
	if got, err := inContainer.Predict(Declared{Drop: []string{"SYS_RESOURCE"}}); err != nil ||
		got != DockerDefaults {
		t.Errorf("a drop of what is not held changed the defaults: %s, %v", got, err)
	}
}

func TestOtherEnginesHaveOtherDefaults(t *testing.T) {
	podman := Grants{Defaults: DockerDefaults.Minus(Of(NetRaw, Mknod, AuditWrite)),
		All: UpTo(CheckpointRestore)}
	got, err := podman.Predict(Declared{Drop: []string{"KILL"}, Add: []string{"NET_ADMIN"}})
	if want := podman.Defaults.Minus(Of(Kill)) | Of(NetAdmin); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestAllForByEngineAndKernel(t *testing.T) {
	for _, tt := range []struct {
		engine int
		kernel Cap
		mask   string
	}{
		{20, CheckpointRestore, "0000003fffffffff"}, // 20.10 ends at AUDIT_READ
		{20, AuditRead, "0000003fffffffff"},
		{19, BlockSuspend, "0000001fffffffff"},
		{23, CheckpointRestore, "000001ffffffffff"},
		{29, AuditRead, "0000003fffffffff"},
		{26, 41, "000003ffffffffff"},
	} {
		if got := AllFor(tt.engine, tt.kernel).Mask(); got != tt.mask {
			t.Errorf("AllFor(%d, %s) = %s, want %s", tt.engine, tt.kernel, got, tt.mask)
		}
	}
}

func TestLastOfByKernel(t *testing.T) {
	for _, tt := range []struct {
		major, minor int
		want         Cap
	}{{3, 16, AuditRead}, {4, 19, AuditRead}, {5, 7, AuditRead}, {5, 8, BPF},
		{5, 9, CheckpointRestore}, {5, 10, CheckpointRestore},
		{6, 1, CheckpointRestore}, {6, 18, CheckpointRestore}} {
		if got := LastOf(tt.major, tt.minor); got != tt.want {
			t.Errorf("LastOf(%d, %d) = %s, want %s", tt.major, tt.minor, got, tt.want)
		}
	}
}

// Properties over random declarations: the result stays within bounds, and neither order,
// repetition nor spelling matters.
func TestPredictProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 4))
	for range 20_000 {
		d := Declared{Add: randomNames(r), Drop: randomNames(r)}
		got, err := modern.Predict(d)
		if err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
		checkBounds(t, modern, d, got)
		same := Declared{Add: respell(r, d.Add), Drop: respell(r, d.Drop)}
		if again, err := modern.Predict(same); err != nil || again != got {
			t.Fatalf("%+v gives %s, but %+v gives %s, %v", d, got, same, again, err)
		}
	}
}

func randomNames(r *rand.Rand) []string {
	var l []string
	for range r.IntN(5) {
		if r.IntN(5) == 0 {
			l = append(l, All)
			continue
		}
		l = append(l, Cap(r.IntN(int(Last)+1)).String())
	}
	return l
}

func respell(r *rand.Rand, list []string) []string {
	l := append([]string{}, list...)
	if len(l) > 0 {
		l = append(l, l[r.IntN(len(l))])
	}
	r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	for i := range l {
		if r.IntN(2) == 0 {
			l[i] = strings.ToLower(l[i])
		}
		if r.IntN(2) == 0 && len(l[i]) > 4 {
			l[i] = l[i][len("CAP_"):]
		}
	}
	return l
}

// checkBounds checks what must hold for every declaration.
func checkBounds(t *testing.T, g Grants, d Declared, got Set) {
	t.Helper()
	add, addAll, _ := read(d.Add)
	drop, dropAll, _ := read(d.Drop)
	if out := got.Minus(g.All | g.Defaults | add); out != 0 {
		t.Fatalf("%+v grants %s, which nothing gives", d, out)
	}
	if dropAll && !addAll && got != add {
		t.Fatalf("%+v grants %s, want exactly what is added", d, got)
	}
	if addAll && got&drop != 0 {
		t.Fatalf("%+v grants %s although dropped by name", d, got&drop)
	}
	if !addAll && add.Minus(got) != 0 {
		t.Fatalf("%+v does not grant the added %s", d, add.Minus(got))
	}
	if got&drop.Minus(add) != 0 {
		t.Fatalf("%+v grants %s, dropped and not added", d, got&drop.Minus(add))
	}
}

func FuzzPredict(f *testing.F) {
	f.Add(false, "NET_ADMIN", "ALL", uint64(DockerDefaults), uint64(UpTo(Last)))
	f.Add(true, "x", "", uint64(0), uint64(0))
	f.Add(false, "ALL,net_raw", "cap_net_raw,all", uint64(DockerDefaults), uint64(0x3fffffffff))
	f.Add(false, "", " KILL", uint64(1), ^uint64(0))
	f.Fuzz(func(t *testing.T, privileged bool, add, drop string, defaults, all uint64) {
		g := Grants{Defaults: Set(defaults), All: Set(all)}
		d := Declared{Privileged: privileged, Add: split(add), Drop: split(drop)}
		got, err := g.Predict(d)
		switch {
		case privileged && (err != nil || got != g.All):
			t.Fatalf("privileged gives %s, %v; want %s", got, err, g.All)
		case privileged:
		case err != nil && got != 0:
			t.Fatalf("%+v: an error, and yet %s", d, got)
		case err == nil:
			checkBounds(t, g, d, got)
		}
	})
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
