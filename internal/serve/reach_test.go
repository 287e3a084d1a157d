package serve

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"dropcap/internal/testenv/browser"
)

// everyPage are the pages that everybody has to be able to use.
var everyPage = []string{"/", "/container/web", "/container/agent", "/container/web/plan",
	"/evidence", "/trials", "/history", "/policy", "/harden", "/fleet",
	"/container/none"}

// Everybody can use the pages: what axe-core calls landmarks, labels, names, headings, tables,
// unique ids and references is there, and each text has the contrast of WCAG 2.1 AA, by light and
// by dark; nothing is wider than a phone but what scrolls by itself. (axe-core itself is to be had
// neither as a Go module nor as a package of Debian.)
func TestEverybodyCanUseThePages(t *testing.T) {
	checks, err := os.ReadFile("testdata/reach.js")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, town(t), true).seen()
	b := s.browse()
	for _, look := range []string{"light", "dark"} {
		b.Run(browser.Scheme(look))
		for _, path := range everyPage {
			b.Go(path)
			if wrong := browser.Value[string](b, string(checks)); wrong != "" {
				t.Errorf("%s, %s:\n%s", path, look, wrong)
			}
		}
	}
	b.Window(390, 800)
	for _, path := range everyPage {
		b.Go(path)
		if wide := browser.Value[string](b, `document.documentElement.scrollWidth <= innerWidth ? "" :
			[...document.querySelectorAll("main *")].filter(e => !e.closest(".scroll, pre") &&
			e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90)).join("\n") ||
			"the page"`); wide != "" {
			t.Errorf("%s is wider than a phone:\n%s", path, wide)
		}
	}
	b.Go("/")
	b.Picture("phone")
}

// The check itself finds what is wrong.
func TestTheReachCheckFindsEachMistake(t *testing.T) {
	checks, err := os.ReadFile("testdata/reach.js")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, town(t), true).seen()
	b := s.browse()
	for says, mistake := range map[string]string{
		"no label":  `document.querySelector("main").append(document.createElement("input"))`,
		"no name":   `document.querySelector("main").append(document.createElement("button"))`,
		"twice":     `document.querySelector("footer").id = "main"`,
		"h1":        `document.querySelector("main").append(document.createElement("h1"))`,
		"heading":   `document.querySelector("main").append(document.createElement("h5"))`,
		"contrast":  `document.querySelector("h1").style.color = "#ddd"`,
		"scope":     `document.querySelector("#matrix thead th").removeAttribute("scope")`,
		"refers to": `document.querySelector("main").setAttribute("aria-labelledby", "nothing")`,
	} {
		b.Go("/")
		browser.Value[any](b, mistake)
		if wrong := browser.Value[string](b, string(checks)); !strings.Contains(wrong, says) {
			t.Errorf("%s is not found: %q", says, wrong)
		}
	}
}

// A person without a mouse gets from the first tab stop to a container.
func TestTheKeyboardReachesEverything(t *testing.T) {
	s := start(t, town(t), true).seen()
	b := s.browse()
	const focused = `document.activeElement.textContent.trim() || document.activeElement.id`
	b.Run(chromedp.KeyEvent(kb.Tab))
	b.Says(focused, "Skip to the content")
	b.Run(chromedp.KeyEvent(kb.Enter))
	b.Says(`document.activeElement.id`, "main")
	b.Says(`document.documentElement.className`, "js")
	b.Run(chromedp.KeyEvent("/"), chromedp.KeyEvent("vpn"))
	browser.Expect(b, `[...document.querySelectorAll("#matrix tbody tr")].filter(r => !r.hidden).length`,
		1)
	b.Says(`location.search`, "?filter=vpn")
	for range 6 { // past the order, and the scroller where that is a tab stop
		b.Run(chromedp.KeyEvent(kb.Tab))
		if browser.Value[bool](b, `document.activeElement.closest("#matrix") !== null`) {
			break
		}
	}
	b.Run(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight))
	b.Says(`document.activeElement.getAttribute("aria-label")?.split(",")[0] ??
		document.activeElement.outerHTML.slice(0, 100)`, "vpn")
	b.Run(chromedp.KeyEvent(kb.Enter))
	b.Says(`location.pathname`, "/container/vpn")
	b.Quiet()
}

// Without script the pages show the same, filtered and sorted by the server.
func TestPagesWithoutScript(t *testing.T) {
	s := start(t, town(t), true).seen()
	v := s.visitor()
	for query, want := range map[string][]string{
		"":                          {"cache", "agent", "hard", "vpn", "db", "web"},
		"?filter=nginx":             {"web"},
		"?sort=name":                {"agent", "cache", "db", "hard", "vpn", "web"},
		"?sort=verdict&filter=fail": {"agent", "vpn", "web"},
		"?verdict=pass&sort=name":   {"cache", "db", "hard"},
	} {
		_, text := v.get("/" + query)
		var got []string
		for part := range strings.SplitSeq(text, `<a href="/container/`) {
			if name, _, ok := strings.Cut(part, `">`); ok && !strings.Contains(name, "<") {
				got = append(got, name)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s shows %v, want %v", query, got, want)
		}
	}
}

// On paper is what there is to read, and no more: no navigation, no forms, nothing folded or cut.
func TestPagesOnPaper(t *testing.T) {
	s := start(t, town(t), true).seen()
	b := s.browse()
	b.Go("/container/web")
	b.Says(`document.documentElement.className`, "js")
	b.Run(browser.Paper())
	for _, hidden := range []string{"nav", ".ask", ".copy", ".actions"} {
		browser.Expect(b, `[...document.querySelectorAll("`+hidden+
			`")].every(e => getComputedStyle(e).display === "none" || !e.checkVisibility())`, true)
	}
	browser.Value[any](b, `dispatchEvent(new Event("beforeprint"))`)
	browser.Expect(b, `document.querySelectorAll("details:not([open])").length`, 0)
}
