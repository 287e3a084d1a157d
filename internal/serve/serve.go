// Package serve is the shell that speaks HTTP: pages that show what containers hold and need, live,
// and that change them under a person's eyes. It stands on internal/host as the command line does.
// It decides nothing about containers, runs no program that a request names, asks nobody but its
// host, and shows nothing to whom it does not know.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"dropcap"
	"dropcap/internal/host"
)

// Config configures a Server.
type Config struct {
	// Host returns the host, with an observer of its own for each request that changes something.
	Host func(host.Observer) *host.Host
	// Policy returns the policy of a look, which may be another one each time.
	Policy func() (dropcap.Policy, error)
	// Fleet is the controller's runs; nil: there is none.
	Fleet Fleet
	// Changes allows requests that change containers.
	Changes bool
	// Access says who may look.
	Access  Access
	Version string // of dropcap
	// Log is told what a person at the terminal should know; nil: nobody is.
	Log func(format string, args ...any)
}

// Server is the pages of one host.
type Server struct {
	config   Config
	sessions *sessions
	live     *live
	work     *work
	plans    *plans
	trials   *trials
	looking  chan struct{} // bounds the looks that requests cause
	streams  atomic.Int32  // of events, that are open
	mux      *http.ServeMux
}

// Limits, so that whoever may connect cannot use up the host.
const (
	mostConnections = 512
	mostLooks       = 2
	mostHeader      = 16 << 10
	mostForm        = 64 << 10
	mostPolicy      = 1 << 20
	headerTime      = 10 * time.Second
	bodyTime        = 30 * time.Second
	answerTime      = 2 * time.Minute
	idleTime        = 2 * time.Minute
)

// New returns a server. It asks the host nothing before Serve.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	s := &Server{
		config: c, sessions: newSessions(c.Access.TLS), live: newLive(), plans: &plans{},
		trials:  newTrials(),
		looking: make(chan struct{}, mostLooks),
	}
	s.work = &work{live: s.live}
	s.mux = s.routes()
	return s
}

// Serve answers on the listener until the context ends, and follows the host meanwhile. A change
// under way is finished or rolled back before it returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { s.follow(following) })
	web := &http.Server{
		Handler: s.guard(s.mux), ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime,
		WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: mostHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    quiet(),
	}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(limited(l, mostConnections)) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	stop()
	s.work.end()
	s.trials.end()
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if web.Shutdown(closing) != nil {
		web.Close()
	}
	wg.Wait()
	if err == nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return dropcap.Errorf(dropcap.CodeError, "", "cannot go on serving: %w", err)
}

func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", s.overview)
	m.HandleFunc("GET /rows", s.rows)
	m.HandleFunc("GET /events", s.events)
	m.HandleFunc("GET /container/{name}", s.container)
	m.HandleFunc("GET /container/{name}/plan", s.planOne)
	m.HandleFunc("POST /apply", s.apply)
	m.HandleFunc("GET /work/{number}", s.working)
	m.HandleFunc("POST /work/{number}/stop", s.stop)
	m.HandleFunc("GET /history", s.history)
	m.HandleFunc("GET /history/{id}", s.change)
	m.HandleFunc("POST /history/{id}/backout", s.backout)
	m.HandleFunc("GET /evidence", s.evidence)
	m.HandleFunc("GET /policy", s.policyPage)
	m.HandleFunc("POST /policy", s.policyCheck)
	m.HandleFunc("GET /trials", s.trialsPage)
	m.HandleFunc("POST /container/{name}/trial", s.try)
	m.HandleFunc("POST /trials/{id}/stop", s.stopTrial)
	m.HandleFunc("GET /harden", s.hardenings)
	m.HandleFunc("POST /harden", s.wish)
	m.HandleFunc("POST /container/{name}/harden", s.harden)
	m.HandleFunc("GET /fleet", s.fleetPage)
	m.HandleFunc("GET /fleet/{id}", s.run)
	m.HandleFunc("GET /metrics", s.metrics)
	m.HandleFunc("GET /style.css", style())
	m.HandleFunc("GET /page.js", asset("page.js", "text/javascript; charset=utf-8"))
	m.HandleFunc("GET /icon.svg", asset("icon.svg", "image/svg+xml"))
	m.HandleFunc("GET /link", s.link)
	m.HandleFunc("POST /link", s.login)
	m.HandleFunc("/", s.nothing)
	return m
}
