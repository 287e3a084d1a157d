package serve

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
)

//go:embed page
var files embed.FS

// templates are parsed when the first page is asked for.
var templates = sync.OnceValues(func() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"visible": render.Visible, "lines": render.VisibleLines,
		"ago":   func(at string) string { return render.Ago(at, time.Now()) },
		"first": func(i int) bool { return i == firstRows },
		"when":  when, "count": printable.Count, "nav": nav, "sorts": sorts,
		"pair": func(first, second any) pair { return pair{first, second} },
	}).ParseFS(files, "page/*.gohtml")
})

// when is a moment for people, in UTC; what is no moment is left as it is.
func when(at string) string {
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return render.Visible(at)
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// page is what every page has; Of is its own.
type page struct {
	Title         string
	Here          string // which entry of the navigation this is
	Host          string
	Engine        string
	Version       string
	Seen          string
	Known         bool // the visitor is
	At            uint64
	Form          string // the session's token
	Changes       bool
	Topics        string // those that, once changed, make parts of the page load again
	Refresh       int    // seconds, for a browser without script; 0: never
	Trouble       trouble
	Message, Hint string
	Work          job // the newest, of all pages
	Of            any

	to    http.ResponseWriter
	flush func() // sends what is written so far
}

// firstRows is how many rows of the overview are sent at once: more than a window shows.
const firstRows = 40

type pair struct{ First, Second any }

// entry is one of a list to choose from.
type entry struct{ Key, At, Name string }

func nav() []entry {
	return []entry{{"overview", "/", "Overview"}, {"evidence", "/evidence", "Evidence"},
		{"trials", "/trials", "Trials"}, {"harden", "/harden", "Hardening"},
		{"history", "/history", "History"},
		{"policy", "/policy", "Policy"}, {"fleet", "/fleet", "Fleet"}}
}

func sorts() []entry {
	return []entry{{Key: "", Name: "newest first"}, {Key: "verdict", Name: "worst first"},
		{Key: "name", Name: "by name"}, {Key: "workload", Name: "by workload"}}
}

// show writes a page of somebody known.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, p page, sc scene) {
	s.stage(&p, r, sc)
	s.write(w, r, http.StatusOK, name, p)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Version, p.to = s.config.Version, w
	t, err := templates()
	var b bytes.Buffer
	begun := false
	p.flush = func() {
		if !begun {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
		}
		begun = true
		_, _ = w.Write(b.Bytes()) // it is the reader's loss
		b.Reset()
	}
	if err == nil {
		err = t.ExecuteTemplate(&b, name, p)
	}
	switch {
	case err == nil:
		p.flush()
	case begun: // the reader sees that the page has no end
		s.config.Log("cannot write the page %s: %v", name, err)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now())
	default:
		http.Error(w, "cannot write this page", http.StatusInternalServerError)
		s.config.Log("cannot write the page %s: %v", name, err)
	}
}

// Flush sends what there is of a long page, so that a browser shows its beginning while the rest is
// on its way. It is called in templates, and writes nothing itself.
func (p page) Flush() string {
	p.flush()
	_ = http.NewResponseController(p.to).Flush()
	return ""
}

// refuse writes a page that says what cannot be, and what would help.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, message, hint string) {
	p := page{Title: http.StatusText(status), Message: message, Hint: hint}
	if who := sessionOf(r); who != nil {
		sc := s.live.scene()
		s.stage(&p, r, sc)
	}
	s.write(w, r, status, "refused", p)
}

// stage fills in what every page of somebody known has.
func (s *Server) stage(p *page, r *http.Request, sc scene) {
	p.Known, p.Changes, p.At, p.Trouble = true, s.config.Changes, sc.version, sc.trouble
	if who := sessionOf(r); who != nil {
		p.Form = who.form
	}
	p.Work, _ = s.work.last()
	h := sc.audit.Host
	p.Host = render.Visible(h.Name)
	p.Engine = render.Visible(strings.TrimSpace(h.Engine.Name + " " + h.Engine.Version))
	p.Seen = sc.audit.Created
}

// failed writes an error of the host as a page.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	e := dropcap.AsError(err)
	status := http.StatusInternalServerError
	switch host.CodeOf(err) {
	case dropcap.CodeHost:
		status = http.StatusServiceUnavailable
	case dropcap.CodeUsage:
		status = http.StatusBadRequest
	}
	s.refuse(w, r, status, render.Visible(e.Message), render.Visible(e.Hint))
}

func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusNotFound, "cannot find a page here", "the overview has all there is")
}

// shown is a text of the request, fit for a page.
func shown(text string) string { return strconv.Quote(render.Visible(text)) }

// style is the audit's page's, and what the pages add.
func style() http.HandlerFunc {
	first, err := render.StyleSheet()
	second, bad := files.ReadFile("page/style.css")
	return served(slices.Concat(first, second), errors.Join(err, bad), "text/css; charset=utf-8")
}

// asset answers with an embedded file.
func asset(name, kind string) http.HandlerFunc {
	text, err := files.ReadFile("page/" + name)
	return served(text, err, kind)
}

func served(text []byte, err error, kind string) http.HandlerFunc {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(text))
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "private, max-age=0, must-revalidate")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	}
}
