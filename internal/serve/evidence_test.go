package serve

import (
	"testing"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/docker"
	"dropcap/internal/host"
	"dropcap/internal/testenv/browser"
)

// What somebody else records of a workload is on the open page soon, and its proof on the
// container's.
func TestEvidenceIsShownAsItGrows(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	b.Says(pulseClass, "pulse live")
	s.record("docker:web")
	needed := `[...document.querySelectorAll("#matrix tbody tr")].find(r =>
		r.querySelector("a").textContent === "web").querySelectorAll("td.w").length`
	browser.Expect(b, needed, 2)
	b.Picture("overview")
	b.Go("/container/web")
	b.Says(`[...document.querySelectorAll("table.held tbody tr")].filter(r =>
		r.querySelector(".need.needed")).map(r => r.cells[0].textContent).join()`, "SETGID,SETUID")
	b.Click("#by-SETUID summary")
	browser.Expect(b, `document.getElementById("by-SETUID").textContent.includes("/usr/sbin/nginx")`,
		true)
	b.Picture("container")
	b.Go("/evidence")
	b.Says(`document.querySelector("table.list tbody th").textContent`, "docker:web")
	b.Picture("evidence")
	b.Quiet()
}

// record stores evidence of a workload, as a recording would.
func (s *stage) record(workload string) {
	s.Helper()
	all := caps.DockerDefaults
	need := func(c caps.Cap, call string) dropcap.Need {
		return dropcap.Need{Cap: c, Outcome: dropcap.Granted, Class: dropcap.Decisive, Count: 3,
			First: "2026-11-30T08:00:00Z", Last: "2026-11-30T09:00:00Z", Sources: 1,
			Because: "changing to another user fails without it", By: []dropcap.By{{
				Exe: "/usr/sbin/nginx", ExeFrom: "image", Syscall: call, Site: "ns_capable_setid",
				Phase: dropcap.PhaseStart, Count: 3}}}
	}
	required := caps.Of(caps.Setuid, caps.Setgid)
	w := dropcap.WorkloadEvidence{Workload: workload, Revision: "sha256:1", ImageID: "sha256:2",
		Held: all, Required: required, Unused: all.Minus(required),
		Needs: []dropcap.Need{need(caps.Setuid, "setuid"), need(caps.Setgid, "setgid")},
		Sources: []dropcap.Source{{Container: "c", Since: "2026-11-30T08:00:00Z",
			Until: "2026-11-30T09:00:00Z", Seconds: 3600, StartsCold: 1, StartsWarm: 1, Stops: 1}},
		Confidence: dropcap.Confidence{Level: dropcap.ConfidenceHigh,
			Because: []string{"cold start seen", "warm start seen"}}}
	w.Sources[0].Host.ID = s.server.live.scene().audit.Host.ID
	h := host.New(host.Config{Store: s.store, Engine: docker.Options{Host: s.engine.Host}})
	if err := h.Import(s.Context(), dropcap.Evidence{Schema: dropcap.SchemaEvidence,
		Workloads: []dropcap.WorkloadEvidence{w}}); err != nil {
		s.Fatal(err)
	}
}
