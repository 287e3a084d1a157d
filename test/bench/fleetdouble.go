package main

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

// double is AWS, with nodes, for one controller.
type double struct {
	*cloud.Cloud
	clock *cloud.FakeClock
	url   string
	close func() error
}

func newDouble(nodes int) (*double, error) {
	clock := cloud.NewFakeClock()
	d := &double{Cloud: cloud.New(clock), clock: clock}
	for _, doc := range fleet.Documents() {
		d.Document(cloud.DefaultAccount, fleetRegion, doc.Name, doc.Content)
	}
	for n := range nodes {
		d.Add(cloud.Node{ID: nodeID(n), Region: fleetRegion, Simulated: auditing(n)})
	}
	mux := http.NewServeMux()
	mux.Handle("/", d)
	mux.HandleFunc("/clock", func(_ http.ResponseWriter, r *http.Request) {
		if to, err := strconv.ParseInt(r.URL.Query().Get("to"), 10, 64); err == nil {
			clock.Advance(max(0, time.Unix(0, to).Sub(clock.Now())))
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	d.url, d.close = "http://"+l.Addr().String(), srv.Close
	return d, nil
}

// busiest returns the most requests of one API within any second, and that API.
func (d *double) busiest() (most int, api string) {
	at := map[string][]time.Time{}
	for _, c := range d.Log() {
		l := append(at[c.API], c.At)
		for c.At.Sub(l[0]) >= time.Second {
			l = l[1:]
		}
		if at[c.API] = l; len(l) > most {
			most, api = len(l), c.API
		}
	}
	return most, api
}
