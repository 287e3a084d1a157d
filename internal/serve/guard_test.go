package serve

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dropcap/internal/dockertest/fake"
)

// Whoever is not known sees nothing of the host, wherever he asks.
func TestNobodyUnknownSeesAnything(t *testing.T) {
	s := start(t, town(t), true).seen()
	v := &visitor{stage: s, http: &http.Client{}}
	for _, path := range []string{"/", "/rows?since=0", "/events", "/container/web", "/history",
		"/evidence", "/container/web/plan", "/work/1", "/nothing"} {
		status, text := v.get(path)
		if status != http.StatusUnauthorized || strings.Contains(text, "nginx") ||
			strings.Contains(text, "fake") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _ := v.post("/apply", url.Values{"form": {"x"}}); status != 401 {
		t.Errorf("a form of somebody unknown: %d", status)
	}
}

func TestALinkLetsInOnce(t *testing.T) {
	s := start(t, town(t), false).seen()
	link := s.server.NewLink()
	v := s.visitor()
	first := &visitor{stage: s, http: &http.Client{}}
	if status, text := first.get(link); status != 200 || strings.Contains(text, link[10:]) {
		t.Errorf("the link: %d, or its key stands on the page", status)
	}
	if status, _ := first.get(link); status != 401 {
		t.Errorf("the link once more: %d", status)
	}
	if status, _ := first.get("/link?key=wrong"); status != 401 {
		t.Errorf("a wrong link: %d", status)
	}
	if status, text := v.get("/"); status != 200 || !strings.Contains(text, "nginx:1.27") {
		t.Errorf("the page of one who was let in: %d", status)
	}
}

// What other sites can make a browser send is refused, although the browser adds its cookie.
func TestOtherSitesCanDoNothing(t *testing.T) {
	s := start(t, town(t), true).seen()
	v := s.visitor()
	for name, c := range map[string]struct {
		method string
		header http.Header
		form   string
		status int
	}{
		"another name that points here": {"GET", http.Header{"Host": {"evil.example:80"}}, "", 421},
		"a longer name": {"GET", http.Header{
			"Host": {"localhost.evil.example"}}, "", 421},
		"a picture elsewhere": {"GET", http.Header{"Sec-Fetch-Site": {"cross-site"},
			"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}}, "", 403},
		"a frame elsewhere": {"GET", http.Header{"Sec-Fetch-Site": {"cross-site"},
			"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}, "", 403},
		"another port of this machine": {"GET", http.Header{"Sec-Fetch-Site": {"same-site"},
			"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}, "", 403},
		"a link elsewhere": {"GET", http.Header{"Sec-Fetch-Site": {"cross-site"},
			"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, "", 200},
		"a form of another origin": {"POST", http.Header{"Origin": {"https://evil.example"}},
			v.form, 403},
		"a form of no origin": {"POST", http.Header{"Origin": {"null"}}, v.form, 403},
		"a form of this page, in a browser": {"POST", http.Header{"Origin": {"null"},
			"Sec-Fetch-Site": {"same-origin"}}, v.form, 409},
		"a form that another site sends": {"POST", http.Header{"Sec-Fetch-Site": {"cross-site"}},
			v.form, 403},
		"a form without the session's secret": {"POST", nil, "guessed", 403},
		"a form of this page": {"POST", http.Header{"Origin": {s.url}},
			v.form, 409},
		"another verb": {"DELETE", nil, "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			path, form := "/", url.Values(nil)
			if c.method == "POST" {
				path, form = "/apply", url.Values{"form": {c.form}, "plan": {"none"}}
			}
			if status, text := v.do(c.method, path, form, c.header); status != c.status {
				t.Errorf("%d, want %d: %s", status, c.status, text)
			}
		})
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := start(t, town(t), false).seen()
	v := s.visitor()
	for _, path := range []string{"/", "/style.css", "/page.js", "/icon.svg", "/rows?since=0",
		"/container/none", "/link?key=x"} {
		answer, err := v.http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		for name, want := range map[string]string{"Content-Security-Policy": contentPolicy,
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer"} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	for _, word := range []string{"unsafe", "*", "data:", "http"} {
		if strings.Contains(contentPolicy, word) {
			t.Errorf("the content security policy has %q", word)
		}
	}
}

func TestAServerThatOnlyShowsChangesNothing(t *testing.T) {
	e := town(t)
	s := start(t, e, false).seen()
	v := s.visitor()
	for _, path := range []string{"/apply", "/history/0123456789ab/backout"} {
		if status, text := v.post(path, nil); status != 403 ||
			!strings.Contains(text, "--allow-changes") {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, r := range e.Requests() {
		if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") {
			t.Errorf("the engine was asked to %s", r)
		}
	}
}

// What a form asks is read strictly, before the host is asked anything.
func TestFormsAreReadStrictly(t *testing.T) {
	s := start(t, town(t), true).seen()
	v := s.visitor()
	for path, form := range map[string]url.Values{
		"/container/web/trial":   {"hours": {"24"}, "drop": {"NET_RAW; rm"}},
		"/container/web/trial?":  {"hours": {"0"}},
		"/container/web/trial?x": {"hours": {"NaN"}},
		"/container/web/trial?y": {"hours": {"1e9"}},
		"/work/1/stop":           {}, "/apply": {"plan": {""}}, "/history/0123456789ab/backout": {},
		"/container/none/harden": {},
	} {
		if status, text := v.post(path, form); status < 400 || status >= 500 ||
			!strings.Contains(text, "cannot ") {
			t.Errorf("%s with %v: %d", path, form, status)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	s := start(t, town(t), true).seen()
	v := s.visitor()
	long := url.Values{"plan": {strings.Repeat("x", 1<<20)}}
	if status, _ := v.post("/apply", long); status < 400 {
		t.Errorf("a form of a MiB: %d", status)
	}
	r, _ := http.NewRequest("GET", s.url+"/", nil)
	r.Header.Set("X-Long", strings.Repeat("x", 1<<20))
	answer, err := v.http.Do(r)
	if err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of a MiB: %d", answer.StatusCode)
		}
	}
}

// Beyond this machine there is no listening without TLS and a token.
func TestWhereItListens(t *testing.T) {
	for address, says := range map[string]string{
		"0.0.0.0:0": "beyond this machine", ":0": "beyond this machine",
		"192.0.2.1:80": "beyond this machine", "[::]:0": "beyond this machine",
		"nonsense": "no address", "example.com:80": "beyond this machine",
	} {
		l, err := Listen(Where{Address: address})
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0"} {
		l, err := Listen(Where{Address: address})
		if err != nil && !strings.Contains(err.Error(), "assign requested address") {
			t.Errorf("%s: %v", address, err)
		}
		if err == nil {
			l.Close()
		}
	}
	_, err := Listen(Where{Address: "0.0.0.0:0", CertFile: "c", KeyFile: "k"})
	if err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("TLS without a token: %v", err)
	}
}

const hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m"

// Names, images and workloads of containers are text, on every page.
func TestHostileTextStaysText(t *testing.T) {
	e := fake.Start(t, fake.Options{})
	id := e.Add(fake.Container{Name: hostile, Image: hostile, User: hostile,
		Labels: map[string]string{"com.docker.compose.project": hostile,
			"com.docker.compose.service": hostile}})
	s := start(t, e, true).seen()
	v := s.visitor()
	for _, path := range []string{"/", "/container/" + id, "/container/" + id + "/plan",
		"/container/" + url.PathEscape(hostile), "/?filter=" + url.QueryEscape(hostile)} {
		status, text := v.get(path)
		if status != 200 && status != 404 {
			t.Errorf("%s: %d", path, status)
		}
		for _, bad := range []string{"<script>alert", "<img", "\u202e", "\x1b"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	if _, text := v.get("/rows?since=0"); strings.Contains(text, "<script>") {
		t.Errorf("the rows have markup")
	}
}
