package serve

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

// tab is one tab of a real Chromium, which ends with the test.
type tab struct {
	*testing.T
	context.Context
	url    string
	mu     sync.Mutex
	events []string // what a page must not do: errors, warnings, dialogs, requests elsewhere
}

type action = chromedp.Action[chromedp.Void]

// browse opens the pages of a server in a browser, by a link.
func browse(t *testing.T, s *stage) *tab {
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
	b := &tab{T: t, url: s.url}
	b.Context, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b.watch()
	b.open(s.server.NewLink())
	b.expect(`location.pathname`, "/")
	return b
}

func (b *tab) watch() {
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
			if !strings.HasPrefix(e.Request.URL, b.url+"/") {
				b.add("request: " + e.Request.URL)
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.run(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}))
}

func (b *tab) add(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, what)
}

// quiet reports whether the pages did nothing that they should not; what they did is forgotten.
func (b *tab) quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) > 0 {
		b.Errorf("the pages did what they should not:\n%s", strings.Join(b.events, "\n"))
	}
	b.events = nil
}

func (b *tab) open(path string) {
	b.Helper()
	b.run(chromedp.Navigate(b.url + path))
}

func command[P, R any](c cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, c, params)
		return err
	})
}

func (b *tab) run(actions ...action) {
	b.Helper()
	if err := chromedp.Do(b.Context, actions...); err != nil {
		b.Fatal(err)
	}
}

func value[T any](b *tab, script string) T {
	b.Helper()
	v, err := chromedp.Run(b.Context, chromedp.Evaluate[T](script))
	if err != nil {
		b.Fatalf("%s: %v", script, err)
	}
	return v
}

// expect waits until a script says what it should.
func expect[T comparable](b *tab, script string, want T) {
	b.Helper()
	var got T
	if !testenv.Within(30*time.Second, func() bool {
		v, err := chromedp.Run(b.Context, chromedp.Evaluate[T](script))
		got = v
		return err == nil && got == want // a page that is just loading has no answer
	}) {
		b.Fatalf("%s: %v, want %v", script, got, want)
	}
}

func (b *tab) expect(script, want string) {
	b.Helper()
	expect(b, script, want)
}

func scheme(name string) action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
}

// picture saves a picture of the whole page, where a folder for pictures is named.
func (b *tab) picture(name string) {
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
