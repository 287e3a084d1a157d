package engines_test

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/dockertest"
)

// subset has one case for each way in which the arithmetic can go wrong.
var subset = []declaration{
	{},
	{Drop: []string{"NET_RAW"}},
	{Drop: []string{"net_raw"}},
	{Drop: []string{"CAP_NET_RAW", "cap_net_raw", "Net_Raw"}},
	{Drop: []string{"ALL"}},
	{Drop: []string{"all"}},
	{Drop: []string{"All", "NET_RAW"}},
	{Add: []string{"NET_ADMIN"}},
	{Add: []string{"cap_net_admin", "NET_ADMIN"}},
	{Add: []string{"NET_RAW"}, Drop: []string{"NET_RAW"}},
	{Add: []string{"chown", "KILL"}, Drop: []string{"ALL"}},
	{Add: []string{"SYS_TIME"}, Drop: []string{"MKNOD", "SYS_TIME"}},
	{Drop: []string{"SYS_ADMIN"}},
	{Add: []string{"SYS_PTRACE"}, User: "1000:1000"},
	{Drop: []string{"ALL"}, User: "1000:1000"},
	{User: "nobody"},
	{Add: []string{"ALL"}},
	{Add: []string{"all"}, Drop: []string{"all"}},
	{Add: []string{"ALL", "NET_RAW"}, Drop: []string{"NET_RAW"}},
	{Add: []string{"ALL"}, Drop: []string{"sys_resource", "SYS_ADMIN"}},
	{Privileged: true},
	{Privileged: true, Add: []string{"NET_ADMIN"}, Drop: []string{"ALL"}},
}

// matrix crosses every list of additions with every list of drops and some users.
func matrix() []declaration {
	lists := [][]string{
		nil, {"ALL"}, {"all"}, {"NET_RAW"}, {"cap_net_raw"}, {"NET_RAW", "net_raw"},
		{"ALL", "NET_RAW"}, {"SYS_TIME"},
		{"NET_ADMIN", "sys_ptrace", "CAP_CHOWN"}, {"SYS_RESOURCE", "AUDIT_READ"},
	}
	all := slices.Clone(subset)
	for _, add := range lists {
		for _, drop := range lists {
			for _, user := range []string{"", "1000"} {
				all = append(all, declaration{Add: add, Drop: drop, User: user})
			}
		}
	}
	return all
}

// full reports whether the whole matrices were requested.
func full() bool { return os.Getenv("DROPCAP_TEST_FULL") != "" }

func cases() []declaration {
	if full() {
		return matrix()
	}
	return subset
}

// TestPredictedIsWhatTheKernelGrants posts raw declarations to each engine, and compares dropcap's
// prediction with the bounding set of the container's first process.
func TestPredictedIsWhatTheKernelGrants(t *testing.T) {
	for _, kind := range dockertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			b := start(t, kind)
			predictAll(t, b, cases())
		})
	}
}

func TestPredictedUnderUserNamespaces(t *testing.T) {
	b := start(t, dockertest.Docker29, dockertest.UsernsRemap())
	predictAll(t, b, []declaration{
		{}, {Drop: []string{"ALL"}}, {Add: []string{"NET_ADMIN"}, Drop: []string{"net_raw"}},
		{Add: []string{"ALL"}},
		{Privileged: true, UsernsHost: true},
	})
	id := b.RunContainer(t, "remapped", body(declaration{}))
	if k := b.look(t, id)[0].Kernel; k.UserNS != "own" {
		t.Errorf("a container of a remapped engine is in user namespace %q, want own", k.UserNS)
	}
}

func predictAll(t *testing.T, b *bench, list []declaration) {
	started, refused := 0, 0
	for _, d := range list {
		t.Run(d.String(), func(t *testing.T) {
			if predictOne(t, b, d) {
				started++
			} else {
				refused++
			}
		})
	}
	t.Logf("%s %s: %d declarations started and compared, %d refused by this host", b.Kind,
		b.Version, started, refused)
	if started < len(list)/2 {
		t.Errorf("only %d of %d declarations could be compared", started, len(list))
	}
}

// predictOne runs a container and compares; false if this host cannot run it because it lacks a
// capability to be granted.
func predictOne(t *testing.T, b *bench, d declaration) bool {
	id, refusal := b.try(t, body(d))
	switch {
	case refusal == "":
	case id == "":
		// Docker from 23.0 refuses to name what it cannot grant, even in drops; Podman refuses
		// contradictions that Docker resolves.
		if !strings.Contains(refusal, "not available in the current environment") &&
			b.Kind != dockertest.Podman4 {
			t.Errorf("the engine refuses to create it: %s", refusal)
		}
		return false
	default:
		// An older engine's arithmetic grants more than a host without every capability has, and
		// runc then fails for root.
		granted, err := caps.Grants{Defaults: caps.DockerDefaults,
			All: caps.DockerLegacyKnown}.Predict(dropcap.Declared{Privileged: d.Privileged,
			Add: d.Add, Drop: d.Drop})
		// Podman's crun also raises limits, which this host may refuse.
		if b.Kind != dockertest.Podman4 && (err != nil || granted.Minus(ours(t)).Empty()) {
			t.Errorf("the engine refuses to start what is grantable here (%s): %s", granted,
				refusal)
		}
		return false
	}
	c := b.look(t, id)[0]
	if !c.Kernel.Visible {
		t.Fatalf("cannot see the container: %s", c.Kernel.WhyNot)
	}
	granted := bounding(t, c.PID)
	if c.Predicted == nil {
		t.Fatalf("nothing is predicted (%s) where the kernel grants %s", c.WhyNot, granted)
	}
	if *c.Predicted != granted {
		t.Errorf("predicted %s\nkernel    %s", c.Predicted, granted)
	}
	if *c.Kernel.Bounding != granted {
		t.Errorf("saw %s where the kernel grants %s", c.Kernel.Bounding, granted)
	}
	return true
}

// try creates and starts a container. If either is refused, it returns the engine's words, with the
// id if there is one.
func (b *bench) try(t *testing.T, body string) (id, refusal string) {
	t.Helper()
	ctx := context.Background()
	status, answer, err := b.Raw(ctx, http.MethodPost, "/containers/create", body)
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusCreated {
		return "", string(answer)
	}
	_, rest, _ := strings.Cut(string(answer), `"Id":"`)
	id, _, _ = strings.Cut(rest, `"`)
	t.Cleanup(func() { b.Remove(t, id) })
	status, answer, err = b.Raw(ctx, http.MethodPost, "/containers/"+id+"/start", "")
	if err != nil {
		t.Fatal(err)
	}
	if status >= 400 {
		return id, string(answer)
	}
	return id, ""
}
