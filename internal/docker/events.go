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

// Event is something that happened to a container. It does not contain the command of an exec or a
// healthcheck, which may contain secrets.
type Event struct {
	// create, start, kill, die, exec_create, exec_start, exec_die, health_status, restart, rename,
	// destroy …, or Reconnected
	Action string
	ID     string // of the container, 64 hex digits
	Name   string // at that time
	Time   time.Time
	Image  string
	Signal string // of kill: the signal's number, "15"
	Exit   string // of die and exec_die: the status, "0"
	Exec   string // of the exec events: its id; empty on Podman
	// of exec_create and exec_start: a fingerprint of the command, as in Details.Health; empty on
	// Podman
	Ran    string
	Health string // of health_status: "healthy", "unhealthy"
	Former string // of rename: the old name
}

// Reconnected is the Action of an event that the engine did not send: the connection was lost and
// has been restored. The engine keeps only the last 256 events and loses them when it ends, so a
// caller that must know every container lists them again now.
const Reconnected = "reconnected"

const (
	// eventBuffer absorbs a burst: an engine drops an event that a listener does not take within
	// 100 ms (moby daemon/events, bufferSize).
	eventBuffer = 8192
	// maxEvent is the longest accepted event in bytes, labels included.
	maxEvent = 1 << 20
	// overlap is how far before the last event a new connection starts: the engine sets an event's
	// time before it puts events in order.
	overlap = 5 * time.Second
	// maxKnownEvents limits how many events are kept to recognise repeated ones.
	maxKnownEvents = 1024
)

// The bounds of the pauses between attempts.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second
)

// Events sends what happens to containers, beginning at since (now, if it is zero), until ctx ends;
// then it closes the channel. It restores a lost connection without losing or repeating what the
// engine still has. The error is that of the first connection.
func (c *Client) Events(ctx context.Context, since time.Time) (<-chan Event, error) {
	if since.IsZero() {
		// The engine answers before it listens (moby api/server/router/system, getEvents), so ask
		// for what happens in between.
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
	order []string // the keys of known, the oldest first
}

func (l *listener) connect(ctx context.Context, since time.Time) (*stream, error) {
	query := url.Values{"filters": {`{"type":{"container":true}}`},
		"since": {strconv.FormatInt(since.Unix(), 10)}}
	if !l.c.podman() { // Podman accepts whole seconds only
		query.Set("since", fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()))
	}
	return l.c.stream(ctx, request{method: http.MethodGet, path: "/v" + l.c.engine.agreed +
		"/events", query: query})
}

// LastEvent returns the time of the last container event that the engine still has; zero if it has
// none. A caller that has received this event from Events has received all earlier ones.
func (c *Client) LastEvent(ctx context.Context) (time.Time, error) {
	const recent = 10 * time.Minute // Podman keeps all events
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
	readEvents(s, func(b eventBody) bool {
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
			readEvents(s, l.deliver(ctx))
			s.Close()
			if time.Since(began) > longPause { // else every connection may be cut off at once
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

// readEvents passes each event to take, a JSON value on each line, until the connection ends or
// take returns false. It skips what it does not understand, which would only come again.
func readEvents(s *stream, take func(eventBody) bool) {
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

// deliver returns a function that sends each new event.
func (l *listener) deliver(ctx context.Context) func(eventBody) bool {
	return func(b eventBody) bool {
		e, ok := b.event()
		return !ok || !l.isNew(b) || l.send(ctx, e)
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

// isNew reports whether an event has not come before, and remembers it.
func (l *listener) isNew(b eventBody) bool {
	key := strings.Join([]string{strconv.FormatInt(b.TimeNano, 10), b.Actor.ID, b.Action,
		b.Actor.Attributes["execID"]}, " ")
	if l.known[key] {
		return false
	}
	l.known[key] = true
	if l.order = append(l.order, key); len(l.order) > maxKnownEvents {
		delete(l.known, l.order[0])
		l.order = l.order[1:]
	}
	if at := b.time(); at.After(l.last) && at.Before(time.Now().Add(overlap)) {
		l.last = at // a clock that was far ahead must not hide later events
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

// podmanActions maps Podman's words to Docker's.
var podmanActions = map[string]string{"died": "die", "exec": "exec_start", "exec_died": "exec_die",
	"remove": "destroy"}

// event converts b; false if it does not concern a container.
func (b eventBody) event() (Event, bool) {
	if b.Type != "container" || !fullID().MatchString(b.Actor.ID) {
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
		e.Ran = commandFingerprint(rest)
	case "die", "exec_die": // Podman sets 0 in every event
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
