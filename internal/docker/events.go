package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Event is something that happened to a container. What an exec or a healthcheck runs is not kept,
// since it may hold secrets.
type Event struct {
	// create, start, kill, die, exec_create, exec_start, exec_die, health_status, restart, rename,
	// destroy …, or Reconnected
	Action string
	ID     string // of the container, 64 hex digits
	Name   string // at that time
	Time   time.Time
	Image  string
	Signal string // of kill: its number, "15"
	Exit   string // of die and exec_die: the status, "0"
	Exec   string // of the exec events: its id; Podman does not tell
	// of exec_create and exec_start: a fingerprint of what is run, as in Details.Health; Podman
	// does not tell
	Ran    string
	Health string // of health_status: "healthy", "unhealthy"
	Former string // of rename: the former name
}

// Reconnected is the Action of an event that the engine did not send: the connection was lost and
// is there again. The engine remembers the last 256 events and forgets them when it ends, so
// whoever must know of each container lists them again now.
const Reconnected = "reconnected"

const (
	// eventBuffer keeps a burst: an engine drops what a listener does not take within 100 ms (moby
	// daemon/events, bufferSize).
	eventBuffer = 8192
	// maxEvent is the longest event, in bytes; labels are in it.
	maxEvent = 1 << 20
	// overlap is how far before the last event we ask again: their times are taken before they are
	// put in order.
	overlap = 5 * time.Second
	// remembered is how many are known again when they come twice.
	remembered = 1024
)

// reconnect bounds the pauses between attempts.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

// Events gives what happens to containers, from since on (from now on if it is zero), until ctx
// ends; then the channel is closed. A connection that is lost is made again, without losing or
// repeating what the engine still remembers. The error is that of the first connection.
func (c *Client) Events(ctx context.Context, since time.Time) (<-chan Event, error) {
	if since.IsZero() {
		// The engine answers before it listens (moby api/server/router/system, getEvents): what
		// happens meanwhile is asked for.
		since = time.Now().Add(-time.Second)
	}
	l := &listener{c: c, out: make(chan Event, eventBuffer), last: since, known: map[string]bool{}}
	s, err := l.connect(ctx, since)
	if err != nil {
		return nil, err
	}
	go l.run(ctx, s)
	return l.out, nil
}

type listener struct {
	c     *Client
	out   chan Event
	last  time.Time // of the latest event
	known map[string]bool
	order []string // of known, the oldest first
}

func (l *listener) connect(ctx context.Context, since time.Time) (*stream, error) {
	query := url.Values{"filters": {`{"type":{"container":true}}`},
		"since": {strconv.FormatInt(since.Unix(), 10)}}
	if !l.c.podman() { // which reads whole seconds only
		query.Set("since", fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()))
	}
	return l.c.stream(ctx, request{method: http.MethodGet, path: "/v" + l.c.engine.agreed +
		"/events", query: query})
}

// Told is the time of the last event of a container that the engine remembers; zero if it remembers
// none. Whoever has taken in that one from Events has all that came before.
func (c *Client) Told(ctx context.Context) (time.Time, error) {
	const recent = 10 * time.Minute // Podman remembers all there ever was
	now := time.Now()
	query := url.Values{"filters": {`{"type":{"container":true}}`},
		"since": {strconv.FormatInt(now.Add(-recent).Unix(), 10)},
		"until": {strconv.FormatInt(now.Unix(), 10)}}
	if !c.podman() {
		query.Set("until", fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond()))
	}
	s, err := c.stream(ctx, request{method: http.MethodGet, path: "/v" + c.engine.agreed +
		"/events", query: query})
	if err != nil {
		return time.Time{}, err
	}
	defer s.Close()
	var last time.Time
	listen(s, func(b eventBody) bool {
		if e, ok := b.event(); ok && e.Time.After(last) {
			last = e.Time
		}
		return true
	})
	return last, ctx.Err()
}

func (l *listener) run(ctx context.Context, s *stream) {
	defer close(l.out)
	for pause := firstPause; ; {
		if s != nil {
			began := time.Now()
			listen(s, l.hand(ctx))
			s.Close()
			if time.Since(began) > longPause { // else it may be one that is always cut off
				pause = firstPause
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
		var err error
		if s, err = l.connect(ctx, l.last.Add(-overlap)); err != nil {
			s = nil
		} else if !l.send(ctx, Event{Action: Reconnected, Time: time.Now().UTC()}) {
			s.Close()
			return
		}
	}
}

// listen hands on what comes, a JSON value on each line, until the connection ends or nobody wants
// more. What is not understood is left out: asked for again, it would come again.
func listen(s *stream, take func(eventBody) bool) {
	lines := bufio.NewReaderSize(s, maxEvent)
	for long := false; ; {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = true
			continue
		}
		var b eventBody
		if !long && json.Unmarshal(line, &b) == nil && !take(b) {
			return
		}
		if long = false; err != nil {
			return
		}
	}
}

// hand hands a new event on.
func (l *listener) hand(ctx context.Context) func(eventBody) bool {
	return func(b eventBody) bool {
		e, ok := b.event()
		return !ok || !l.fresh(b) || l.send(ctx, e)
	}
}

func (l *listener) send(ctx context.Context, e Event) bool {
	select {
	case l.out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// fresh tells whether an event has not come before, and remembers it.
func (l *listener) fresh(b eventBody) bool {
	key := strings.Join([]string{strconv.FormatInt(b.TimeNano, 10), b.Actor.ID, b.Action,
		b.Actor.Attributes["execID"]}, " ")
	if l.known[key] {
		return false
	}
	l.known[key] = true
	if l.order = append(l.order, key); len(l.order) > remembered {
		delete(l.known, l.order[0])
		l.order = l.order[1:]
	}
	if at := b.time(); at.After(l.last) && at.Before(time.Now().Add(overlap)) {
		l.last = at // a clock that was far ahead must not hide what comes
	}
	return true
}

type eventBody struct {
	Type, Action string
	Actor        struct {
		ID         string
		Attributes map[string]string
	}
	TimeNano int64 `json:"timeNano"`
}

func (b eventBody) time() time.Time { return time.Unix(0, b.TimeNano).UTC() }

// podmanActions are Podman's own words for the same.
var podmanActions = map[string]string{"died": "die", "exec": "exec_start", "exec_died": "exec_die",
	"remove": "destroy"}

// event makes the noun; false if it is none of a container.
func (b eventBody) event() (Event, bool) {
	if b.Type != "container" || !fullID.MatchString(b.Actor.ID) {
		return Event{}, false
	}
	action, rest, _ := strings.Cut(b.Action, ":") // "exec_start: sh -c …", "health_status: healthy"
	if word := podmanActions[action]; word != "" {
		action = word
	}
	a := b.Actor.Attributes
	e := Event{
		Action: printable(action, 40), ID: b.Actor.ID, Name: strings.TrimPrefix(a["name"], "/"),
		Time: b.time(), Image: a["image"], Signal: a["signal"],
		Exec: a["execID"], Former: strings.TrimPrefix(a["oldName"], "/"),
	}
	switch action {
	case "exec_create", "exec_start":
		e.Ran = commandPrint(rest)
	case "die", "exec_die": // Podman says 0 in every event
		if e.Exit = a["exitCode"]; e.Exit == "" {
			e.Exit = a["containerExitCode"]
		}
	case "health_status":
		if e.Health = printable(strings.TrimSpace(rest), 40); e.Health == "" {
			e.Health = printable(a["health_status"], 40)
		}
	}
	return e, true
}
