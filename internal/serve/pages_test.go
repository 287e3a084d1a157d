package serve

import (
	"testing"

	"dropcap/internal/dockertest/fake"
	"dropcap/internal/testenv/browser"
)

const firstName = `document.querySelector("#matrix tbody tr a").textContent`

func TestTheOverviewFollowsTheEngine(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	browser.Expect(b, `document.querySelectorAll("#matrix tbody tr").length`, 6)
	b.Says(`document.querySelector("#pulse").className`, "pulse live")
	b.Picture("overview")
	s.engine.Add(fake.Container{Name: "late", Image: "late:1"})
	s.engine.Emit("late", "create", nil)
	b.Says(firstName, "late")
	b.Says(`document.querySelector(".toggle.fail b").textContent`, "4")
	if shown := browser.Value[bool](b, `!document.querySelector(".empty").hidden`); shown {
		t.Error("there are containers, and the page says that there is none")
	}
	b.Run(browser.Scheme("dark"))
	b.Go("/")
	b.Picture("overview-dark")
	b.Quiet()
}

func TestEveryPageOfAContainer(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	for path, title := range map[string]string{
		"/container/web": "web fail", "/container/web/plan?level=cis": "Plan for web",
		"/history": "What was done here", "/evidence": "What workloads need",
	} {
		b.Go(path)
		b.Says(`document.querySelector("h1").textContent`, title)
	}
	b.Quiet()
}
