package serve

import (
	"net/http"
	"strings"
	"time"

	"dropcap/internal/host"
	"dropcap/internal/metrics"
)

// mayScrape reports whether a request for metrics comes from somebody who may see them: a program
// has no cookie, but the server's token, or the socket.
func (s *Server) mayScrape(r *http.Request) bool {
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token := s.config.Access.Token
	return s.config.Access.Open || bearer && token != "" && same(given, token) ||
		s.sessions.of(r) != nil
}

// metrics answers Prometheus, with what was seen last.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if !s.mayScrape(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.refuse(w, r, http.StatusUnauthorized, "cannot show metrics to somebody unknown",
			"scrape the unix socket, or send the token of --token-file")
		return
	}
	sc := s.live.scene()
	up := sc.seen && sc.Engine == ""
	state := metrics.State{Version: s.config.Version, Now: time.Now(), EngineUp: &up}
	if sc.seen {
		state.Audit, state.Policy, state.Took = &sc.audit, &sc.policy, sc.took
	}
	h := s.asking()
	if h.StoreStamp() != "" { // else there is nothing, and no store is made for it
		if doc, err := h.Evidence(r.Context(), host.EvidenceRequest{}); err == nil {
			state.Evidence = &doc.Workloads
		}
		if doc, err := h.History(r.Context(), host.HistoryRequest{}); err == nil {
			state.Changes = &doc.Changes
		}
		if doc, err := h.Trials(r.Context()); err == nil {
			state.Trials = &doc.Trials
		}
		if doc, err := h.Hardenings(r.Context(), nil); err == nil {
			state.Hardenings = &doc.Hardenings
		}
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	_ = metrics.Write(w, state) // it is the reader's loss
}
