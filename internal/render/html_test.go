package render

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"dropcap"
	"dropcap/internal/testenv"
)

// browser starts a real Chromium that ends with the test (chromedp has the kernel kill it if the
// test is killed).
func browser(t *testing.T) context.Context {
	t.Helper()
	testenv.Need(t, testenv.Chromium)
	own := testenv.ShortFolder(t) // it also has sockets, and leaves them where it is killed
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(own, "profile")), chromedp.Env("TMPDIR="+own),
		chromedp.WindowSize(1400, 1000),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	return ctx
}

// pageEvents collects what a page must not do: errors, warnings, dialogs and requests.
type pageEvents struct {
	sync.Mutex
	list []string
}

func (s *pageEvents) add(what string) {
	s.Lock()
	defer s.Unlock()
	s.list = append(s.list, what)
}

func (s *pageEvents) all() []string {
	s.Lock()
	defer s.Unlock()
	return append([]string{}, s.list...)
}

// open loads a document from a file, as the recipient of the file does, and watches it.
func open(t *testing.T, ctx context.Context, doc string) *pageEvents {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.html")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &pageEvents{}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			s.add("console: " + string(e.Type))
		case *runtime.EventExceptionThrown:
			s.add("exception: " + e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			s.add("log: " + e.Entry.Text)
		case *cdppage.EventJavascriptDialogOpening:
			s.add("dialog: " + e.Message)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != "file://"+path {
				s.add("request: " + e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, ctx, command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}),
		chromedp.Navigate("file://"+path), chromedp.WaitVisible(chromedp.CSS("#matrix")))
	return s
}

func command[P, R any](c cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, c, params)
		return err
	})
}

type action = chromedp.Action[chromedp.Void]

func run(t *testing.T, ctx context.Context, actions ...action) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func value[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// expect waits a while: the browser lays out a page again some time after it was scrolled or
// resized.
func expect[T comparable](t *testing.T, ctx context.Context, script string, want T) {
	t.Helper()
	var got T
	if !testenv.Within(5*time.Second, func() bool {
		got = value[T](t, ctx, script)
		return got == want
	}) {
		t.Errorf("%s: %v, want %v", script, got, want)
	}
}

const (
	cellsShown = `[...document.querySelectorAll("#matrix tbody tr")].filter(r => !r.hidden).reduce((n, r) => n + r.cells.length - 1, 0)`
	rowsShown  = `[...document.querySelectorAll("#matrix tbody tr")].filter(r => !r.hidden).length`
	cardsShown = `[...document.querySelectorAll(".card:not(.policy)")].filter(c => !c.hidden).length`
	aboutText  = `document.getElementById("about").textContent`
)

func TestPageInChromium(t *testing.T) {
	ctx := browser(t)
	a := sample()
	watched := open(t, ctx, write(t, "html", a, Options{}))

	t.Run("the matrix has a cell per container and capability", func(t *testing.T) {
		expect(t, ctx, cellsShown, len(a.Containers)*all.Len())
		expect(t, ctx, `document.querySelectorAll("#matrix .caps th").length`, 1+all.Len())
		expect(t, ctx,
			`[...document.querySelectorAll(".groups th")].reduce((n, h) => n + h.colSpan, 0)`,
			all.Len())
		// the privileged one
		expect(t, ctx, `document.querySelectorAll("#matrix tr[data-card=c3] td.f").length`,
			all.Len())
		// the unseen one
		expect(t, ctx, `document.querySelectorAll("#matrix tr[data-card=c6] td.u").length`,
			all.Len())
	})
	t.Run("hostile text stays text", func(t *testing.T) {
		expect(t, ctx, `document.title`, "Capabilities on build-7")
		expect(t, ctx, `document.querySelectorAll("script").length`, 1)
		expect(t, ctx, `document.querySelectorAll("img, iframe, a[href]:not([href^='#'])").length`,
			0)
		expect(t, ctx, `document.querySelector("#c10 .title").textContent`, visible(hostileName))
	})
	t.Run("the keyboard reaches everything", func(t *testing.T) { keyboard(t, ctx) })
	t.Run("the filter and the verdicts hide rows and details", func(t *testing.T) {
		filtering(t, ctx, len(a.Containers))
	})
	t.Run("it works dark, narrow and printed", func(t *testing.T) { media(t, ctx) })
	if list := watched.all(); len(list) > 0 {
		t.Errorf("the page did what it should not:\n%s", strings.Join(list, "\n"))
	}
}

// keyboard navigates as a person without a mouse does: Tab into the grid from the filter, arrows
// within, Enter to the details, Tab on.
func keyboard(t *testing.T, ctx context.Context) {
	// the scroller may be a tab stop of its own
	run(t, ctx, chromedp.Focus(chromedp.CSS("#filter")), chromedp.KeyEvent(kb.Tab))
	if !value[bool](t, ctx, `document.activeElement.closest("#matrix") !== null`) {
		run(t, ctx, chromedp.KeyEvent(kb.Tab))
	}
	expect(t, ctx, aboutText, "web: fail")
	run(t, ctx, chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.ArrowRight))
	column := value[string](t, ctx, `document.activeElement.textContent`)
	run(t, ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown))
	expect(t, ctx, aboutText, "api, "+column+": not held")
	run(t, ctx, chromedp.KeyEvent(kb.End))
	expect(t, ctx, `document.activeElement.cellIndex`, all.Len())
	expect(t, ctx, `document.querySelectorAll("#matrix [tabindex='0']").length`, 1)
	expect(t, ctx, `getComputedStyle(document.activeElement).outlineStyle`, "solid")
	expect(t, ctx, `document.activeElement.getAttribute("aria-label") !== null`, true)
	run(t, ctx, chromedp.KeyEvent(kb.Enter))
	expect(t, ctx,
		`document.activeElement.closest("details").id + document.activeElement.closest("details").open`, "c1true")
}

func filtering(t *testing.T, ctx context.Context, total int) {
	run(t, ctx, chromedp.KeyEvent("/"), chromedp.KeyEvent("WireGuard"))
	expect(t, ctx, rowsShown, 1)
	expect(t, ctx, cardsShown, 1)
	run(t, ctx, chromedp.KeyEvent(kb.Escape))
	expect(t, ctx, rowsShown, total)
	press(t, ctx, ".toggle.fail", "false")
	expect(t, ctx, rowsShown, total-sample().Summary.Fail)
	expect(t, ctx, cardsShown, total-sample().Summary.Fail)
	expect(t, ctx, `document.querySelector(".toggle.fail").getAttribute("aria-pressed")`, "false")
	press(t, ctx, ".toggle.fail", "true")
	expect(t, ctx, rowsShown, total)
}

// press clicks a toggle until it has the wanted state: on a busy machine the page may still be
// moving, so that a click misses it.
func press(t *testing.T, ctx context.Context, toggle, want string) {
	t.Helper()
	script := `document.querySelector("` + toggle + `").getAttribute("aria-pressed")`
	for range 5 {
		run(t, ctx, chromedp.Click(chromedp.CSS(toggle)))
		if testenv.Within(3*time.Second, func() bool {
			return value[string](t, ctx, script) == want
		}) {
			return
		}
	}
	t.Errorf("%s is not %s, however often it is clicked", toggle, want)
}

// media checks what a stylesheet can break: contrast in the dark, a page wider than a phone, a head
// that scrolls away.
func media(t *testing.T, ctx context.Context) {
	const lightness = `(() => { const [r, g, b] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number); return (r + g + b) / 3 < 128 })()`
	expect(t, ctx, lightness, false)
	run(t, ctx, scheme("dark"))
	expect(t, ctx, lightness, true)
	run(t, ctx, scheme("light"), chromedp.EmulateViewport(390, 800))
	expect(t, ctx, `document.documentElement.scrollWidth <= innerWidth`, true)
	value[any](t, ctx, `document.querySelector("#matrix").parentElement.scrollTo(400, 100)`)
	expect(t, ctx,
		`(() => { const s = document.querySelector("#matrix").parentElement.getBoundingClientRect();
		const c = document.querySelector("#matrix tbody th").getBoundingClientRect(); return Math.abs(c.left - s.left) < 3 })()`, true)
	run(t, ctx, chromedp.EmulateViewport(1400, 1000))
	value[any](t, ctx, `dispatchEvent(new Event("beforeprint"))`)
	expect(t, ctx, `document.querySelectorAll("details.card:not([open])").length`, 0)
	value[any](t, ctx, `dispatchEvent(new Event("afterprint"))`)
}

// The watcher and the content security policy work: smuggled content is refused, and noticed.
func TestPageRefusesWhatIsSmuggledIn(t *testing.T) {
	ctx := browser(t)
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		hits.Add(1)
	}))
	defer server.Close()
	doc := strings.Replace(write(t, "html", sample(), Options{}), "</main>",
		`<script>document.title = "owned"</script><img src="`+server.URL+
			`" onerror="document.title = 'owned'"><p style="color: red">x</p></main>`, 1)
	watched := open(t, ctx, doc)
	expect(t, ctx, `document.title`, "Capabilities on build-7")
	list := strings.Join(watched.all(), "\n")
	for _, want := range []string{"script-src", "default-src", "style-src", "request: " +
		server.URL} {
		if !strings.Contains(list, want) {
			t.Errorf("nobody noticed the breach of %s:\n%s", want, list)
		}
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d requests left the page", n)
	}
}

func TestPageOfAThousandContainers(t *testing.T) {
	ctx := browser(t)
	a := sample()
	kinds := a.Containers
	a.Containers = nil
	for i := range 1000 {
		c := kinds[i%len(kinds)]
		c.ID = at(i)
		a.Containers = append(a.Containers, c)
	}
	a.Summary = dropcap.Count(a.Containers)
	doc := write(t, "html", a, Options{})
	start := time.Now() // the limits are loose, for a host that is busy with other tests
	watched := open(t, ctx, doc)
	expect(t, ctx, cellsShown, 1000*all.Len())
	opened := time.Since(start)
	filtered := value[float64](t, ctx,
		`(() => { const f = document.getElementById("filter"), t = performance.now(); f.value = "vpn";
		f.dispatchEvent(new Event("input")); document.body.offsetHeight; return performance.now() - t })()`)
	t.Logf("%d bytes, opened in %v, filtered in %.0f ms", len(doc), opened, filtered)
	expect(t, ctx, rowsShown, 91)
	if opened > 30*time.Second || filtered > 5000 {
		t.Errorf("too slow: opened in %v, filtered in %.0f ms", opened, filtered)
	}
	if list := watched.all(); len(list) > 0 {
		t.Errorf("the page did what it should not:\n%s", strings.Join(list, "\n"))
	}
}

func scheme(name string) action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}
