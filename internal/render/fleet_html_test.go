package render

import (
	"strings"
	"testing"
)

func TestPageOfAFleetInChromium(t *testing.T) {
	ctx := browser(t)
	watched := open(t, ctx, fleetAs(t, "html", sampleFleet(t), Options{}))
	choose := func(host string) string {
		return `(() => { const h = document.getElementById("host"); h.value = "` + host +
			`"; h.dispatchEvent(new Event("change")); return h.value })()`
	}
	expect(t, ctx, `document.title`, "Capabilities on 3 hosts")
	expect(t, ctx, rowsShown, 15)
	expect(t, ctx, `document.querySelectorAll("#host option").length`, 4)
	expect(t, ctx, `document.querySelectorAll("#failures details").length`, 3)
	expect(t, ctx, `document.querySelectorAll("script").length`, 1)
	expect(t, ctx, `document.querySelectorAll("img, iframe, a[href]:not([href^='#'])").length`, 0)
	expect(t, ctx, choose("i-00000000000000002"), "i-00000000000000002")
	expect(t, ctx, rowsShown, 2)
	expect(t, ctx,
		`[...document.querySelectorAll("#details .card[id]")].filter(c => !c.hidden).length`, 2)
	expect(t, ctx, choose(""), "")
	expect(t, ctx, rowsShown, 15)
	expect(t, ctx,
		`(() => { const f = document.getElementById("filter"); f.value = "web-1"; f.dispatchEvent(new Event("input")); return true })()`, true)
	expect(t, ctx, rowsShown, 2) // by the computer's own name
	expect(t, ctx,
		`document.querySelector("#matrix tbody tr:not([hidden]) td").getAttribute("aria-label").startsWith("web on i-00000000000000001, ")`, true)
	if list := watched.all(); len(list) > 0 {
		t.Errorf("the page did what it should not:\n%s", strings.Join(list, "\n"))
	}
}
