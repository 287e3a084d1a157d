package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"dropcap"
	"dropcap/internal/foreign"
)

// clock stands still but for who sleeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// ledger is a store in memory. It keeps what it is given as a document, as a real one does.
type ledger struct {
	mu    sync.Mutex
	runs  map[string]string
	order []string
	hosts map[string]map[string]string
	fail  error // of every write
}

func newLedger() *ledger {
	return &ledger{runs: map[string]string{}, hosts: map[string]map[string]string{}}
}

func (l *ledger) SaveRun(_ context.Context, r dropcap.FleetRun) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs[r.ID] == "" {
		l.order = append(l.order, r.ID)
	}
	b, err := json.Marshal(r)
	l.runs[r.ID] = string(b)
	if l.fail != nil {
		return l.fail
	}
	return err
}

func (l *ledger) SaveHosts(_ context.Context, run string, hosts []dropcap.FleetHost) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts[run] == nil {
		l.hosts[run] = map[string]string{}
	}
	for _, h := range hosts {
		b, err := json.Marshal(foreign.Unpacked(h))
		if err != nil {
			return err
		}
		l.hosts[run][h.Host] = string(b)
	}
	return l.fail
}

func (l *ledger) Run(_ context.Context,
	id string) (r dropcap.FleetRun, hosts []dropcap.FleetHost, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs[id] == "" {
		return r, nil, fmt.Errorf("no run %s", id)
	}
	err = json.Unmarshal([]byte(l.runs[id]), &r)
	for _, k := range slices.Sorted(maps.Keys(l.hosts[id])) {
		var h dropcap.FleetHost
		if e := json.Unmarshal([]byte(l.hosts[id][k]), &h); e != nil {
			return r, nil, e
		}
		hosts = append(hosts, h)
	}
	return r, hosts, err
}

func (l *ledger) Runs(context.Context) (list []dropcap.FleetRun, err error) {
	for _, id := range slices.Backward(l.order) {
		r, _, err := l.Run(context.Background(), id)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
