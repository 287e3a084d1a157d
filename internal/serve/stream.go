package serve

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dropcap"
)

// news is what is newer than a version, in one message.
type news struct {
	Version uint64 `json:"version"`
	// Again says that the reader has to load all again: it has other columns, or missed too much.
	Again   bool             `json:"again,omitempty"`
	Rows    []*row           `json:"rows,omitempty"`
	Gone    []string         `json:"gone,omitempty"` // ids
	Order   []string         `json:"order,omitempty"`
	Summary *dropcap.Summary `json:"summary,omitempty"`
	Trouble *trouble         `json:"trouble,omitempty"`
	Topics  []string         `json:"topics,omitempty"`
	Lines   []line           `json:"lines,omitempty"`
}

// since returns what is newer than a version.
func (v *live) since(version uint64) news {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := news{Version: v.version}
	if version > v.version || version < v.columns {
		n.Again = true
		return n
	}
	for _, c := range v.audit.Containers {
		if r := v.rows[c.ID]; r.version > version {
			n.Rows = append(n.Rows, r)
		}
	}
	if len(v.gone) == mostGone && v.gone[0].version > version {
		n.Again = true
		return n
	}
	for _, g := range v.gone {
		if g.version > version && v.rows[g.id] == nil {
			n.Gone = append(n.Gone, g.id)
		}
	}
	if len(n.Rows)+len(n.Gone) > 0 {
		summary := v.audit.Summary
		n.Summary = &summary
	}
	if v.troubled > version {
		t := v.trouble
		n.Trouble = &t
	}
	for _, t := range slices.Sorted(maps.Keys(v.topics)) {
		if v.topics[t] > version {
			n.Topics = append(n.Topics, t)
		}
	}
	for _, l := range v.lines {
		if l.version > version {
			n.Lines = append(n.Lines, l)
		}
	}
	return n
}

const (
	// together is how long after a message the next one waits, so that a storm is few of them.
	together = 40 * time.Millisecond
	// alive is how often a stream says that it is there.
	alive = 15 * time.Second
	// slow is how long a reader may take for a message before it is cut off; it may come again.
	slow = 10 * time.Second
)

// events streams news until the reader goes away. A reader that is slow gets what is true when it
// reads on, and nothing is kept for it meanwhile.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		version, _ = strconv.ParseUint(r.URL.Query().Get("since"), 10, 64)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // no body is to come
	s.streams.Add(1)
	defer s.streams.Add(-1)
	beat := time.NewTicker(alive)
	defer beat.Stop()
	send := func(text string) bool {
		_ = c.SetWriteDeadline(time.Now().Add(slow))
		_, err := w.Write([]byte(text))
		return err == nil && c.Flush() == nil
	}
	if !send("retry: 1000\n\n") {
		return
	}
	for {
		now, changed := s.live.wait()
		if now != version {
			n := s.live.since(version)
			text, err := json.Marshal(n)
			if err != nil || !send(fmt.Sprintf("id: %d\ndata: %s\n\n", n.Version, text)) {
				return
			}
			version = n.Version
			pause(r.Context(), together)
		}
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			if !send(": alive\n\n") {
				return
			}
		case <-changed:
		}
	}
}

// rows answers with what is newer than a version, once: for a page that was out of touch.
func (s *Server) rows(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.ParseUint(r.URL.Query().Get("since"), 10, 64)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, "cannot tell since when", "")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.live.since(version)) // it is the reader's loss
}
