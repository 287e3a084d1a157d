package audit

import (
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
)

func TestOneFixForAllFindings(t *testing.T) {
	c := container("vpn", dropcap.Declared{Add: []string{"NET_ADMIN"}})
	const want = "re-create it without --cap-add=NET_ADMIN: docker run --cap-drop=NET_RAW " +
		"<arguments> app:1 <command>"
	if j := judgeOne(t, c, dropcap.Policy{}); j.Fix != want {
		t.Errorf("got %q", j.Fix)
	}
	p := dropcap.Policy{Level: dropcap.LevelLeast,
		Keeps: []dropcap.Keep{{Caps: caps.Of(caps.Setuid), Reason: "r"}}}
	const least = "re-create it, in place of its own --cap-add and --cap-drop with: " +
		"docker run --cap-drop=ALL --cap-add=SETUID <arguments> app:1 <command>"
	if j := judgeOne(t, c, p); j.Fix != least {
		t.Errorf("got %q", j.Fix)
	}
	if j := judgeOne(t, container("web", dropcap.Declared{}), dropcap.Policy{}); j.Fix != "" {
		t.Errorf("one finding has its own fix, and yet there is %q", j.Fix)
	}
}

func TestFixSpeaksTheOwnersLanguage(t *testing.T) {
	for _, x := range []struct {
		owner dropcap.Owner
		d     dropcap.Declared
		want  string
	}{
		{dropcap.Owner{Kind: "docker"}, dropcap.Declared{},
			"re-create it: docker run --cap-drop=NET_RAW <arguments> app:1 <command>"},
		{
			dropcap.Owner{Kind: "docker"},
			dropcap.Declared{Drop: []string{"ALL"}, Add: []string{"NET_RAW"}},
			"re-create it without --cap-add=NET_RAW: docker run <arguments> app:1 <command>",
		},
		{
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"},
			dropcap.Declared{},
			"in the compose file of project shop, service web: cap_drop: [NET_RAW]; then docker " +
				"compose -p shop up -d --no-deps web",
		},
		{
			dropcap.Owner{Kind: "compose", Project: "shop", Service: "web"},
			dropcap.Declared{Drop: []string{"CAP_MKNOD"}},
			"in the compose file of project shop, service web: cap_drop: [MKNOD, NET_RAW]; then " +
				"docker compose -p shop up -d --no-deps web",
		},
		{dropcap.Owner{Kind: "swarm", Service: "api"}, dropcap.Declared{},
			"docker service update --cap-drop NET_RAW api"},
		{
			dropcap.Owner{Kind: "ecs", Project: "pay", Service: "web"},
			dropcap.Declared{},
			"in a new revision of task definition pay, container web: " +
				"linuxParameters.capabilities.drop: [NET_RAW]",
		},
	} {
		c := container("web", x.d)
		c.Owner = x.owner
		j := judgeOne(t, c, dropcap.Policy{})
		if got := j.Findings[0].Fix; got != x.want {
			t.Errorf("%s: got  %s\nwant %s", x.owner.Kind, got, x.want)
		}
	}
}

// What is left of --cap-add ALL among the arguments would win over every drop, so the fix says that
// it has to go.
func TestFixOfAllReplacesTheDeclaredLists(t *testing.T) {
	j := judgeOne(t, container("web", dropcap.Declared{Add: []string{"ALL"}}), dropcap.Policy{})
	if got := j.Findings[0].Fix; !strings.HasPrefix(got,
		"re-create it, in place of its own --cap-add and --cap-drop with: docker run --cap-drop=ALL") {
		t.Errorf("got %q", got)
	}
}

// An ended task of a service is never started again: after the update it is still there, and still
// fails.
func TestFixOfAnEndedTaskRemovesIt(t *testing.T) {
	c := container("api.1.x", dropcap.Declared{})
	c.Owner = dropcap.Owner{Kind: "swarm", Service: "api"}
	c.State, c.Kernel = "exited", dropcap.Kernel{}
	defaults := caps.DockerDefaults
	c.Predicted = &defaults
	const want = "docker service update --cap-drop NET_RAW api && docker rm api.1.x"
	if got := judgeOne(t, c, dropcap.Policy{}).Findings[0].Fix; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
