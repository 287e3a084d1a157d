package serve

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/dockertest/fake"
	"dropcap/internal/store"
	"dropcap/internal/testenv"
	"dropcap/internal/testenv/browser"
)

const (
	engineNotice = `document.querySelector("#notices [data-of=engine]")`
	pulseClass   = `document.querySelector("#pulse").className`
)

// An engine that fails, or hangs, is told of, what was seen stays, and the page comes back by
// itself.
func TestAnEngineThatIsAwayComesBack(t *testing.T) {
	for name, fault := range map[string]fake.Fault{"fails": {Status: 500}, "hangs": {Hang: true}} {
		t.Run(name, func(t *testing.T) {
			e := town(t)
			s := start(t, e, false).seen()
			b := s.browse()
			browser.Expect(b, engineNotice+".hidden", true)
			e.Misbehave(fault)
			e.CutEvents(true)
			browser.Expect(b, engineNotice+".hidden", false)
			browser.Expect(b, engineNotice+`.textContent.includes("cannot ")`, true)
			browser.Expect(b, `document.querySelectorAll("#matrix tbody tr").length`, 6)
			b.Picture("away")
			e.Behave()
			e.Add(fake.Container{Name: "since", Created: time.Now()})
			browser.Expect(b, engineNotice+".hidden", true)
			b.Says(firstName, "since")
			b.Quiet()
		})
	}
}

// A page that was open while the server was started again says that it is not let in, and a new
// link mends it.
func TestAServerThatIsStartedAgain(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	b.Says(pulseClass, "pulse live")
	address := strings.TrimPrefix(s.url, "http://")
	s.end()
	b.Says(pulseClass, "pulse lost")
	s.open(false, address)
	s.seen()
	b.Says(`document.querySelector("h1")?.textContent`, "Unauthorized")
	browser.Expect(b, `document.body.textContent.includes("prints a link")`, true)
	b.Go(s.server.NewLink())
	b.Says(`location.pathname`, "/")
	b.Says(pulseClass, "pulse live")
}

// A browser opens few connections to one server: a hundred tabs share one stream.
func TestManyTabsShareAStream(t *testing.T) {
	s := start(t, town(t), false).seen()
	b := s.browse()
	b.Says(pulseClass, "pulse live")
	for range 8 { // more than a browser has connections
		other := b.Another("/history")
		other.Says(pulseClass, "pulse live")
	}
	if n := s.server.streams.Load(); n != 1 {
		t.Errorf("%d streams", n)
	}
}

// Readers that do not read cost nothing but their connection, and keep nobody else waiting.
func TestSlowReaders(t *testing.T) {
	s := start(t, town(t), false).seen()
	v := s.visitor()
	at, _ := url.Parse(s.url)
	for range 100 {
		c, err := net.Dial("tcp", at.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /events?since=0 HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", at.Host,
			cookie(v))
	}
	if !testenv.Within(30*time.Second, func() bool { return s.server.streams.Load() == 100 }) {
		t.Fatalf("%d streams", s.server.streams.Load())
	}
	for i := range 200 {
		s.engine.Add(fake.Container{Name: fmt.Sprintf("storm%d", i)})
		s.engine.Emit(fmt.Sprintf("storm%d", i), "create", nil)
	}
	if !testenv.Within(30*time.Second, func() bool {
		return len(s.server.live.scene().rows) == 206
	}) {
		t.Errorf("%d rows", len(s.server.live.scene().rows))
	}
	began := time.Now()
	if status, _ := v.get("/"); status != http.StatusOK || time.Since(began) > 20*time.Second {
		t.Errorf("the page: %d after %v", status, time.Since(began))
	}
}

func cookie(v *visitor) string {
	at, _ := url.Parse(v.url)
	for _, c := range v.http.Jar.Cookies(at) {
		return c.Name + "=" + c.Value
	}
	return ""
}

// A change elsewhere is shown, and is no error.
func TestAChangeElsewhereIsShown(t *testing.T) {
	s := start(t, town(t), true).seen()
	kept, err := store.Open(s.store)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	unlock, err := kept.Lock("change")
	if err != nil {
		t.Fatal(err)
	}
	b := s.browse()
	const busy = `document.querySelector("#notices [data-of=busy]")`
	browser.Expect(b, busy+".hidden", false)
	browser.Expect(b, busy+fmt.Sprintf(`.textContent.includes("process %d")`, os.Getpid()), true)
	if status, text := s.visitor().get("/history"); status != 200 {
		t.Errorf("the history meanwhile: %d %s", status, text)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	browser.Expect(b, busy+".hidden", true)
	b.Quiet()
}

// Without an engine from the start the page says so; it has what there is once one is there.
func TestNoEngineAtAll(t *testing.T) {
	e := town(t)
	e.Misbehave(fake.Fault{Status: 500})
	s := start(t, e, false)
	b := s.browse()
	browser.Expect(b, engineNotice+".hidden", false)
	browser.Expect(b, `document.querySelectorAll("#matrix tbody tr").length`, 0)
	e.Behave()
	browser.Expect(b, `document.querySelectorAll("#matrix tbody tr").length`, 6)
}

// Where the store's disk is full the pages show all there is.
func TestLookingOnAFullDisk(t *testing.T) {
	disk := testenv.SmallDisk(t, "2m")
	kept, err := store.Open(filepath.Join(disk, "store"))
	if err != nil {
		t.Fatal(err)
	}
	kept.Close()
	testenv.Fill(t, filepath.Join(disk, "full"))
	s := &stage{T: t, engine: town(t), store: filepath.Join(disk, "store"),
		level: dropcap.LevelCIS}
	s.open(true, "127.0.0.1:0")
	v := s.seen().visitor()
	for _, path := range []string{"/", "/container/web", "/history", "/evidence", "/trials",
		"/harden", "/policy", "/metrics"} {
		if status, text := v.get(path); status != 200 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if s := s.server.live.scene(); s.Store != "" || len(s.rows) != 6 {
		t.Errorf("%d rows, and %q", len(s.rows), s.Store)
	}
}

// A link that nobody used in time is none.
func TestALinkExpires(t *testing.T) {
	s := start(t, town(t), false).seen()
	link := s.server.NewLink()
	s.server.sessions.Lock()
	for k := range s.server.sessions.links {
		s.server.sessions.links[k] = time.Now().Add(-time.Second)
	}
	s.server.sessions.Unlock()
	v := &visitor{stage: s, http: &http.Client{}}
	if status, text := v.get(link); status != 401 || !strings.Contains(text, "too old") {
		t.Errorf("an old link: %d", status)
	}
}
