package serve

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"dropcap"
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

func TestEveryPageHasItsTitle(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	for path, title := range map[string]string{
		"/container/web": "web fail",
		"/history":       "What was done here", "/evidence": "What workloads need",
		"/fleet":  "What was asked of the fleet",
		"/harden": "On the way to the least set",
		"/trials": "What is tried without", "/policy": "What is kept and what is waived",
	} {
		b.Go(path)
		b.Says(`document.querySelector("h1").textContent`, title)
	}
	b.Quiet()
	if _, err := os.Stat(s.store); err == nil {
		t.Error("looking has made a store")
	}
	b.Go("/container/web/plan?level=cis") // which binds its plan to a secret of the store
	b.Says(`document.querySelector("h1").textContent`, "Plan for web")
}

const (
	raw = `level: cis
keep:
  - containers: {name: web}
    capabilities: [NET_RAW]
    reason: it pings
`
	wrong = "level: strict\n"
)

func TestAPolicyIsCheckedBeforeItIsPutInPlace(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	b.Go("/policy")
	b.Type("#text", wrong)
	b.Click("form button.primary")
	browser.Expect(b, `document.querySelector("#result .bad")?.textContent.includes("strict")`, true)
	b.Go("/policy")
	b.Type("#text", raw)
	b.Click("form button.primary")
	b.Says(`[...document.querySelectorAll("#result tbody tr")].map(r => r.innerText).join()`,
		"web\tfail\tpass")
	b.Picture("policy")
	b.Quiet()
	if c, _ := s.server.live.scene().container("web"); c.Verdict != dropcap.Fail {
		t.Errorf("web is %s: the policy that was only checked is in place", c.Verdict)
	}
}

func TestMetrics(t *testing.T) {
	s := start(t, town(t), false).seen()
	unknown := &visitor{stage: s, http: &http.Client{}}
	if status, text := unknown.get("/metrics"); status != 401 ||
		strings.Contains(text, "dropcap_") {
		t.Errorf("to somebody unknown: %d", status)
	}
	status, text := s.visitor().get("/metrics")
	if want := `dropcap_containers{verdict="fail",level="cis"} 3`; status != 200 ||
		!strings.Contains(text, want) {
		t.Errorf("%d, and no %q:\n%s", status, want, text)
	}
}
