package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// whereItGoes prints what an audit's time is made of: the start of the program and the engine's
// answers, each alone. Most of them wait for each other only in part.
func (b *bench) whereItGoes(ours contestant, r []result) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", b.engine.Socket)
		},
	}}
	defer client.CloseIdleConnections()
	answer := func(path string) float64 {
		var took []float64
		for range hostRounds {
			began := time.Now()
			resp, err := client.Get("http://engine" + path)
			if err != nil {
				return 0
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			took = append(took, ms(time.Since(began)))
		}
		return quiet(took)
	}
	fmt.Printf("  Where the %.1f ms of %s go:\n", ms(r[0].quiet()), ours.name)
	for _, part := range []struct {
		what string
		ms   float64
	}{
		{"start of the program (dropcap --version)", ms(r[3].quiet())},
		{"the same, with a list that is empty (--filter name=nobody)", ms(r[4].quiet())},
		{"the engine's answer to GET /containers/json?all=1", answer("/containers/json?all=1")},
		{"the engine's answer to GET /info", answer("/info")},
		{"a list and 250 inspects, 16 at a time, in a bare program", ms(r[2].quiet())},
	} {
		fmt.Printf("    %-62s %6.1f ms\n", part.what, part.ms)
	}
}
