// Package browser drives a real Chromium for tests of pages, and notes what a page must not do.
package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"dropcap/internal/testenv"
)

// Tab is one tab of a browser, which ends with the test.
type Tab struct {
	*testing.T
	context.Context
	URL    string // of the server, without a path
	mu     sync.Mutex
	events []string // what a page must not do: errors, warnings, dialogs, requests elsewhere
}

// Action is something that a person does.
type Action = chromedp.Action[chromedp.Void]

// Open starts a browser at a server, whose URL has no path, with the page at path.
func Open(t *testing.T, url, path string) *Tab {
	t.Helper()
	testenv.Need(t, testenv.Chromium)
	own := testenv.ShortFolder(t) // it also has sockets, and leaves them where it is killed
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(own, "profile")), chromedp.Env("TMPDIR="+own),
		chromedp.WindowSize(1360, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	b := &Tab{T: t, URL: url}
	b.Context, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b.watch()
	b.Go(path)
	return b
}

// Another opens one more tab of the same browser.
func (b *Tab) Another(path string) *Tab {
	b.Helper()
	other := &Tab{T: b.T, URL: b.URL}
	ctx, stop := chromedp.NewContext(b.Context)
	b.Cleanup(stop)
	other.Context = ctx
	other.watch()
	other.Go(path)
	return other
}

func (b *Tab) watch() {
	b.Helper()
	err := chromedp.Listen(b.Context, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			b.add("console: " + string(e.Type))
		case *runtime.EventExceptionThrown:
			b.add("exception: " + e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			b.add("log: " + e.Entry.Text)
		case *cdppage.EventJavascriptDialogOpening:
			b.add("dialog: " + e.Message)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, b.URL+"/") {
				b.add("request: " + e.Request.URL)
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}))
}

func (b *Tab) add(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, what)
}

// Quiet reports whether the pages did nothing that they should not; what they did is forgotten.
func (b *Tab) Quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) > 0 {
		b.Errorf("the pages did what they should not:\n%s", strings.Join(b.events, "\n"))
	}
	b.events = nil
}

// Forget forgets what the pages did so far, since it was to be so.
func (b *Tab) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = nil
}

// Go opens a page of the server.
func (b *Tab) Go(path string) {
	b.Helper()
	b.Run(chromedp.Navigate(b.URL + path))
}

func command[P, R any](c cdp.Command[P, R], params P) Action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, c, params)
		return err
	})
}

// Run does what a person does.
func (b *Tab) Run(actions ...Action) {
	b.Helper()
	if err := chromedp.Do(b.Context, actions...); err != nil {
		b.Fatal(err)
	}
}

// Value is what a script in the page says.
func Value[T any](b *Tab, script string) T {
	b.Helper()
	v, err := chromedp.Run(b.Context, chromedp.Evaluate[T](script))
	if err != nil {
		b.Fatalf("%s: %v", script, err)
	}
	return v
}

// Expect waits until a script says what it should.
func Expect[T comparable](b *Tab, script string, want T) {
	b.Helper()
	var got T
	if !testenv.Within(30*time.Second, func() bool {
		v, err := chromedp.Run(b.Context, chromedp.Evaluate[T](script))
		got = v
		return err == nil && got == want // a page that is just loading has no answer
	}) {
		b.Fatalf("%s: %v, want %v\nat %s", script, got, want, Value[string](b,
			`location.href + ": " + document.body.innerText.slice(0, 800)`))
	}
}

// Says waits until a script says a text.
func (b *Tab) Says(script, want string) {
	b.Helper()
	Expect(b, script, want)
}

// Scheme makes the browser prefer a colour scheme, light or dark.
func Scheme(name string) Action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

// Picture saves a picture of the window, where a folder for pictures is named.
func (b *Tab) Picture(name string) {
	b.Helper()
	folder := os.Getenv("DROPCAP_TEST_PICTURES")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(b.Context, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		b.Fatal(err)
	}
}

// Click clicks what a selector names, once it is there.
func (b *Tab) Click(selector string) {
	b.Helper()
	b.Run(chromedp.Click(chromedp.CSS(selector)))
}

// Type types into what a selector names.
func (b *Tab) Type(selector, text string) {
	b.Helper()
	b.Run(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Window gives the window a size.
func (b *Tab) Window(width, height int64) {
	b.Helper()
	b.Run(chromedp.EmulateViewport(width, height))
}

// Paper makes the browser lay pages out as it would print them.
func Paper() Action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
}
