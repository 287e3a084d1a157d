package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"dropcap/internal/testenv"
)

// empty compares on a host without containers, where only the start of the programs counts.
func (b *bench) empty() error {
	list := []contestant{b.ours("audit")}
	for _, c := range clients {
		list = append(list, shell("docker ps, client "+c.name, c.first()+"docker ps"))
	}
	r, err := b.race(15, list...)
	if err != nil {
		return err
	}
	fmt.Println("Empty host")
	b.table(list, r)
	b.promise("dropcap audit / docker ps, client "+clients[0].name, ratio(r[0], r[1]), 1.0, "")
	fmt.Printf("  %-58s %8.2f\n", "the same, client "+clients[1].name, ratio(r[0], r[2]))
	fmt.Println()
	return nil
}

// hostRounds is how often each contestant runs on that host.
const hostRounds = 25

// clients are the docker clients that the control's one-liner runs with: that of the host's package
// and the newest.
var clients = []client{{"20.10", "docker20/usr/bin"}, {"the newest", "dockercli/bin"}}

type client struct{ name, path string }

// first is the beginning of a script that uses this client.
func (c client) first() string {
	return "PATH=" + filepath.Join(testenv.Cache(), c.path) + ":$PATH; "
}

// host compares on the host of the promise: 250 containers, 50 of them running.
func (b *bench) host() error {
	if err := b.grow(250, 50); err != nil {
		return err
	}
	ours := b.ours("audit", "--format", "cis")
	list := []contestant{ours, b.ours("audit", "--format", "json"),
		{"16 parallel inspects, nothing else", []string{b.self, floorFlag}, []int{0}},
		b.ours("--version"), b.ours("audit", "--filter", "name=nobody")}
	for _, c := range clients {
		list = append(list, shell("the control's one-liner, client "+c.name, c.first()+control))
	}
	r, err := b.race(hostRounds, list...)
	if err != nil {
		return err
	}
	slow := shell("one docker inspect per container", loop)
	s, err := b.race(1, slow)
	if err != nil {
		return err
	}
	fmt.Printf("250 containers, 50 running (%d rounds in turn, the quiet tenth)\n", hostRounds)
	b.table(append(list, slow), append(r, s...))
	for i, c := range clients {
		b.promise("dropcap audit --format cis / the one-liner, client "+c.name,
			ratio(r[0], r[5+i]), 0.33, "")
		fmt.Printf("  %-58s %8.2f   (the floor)\n", "16 parallel inspects / the same",
			ratio(r[2], r[5+i]))
	}
	b.promise("peak memory of dropcap audit", float64(max(r[0].memory(), r[1].memory()))/1024, 48,
		" MiB")
	b.whereItGoes(ours, r)
	fmt.Println()
	return nil
}

// curve shows that the time per container does not grow with their number. It subtracts the start
// of the program, as measured on one container.
func (b *bench) curve() error {
	fmt.Println("Growth (dropcap audit --format json; 50 running)")
	fmt.Printf("  %10s  %10s  %16s  %10s\n", "containers", "wall ms", "µs per container",
		"peak MiB")
	base, err := b.race(9, b.ours("audit", "--filter", "name=nobody"))
	if err != nil {
		return err
	}
	var first, last float64
	for _, n := range []int{10, 30, 100, 250, 1000} {
		if err := b.grow(max(n, b.have), 50); err != nil {
			return err
		}
		args := []string{"audit", "--format", "json"}
		if n < b.have {
			args = append(args, "--filter", fmt.Sprintf("label=upto%d", n))
		}
		r, err := b.race(7, b.ours(args...))
		if err != nil {
			return err
		}
		per := float64(r[0].quiet()-base[0].quiet()) / float64(n) / float64(time.Microsecond)
		fmt.Printf("  %10d  %10.1f  %16.0f  %10.1f\n", n, ms(r[0].quiet()), per,
			float64(r[0].memory())/1024)
		if n == 10 {
			first = per
		}
		last = per
	}
	b.promise("time per container, 1000 / 10 containers", last/first, 1.0, "")
	fmt.Println()
	return nil
}

// grow creates containers up to n, and starts the first ones. Labels mark those that a smaller host
// would have.
func (b *bench) grow(n, running int) error {
	ctx := context.Background()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	slots := make(chan struct{}, 4)
	for i := b.have; i < n; i++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := b.make(ctx, i, i < running); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	b.have = max(b.have, n)
	return failed
}

func (b *bench) make(ctx context.Context, i int, start bool) error {
	labels := ""
	for _, n := range []int{10, 30, 100, 250} {
		if i < n {
			labels += fmt.Sprintf(`"upto%d":"1",`, n)
		}
	}
	lists := []string{`"CapDrop":null`, `"CapDrop":["NET_RAW"]`,
		`"CapDrop":["ALL"],"CapAdd":["NET_BIND_SERVICE"]`, `"CapAdd":["NET_ADMIN"]`}
	body := fmt.Sprintf(
		`{"Image":"app:1","Labels":{%s"n":"%d"},"HostConfig":{"NetworkMode":"none",%s}}`, labels, i,
		lists[i%len(lists)])
	name := fmt.Sprintf("bench%d", i)
	if err := b.post(ctx, "/containers/create?name="+name, body); err != nil {
		return err
	}
	if !start {
		return nil
	}
	return b.post(ctx, "/containers/"+name+"/start", "")
}

func (b *bench) post(ctx context.Context, path, body string) error {
	status, answer, err := b.engine.Raw(ctx, http.MethodPost, path, body)
	if err == nil && status >= 400 {
		err = fmt.Errorf("%s: %d %s", path, status, answer)
	}
	return err
}

func (b *bench) table(list []contestant, r []result) {
	for i, c := range list {
		fmt.Printf("  %-58s %8.1f ms  %8.1f ms of processor  %6.1f MiB\n", c.name,
			ms(r[i].quiet()), r[i].processor(), float64(r[i].memory())/1024)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(a, b result) float64 { return float64(a.quiet()) / float64(b.quiet()) }
