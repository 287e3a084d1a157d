package serve

import (
	"net/url"
	"strings"
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/store"
	"dropcap/internal/testenv/browser"
)

// A workload that waits for a person is approved, paused and stopped from its page.
func TestAHardeningIsApprovedFromItsPage(t *testing.T) {
	s := start(t, town(t), true).seen()
	kept, err := store.Open(s.store)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if _, err := kept.KeepHardening(t.Context(), nil, dropcap.Hardening{
		Workload: "docker:web", Host: "h", Containers: []string{"web"},
		State: dropcap.HardenApproval, Settings: dropcap.UsualHardening(),
		Since: "2026-11-30T08:00:00Z", Begun: "2026-11-30T08:00:00Z",
		Waiting: "a person's approval", Because: "what it needs is known: " + hostile,
	}); err != nil {
		t.Fatal(err)
	}
	b := s.browse()
	b.Go("/harden")
	state := `document.querySelector("section.tried .state").textContent`
	b.Says(state, "approval")
	b.Picture("harden")
	button := func(name string) string {
		return `[...document.querySelectorAll("section.tried button")].find(b =>
			b.textContent === "` + name + `").click()`
	}
	browser.Value[any](b, button("Pause"))
	b.Says(state, "paused")
	browser.Value[any](b, button("Go on"))
	b.Says(state, "approval")
	browser.Value[any](b, button("Stop it"))
	b.Says(state, "stopped")
	b.Quiet()
	v := s.visitor()
	for _, do := range []string{"", "apply", "Pause"} {
		form := url.Values{"workload": {"docker:web"}, "do": {do}}
		if status, _ := v.post("/harden", form); status != 400 {
			t.Errorf("to %q a hardening: %d", do, status)
		}
	}
}

// What is denied now, what was lifted and why, and what that cannot show.
func TestATrialOnItsPage(t *testing.T) {
	s := start(t, town(t), false).seen()
	kept, err := store.Open(s.store)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if err := kept.BeginTrial(t.Context(), store.KeptTrial{Process: "1:1", Trial: dropcap.Trial{
		ID: "0123456789ab", Kind: dropcap.KindTrial, Workload: "docker:web", Name: "web",
		Container: "c", State: dropcap.TrialRunning, Since: "2026-11-30T08:00:00Z",
		Asked: caps.Of(caps.Setuid, caps.NetRaw), Denied: caps.Of(caps.NetRaw),
		Lifted:  []dropcap.Lift{{Caps: caps.Of(caps.Setuid), Because: "nginx needs it " + hostile}},
		Unshown: []dropcap.Unshown{{Cap: caps.NetRaw, Because: "an open socket stays"}},
	}}, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	_, text := s.visitor().get("/trials")
	for _, want := range []string{"SETUID: nginx needs it", "NET_RAW: an open socket stays"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if strings.Contains(text, "<script>alert") {
		t.Error("a reason is markup")
	}
	if _, text := s.visitor().get("/container/web"); !strings.Contains(text, "Tried without") {
		t.Error("the container's page does not have its trial")
	}
}
