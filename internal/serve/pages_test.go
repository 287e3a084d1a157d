package serve

import (
	"testing"

	"dropcap/internal/dockertest/fake"
)

const firstName = `document.querySelector("#matrix tbody tr a").textContent`

func TestTheOverviewFollowsTheEngine(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := browse(t, s)
	expect(b, `document.querySelectorAll("#matrix tbody tr").length`, 6)
	b.expect(`document.querySelector("#pulse").className`, "pulse live")
	b.picture("overview")
	s.engine.Add(fake.Container{Name: "late", Image: "late:1"})
	s.engine.Emit("late", "create", nil)
	b.expect(firstName, "late")
	b.expect(`document.querySelector(".toggle.fail b").textContent`, "4")
	if shown := value[bool](b, `!document.querySelector(".empty").hidden`); shown {
		t.Error("there are containers, and the page says that there is none")
	}
	b.run(scheme("dark"))
	b.open("/")
	b.picture("overview-dark")
	b.quiet()
}

func TestEveryPageOfAContainer(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := browse(t, s)
	for path, title := range map[string]string{
		"/container/web": "web fail", "/container/web/plan?level=cis": "Plan for web",
		"/history": "What was done here", "/evidence": "What workloads need",
	} {
		b.open(path)
		b.expect(`document.querySelector("h1").textContent`, title)
	}
	b.quiet()
}
