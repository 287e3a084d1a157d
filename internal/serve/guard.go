package serve

import (
	"crypto/subtle"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
)

// The content security policy allows what this server itself sends, and nothing inline, nothing
// from elsewhere, no frame, and no text that becomes markup.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// Access says who may look.
type Access struct {
	// Open lets in whoever can connect: a socket that belongs to its user alone.
	Open bool
	// Token lets in who has it: by a link once, or by a form. Empty: only links do.
	Token string
	// Names reports whether a request may be for this host, of Host and Origin; nil: loopback
	// names only. A name that somebody else's DNS server made point here is refused.
	Names func(name string) bool
	TLS   bool
}

// guard refuses what does not come from a page of this server, or from nobody known, before
// anything else sees it.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers(w.Header(), s.config.Access.TLS)
		switch {
		case !s.named(r.Host):
			s.refuse(w, r, http.StatusMisdirectedRequest, "cannot answer for the host "+
				shown(r.Host), "open the page by the address that dropcap printed")
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead &&
			r.Method != http.MethodPost:
			w.Header().Set("Allow", "GET, HEAD, POST")
			s.refuse(w, r, http.StatusMethodNotAllowed, "cannot do that here", "")
			return
		case !s.ownPage(r):
			s.refuse(w, r, http.StatusForbidden, "cannot do what another site asks",
				"open the page itself, and ask there")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, most(r))
		if public(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		who := s.sessions.of(r)
		if who == nil && s.config.Access.Open && r.Method != http.MethodPost {
			who = s.sessions.begin(w)
		}
		if who == nil {
			s.refuse(w, r, http.StatusUnauthorized, "cannot show anything to somebody unknown",
				s.howToEnter())
			return
		}
		if r.Method == http.MethodPost && !who.vouches(r) {
			s.refuse(w, r, http.StatusForbidden, "cannot take this form: it is not of this session",
				"load the page again, and repeat")
			return
		}
		next.ServeHTTP(w, r.WithContext(withSession(r.Context(), who)))
	})
}

// public reports whether a path shows nothing of the host.
func public(path string) bool {
	switch path {
	case "/link", "/style.css", "/page.js", "/icon.svg", "/metrics": // which asks by itself
		return true
	}
	return false
}

func most(r *http.Request) int64 {
	if r.URL.Path == "/policy" {
		return mostPolicy + mostForm
	}
	return mostForm
}

func headers(h http.Header, tls bool) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if tls {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// named reports whether a request is for this server. Without that check a name that was made to
// point to 127.0.0.1 would have another site's script read this page (DNS rebinding).
func (s *Server) named(hostport string) bool {
	name := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if s.config.Access.Names != nil {
		return s.config.Access.Names(name)
	}
	return Loopback(name)
}

// Loopback reports whether a name is of this machine alone, whatever any DNS server says.
func Loopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// ownPage reports whether a request is not one that another site's page makes. Browsers say so in
// Sec-Fetch-Site and, of a POST, in Origin; a program that sends neither is no browser, and has to
// know the session's secret all the same. Since these pages send no referrer, the Origin of their
// own forms is null (Fetch, "append a request Origin header").
func (s *Server) ownPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if o := r.Header.Get("Origin"); o != "" && (o != "null" || site != "same-origin") {
		u, err := url.Parse(o)
		if err != nil || u.Host != r.Host {
			return false
		}
	}
	if r.Method == http.MethodPost {
		return site == "" || site == "same-origin"
	}
	// A link in a mail or a chat may lead here; a picture or a script of another site may not.
	return site == "" || site == "same-origin" || site == "none" ||
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// limited bounds how many connections are open; others wait to be accepted.
func limited(l net.Listener, most int) net.Listener {
	return &limitedListener{l, make(chan struct{}, most)}
}

type limitedListener struct {
	net.Listener
	room chan struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	l.room <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.room })}, nil
}

type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// quiet drops what net/http has to say of clients that misbehave.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
