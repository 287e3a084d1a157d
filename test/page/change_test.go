package page_test

import (
	"strings"
	"testing"

	"dropcap/internal/testenv/browser"
)

const (
	outcome = `document.getElementById("outcome")?.textContent`
	title   = `document.querySelector("h1")?.textContent`
	notice  = `document.querySelector("[data-part=result] .notice")?.textContent ?? ""`
)

// verdictOf is the verdict in the overview.
func verdictOf(name string) string {
	return `[...document.querySelectorAll("#matrix tbody tr")].find(r => ` +
		`r.querySelector("a").textContent === "` + name + `")?.dataset.v`
}

// apply opens a plan, confirms it and begins.
func apply(b *browser.Tab, path, name, soak string) {
	b.Helper()
	b.Go(path)
	b.Says(title, "Plan for "+name)
	disabled := `document.querySelector("form button.danger").disabled`
	browser.Expect(b, disabled, true)
	b.Type("#confirm", name+"x")
	browser.Expect(b, disabled, true)
	b.Type("#confirm", "\b")
	browser.Expect(b, disabled, false)
	browser.Value[any](b, `document.getElementById("soak").value = "`+soak+`"`)
	b.Click("form button.danger")
	browser.Expect(b, `location.pathname.startsWith("/work/")`, true)
}

// A person changes a container, sees it done and the overview turn, and takes it back: the very
// same container runs.
func TestAChangeUnderOnesEyes(t *testing.T) {
	s := newStage(t)
	s.docker("run", "-d", "--name", "web", "--stop-timeout", "1", "app:1")
	s.docker("run", "-d", "--name", "db", "--stop-timeout", "1", "--cap-drop", "ALL", "app:1")
	s.docker("run", "-d", "--name", "other", "--stop-timeout", "1", "app:1")
	// It changes an owner as it starts, which nobody has recorded.
	s.docker("run", "-d", "--name", "late", "--stop-timeout", "1", "app:1", "sh", "-ec",
		"echo x >/tmp/x; chown 1000 /tmp/x; exec sleep 3600")
	old, late := s.id("web"), s.id("late")
	s.serve("--allow-changes")
	b := s.browse()
	b.Says(verdictOf("web"), "fail")
	b.Says(verdictOf("db"), "pass")
	b.Picture("change-overview")

	t.Run("it works", func(t *testing.T) {
		apply(b, "/container/web/plan?level=cis", "web", "1")
		b.Says(outcome, "done")
		b.Picture("change-done")
		if s.id("web") == old {
			t.Error("web is the same container still")
		}
		b.Go("/")
		b.Says(verdictOf("web"), "pass")
	})
	t.Run("it is taken back", func(t *testing.T) {
		b.Go("/history")
		b.Click("table.list a")
		b.Says(title, "Change of web")
		b.Picture("change-history")
		b.Type(`input[name="confirm"]`, "web")
		b.Click("form button.danger")
		b.Says(outcome, "done")
		if now := s.id("web"); now != old {
			t.Errorf("web is %s, and was %s", now, old)
		}
	})
	t.Run("it fails, and is rolled back while one watches", func(t *testing.T) {
		apply(b, "/container/late/plan?level=least&accept=low", "late", "5")
		b.Says(outcome, "rolled-back")
		browser.Expect(b, `(`+notice+`).includes("the old container runs again")`, true)
		b.Picture("change-rolled-back")
		if now := s.id("late"); now != late {
			t.Errorf("late is %s, and was %s", now, late)
		}
	})
	t.Run("it is learned, and then it works", func(t *testing.T) { learned(s, b) })
	t.Run("it is stopped midway, and a second one is told", func(t *testing.T) {
		apply(b, "/container/web/plan?level=cis", "web", "600")
		ready := `document.getElementById("log").textContent.includes("is ready")`
		browser.Expect(b, ready, true)
		second := browser.Value[string](b, `location.pathname`)
		b.Go("/container/db")
		browser.Expect(b, `!document.getElementById("working").hidden`, true)
		b.Go("/container/other/plan?level=cis")
		b.Quiet()
		b.Type("#confirm", "other")
		b.Click("form button.danger")
		b.Says(title, "Conflict")
		browser.Expect(b, `document.body.textContent.includes("change web is under way")`, true)
		b.Forget() // Chromium's console has the refusal
		b.Go(second)
		b.Click("form button.danger")
		b.Says(outcome, "stopped")
		if now := s.id("web"); now != old {
			t.Errorf("web is %s, and was %s", now, old)
		}
	})
	t.Run("it is tried without, or the page says why it cannot be", func(t *testing.T) {
		tried(s, b)
	})
	// The old late is kept: its change was not taken back.
	if left := s.docker("ps", "-a", "--format", "{{.Names}}"); strings.Contains(left,
		"web-dropcap-") || strings.Count(left, "-dropcap-") != 1 {
		t.Errorf("left behind: %s", left)
	}
	b.Go("/history")
	browser.Expect(b, `document.querySelectorAll("table.list tbody tr").length`, 4)
	b.Picture("history")
	b.Quiet()
}

// learned records what the container needs, while its page is open, and changes it by that.
func learned(s *stage, b *browser.Tab) {
	b.Go("/container/late")
	const needed = `[...document.querySelectorAll("table.held tbody tr")].filter(r =>
		r.querySelector(".need.needed")).map(r => r.cells[0].textContent).join()`
	b.Says(needed, "")
	s.dropcap("learn", "late", "--restart", "--for", "1s", "--complete", "--yes")
	b.Go("/container/late")
	browser.Expect(b, `(`+needed+`).includes("CHOWN")`, true)
	b.Picture("container")
	b.Go("/evidence")
	b.Picture("evidence")
	old := s.id("late")
	b.Go("/container/late/plan?level=least")
	b.Picture("plan")
	apply(b, "/container/late/plan?level=least", "late", "1")
	b.Says(outcome, "done")
	if s.id("late") == old {
		b.Error("late is the same container still")
	}
	b.Go("/")
	b.Says(verdictOf("late"), "pass")
	b.Picture("overview")
}

// tried denies for a while what a plan would drop, or, where the command cannot either, is told the
// same as there. The container runs on all the while.
func tried(s *stage, b *browser.Tab) {
	before := s.docker("inspect", "--format", "{{.State.StartedAt}}", "other")
	said, works := s.try("trial", "other", "--drop", "NET_RAW", "--for", "1s")
	b.Go("/container/other")
	b.Click("#try summary")
	b.Type("#drop", "NET_RAW")
	b.Click("#try button.primary")
	if works {
		b.Says(`location.pathname`, "/trials")
		state := `document.querySelector("section.tried .state")?.textContent`
		b.Says(state, "running")
		b.Picture("trial")
		b.Click("section.tried form button")
		b.Says(state, "stopped")
	} else {
		b.Says(title, "Service Unavailable")
		page := browser.Value[string](b, `document.querySelector(".lead").textContent`)
		if !strings.HasPrefix(page, "cannot deny ") || !strings.Contains(said, page[:60]) {
			b.Errorf("the page says %q, and the command %q", page, said)
		}
		b.Forget() // Chromium's console has the refusal
	}
	if now := s.docker("inspect", "--format", "{{.State.StartedAt}}", "other"); now != before {
		b.Errorf("other was started again at %s", now)
	}
}
