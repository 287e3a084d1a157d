package docker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"dropcap/internal/docker"
	"dropcap/internal/dockertest/fake"
)

const workers = 16

// each hands the names to a few workers, as snapshot does.
func each(ids []string, do func(id string)) {
	next := make(chan string)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for id := range next {
				do(id)
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	wg.Wait()
}

// BenchmarkInspect compares a pass over 250 containers with the floor: a bare program that gets the
// same bodies over as many connections and decodes nothing, or only what is needed. Engine and
// client share the processors.
func BenchmarkInspect(b *testing.B) {
	e := fake.Start(b, fake.Options{})
	var ids []string
	for range 250 {
		ids = append(ids, e.Add(fake.Container{State: "running",
			HostConfig: fake.HostConfig{CapAdd: []string{"NET_ADMIN"}}}))
	}
	b.Run("floor", func(b *testing.B) {
		client := bare(e.Socket)
		for b.Loop() {
			each(ids, func(id string) { get(b, client, id, nil) })
		}
	})
	b.Run("floor-decoding", func(b *testing.B) {
		client := bare(e.Socket)
		for b.Loop() {
			each(ids, func(id string) {
				var v struct {
					HostConfig struct{ CapAdd, CapDrop []string }
				}
				get(b, client, id, &v)
			})
		}
	})
	b.Run("client", func(b *testing.B) {
		for b.Loop() {
			c, err := docker.Open(b.Context(), docker.Options{Host: e.Host, Getenv: noEnv,
				ConfigDir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			each(ids, func(id string) {
				if _, err := c.Inspect(b.Context(), id); err != nil {
					b.Error(err)
				}
			})
			c.Close()
		}
	})
	b.Run("list", func(b *testing.B) {
		c, err := docker.Open(b.Context(), docker.Options{Host: e.Host, Getenv: noEnv,
			ConfigDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		for b.Loop() {
			if list, err := c.List(b.Context(), nil); err != nil || len(list) != len(ids) {
				b.Fatal(len(list), err)
			}
		}
	})
}

func bare(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: workers, MaxIdleConnsPerHost: workers,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

func get(b *testing.B, client *http.Client, id string, v any) {
	resp, err := client.Get("http://engine/v1.56/containers/" + id + "/json")
	if err == nil {
		defer resp.Body.Close()
		if v == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		} else {
			err = json.NewDecoder(resp.Body).Decode(v)
		}
	}
	if err != nil || resp.StatusCode != 200 {
		b.Error(fmt.Sprint(resp, err))
	}
}
