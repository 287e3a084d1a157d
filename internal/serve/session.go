package serve

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

// session is one browser that was let in.
type session struct {
	key  string // in its cookie
	form string // in each of its forms
	seen time.Time
}

// sessions are kept in memory: a restart ends them, and nothing of them is on a disk.
type sessions struct {
	sync.Mutex
	tls   bool
	all   map[[32]byte]*session // by the hash of the key
	links map[[32]byte]time.Time
}

const (
	sessionAge   = 12 * time.Hour // without a request
	linkAge      = 15 * time.Minute
	mostSessions = 200
	cookieName   = "dropcap"
)

func newSessions(tls bool) *sessions {
	return &sessions{tls: tls, all: map[[32]byte]*session{}, links: map[[32]byte]time.Time{}}
}

func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// NewLink returns the path and query of a link that lets one browser in, once and soon.
func (s *Server) NewLink() string {
	key := secret()
	s.sessions.Lock()
	defer s.sessions.Unlock()
	s.sessions.links[sha256.Sum256([]byte(key))] = time.Now().Add(linkAge)
	return "/link?key=" + key
}

// use reports whether a link is good, which it then is no more.
func (t *sessions) use(key string) bool {
	t.Lock()
	defer t.Unlock()
	h := sha256.Sum256([]byte(key))
	until, ok := t.links[h]
	delete(t.links, h)
	return ok && time.Now().Before(until)
}

// begin lets a browser in.
func (t *sessions) begin(w http.ResponseWriter) *session {
	s := &session{key: secret(), form: secret(), seen: time.Now()}
	t.Lock()
	defer t.Unlock()
	for len(t.all) >= mostSessions {
		t.dropOldest()
	}
	t.all[sha256.Sum256([]byte(s.key))] = s
	http.SetCookie(w, &http.Cookie{Name: t.cookie(), Value: s.key, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: t.tls})
	return s
}

// cookie is the name of the cookie. With __Host- no other host and no page without TLS can set it.
func (t *sessions) cookie() string {
	if t.tls {
		return "__Host-" + cookieName
	}
	return cookieName
}

func (t *sessions) dropOldest() {
	var oldest [32]byte
	var at time.Time
	for k, s := range t.all {
		if at.IsZero() || s.seen.Before(at) {
			oldest, at = k, s.seen
		}
	}
	delete(t.all, oldest)
}

// of returns the session of a request; nil if it has none.
func (t *sessions) of(r *http.Request) *session {
	for _, c := range r.Cookies() {
		if c.Name != t.cookie() {
			continue
		}
		h := sha256.Sum256([]byte(c.Value))
		t.Lock()
		s := t.all[h]
		if s != nil && time.Since(s.seen) > sessionAge {
			delete(t.all, h)
			s = nil
		}
		if s != nil {
			s.seen = time.Now()
		}
		t.Unlock()
		if s != nil {
			return s
		}
	}
	return nil
}

// vouches reports whether a form is of this session (CSRF).
func (s *session) vouches(r *http.Request) bool {
	given := r.PostFormValue("form")
	return given != "" && same(given, s.form)
}

type sessionKey struct{}

func withSession(ctx context.Context, s *session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

func sessionOf(r *http.Request) *session {
	s, _ := r.Context().Value(sessionKey{}).(*session)
	return s
}

// link lets a browser in by a link, and takes the key out of its address. Without a key it shows
// the form for a token, where there is one.
func (s *Server) link(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	switch {
	case key != "" && s.sessions.use(key):
		s.enter(w, r)
	case key == "" && s.config.Access.Token != "":
		s.write(w, r, http.StatusOK, "login", page{Title: "Who is there?"})
	case s.sessions.of(r) != nil || s.config.Access.Open:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		s.refuse(w, r, http.StatusUnauthorized,
			"cannot let anybody in by this link: it was used, or is too old", s.howToEnter())
	}
}

// login lets a browser in by the server's token.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	token := s.config.Access.Token
	if token == "" || !same(r.PostFormValue("token"), token) {
		pause(r.Context(), time.Second) // each guess
		s.refuse(w, r, http.StatusUnauthorized, "cannot let anybody in by this token: it is wrong",
			s.howToEnter())
		return
	}
	s.enter(w, r)
}

func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	s.sessions.begin(w)
	// The browser would keep a Strict cookie back from a redirect that began on another site, or in
	// a terminal; so the way in ends with a page, which goes on by itself.
	w.Header().Set("Refresh", "0; url=/")
	s.write(w, r, http.StatusOK, "entered", page{Title: "Welcome"})
}

func (s *Server) howToEnter() string {
	if s.config.Access.Token != "" {
		return "open /link and give the token, or have dropcap serve print a link"
	}
	return "start dropcap serve again: it prints a link that lets one browser in"
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
