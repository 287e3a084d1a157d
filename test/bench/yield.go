package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"dropcap"
	"dropcap/internal/dockertest"
	"dropcap/test/change/everyday"
)

// yieldHosts are the hosts that the corpus lives on: the oldest engine and the newest.
var yieldHosts = []struct {
	kind    dockertest.Kind
	compose string
}{{dockertest.Docker20, "v2"}, {dockertest.Docker29, "v5"}}

// yielded leads a host full of everyday containers to its least set, on each engine or on those
// that are named, and prints how many of those that fail at first pass at the end.
func yielded(only ...dockertest.Kind) (broken int, err error) {
	fmt.Printf("\n%-10s  %7s  %7s  %7s  %s\n", "engine", "fail", "pass at", "changed", "refused")
	fmt.Printf("%-10s  %7s  %7s  %7s  %s\n", "", "before", "least", "by", "")
	for _, x := range yieldHosts {
		if len(only) > 0 && !slices.Contains(only, x.kind) {
			continue
		}
		more, err := yieldOn(x.kind, x.compose)
		if err != nil {
			return broken, fmt.Errorf("%s: %w", x.kind, err)
		}
		broken += more
	}
	return broken, nil
}

func yieldOn(kind dockertest.Kind, compose string) (broken int, err error) {
	return onEngine(kind, func(b *bench) error {
		folder, err := os.MkdirTemp("/var/lib", "dropcap-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
		defer cancel()
		h, err := everyday.NewHost(ctx, b.engine, everyday.Place{Program: b.dropcap,
			Folder: folder, Scratch: b.dir, Compose: compose}, true)
		if err != nil {
			return err
		}
		b.broken, err = led(ctx, kind, h)
		return err
	})
}

// led takes a host through the journey and prints its row; what does not work afterwards is broken.
func led(ctx context.Context, kind dockertest.Kind, h *everyday.Host) (broken int, err error) {
	if err := h.Learn(ctx); err != nil {
		return 0, err
	}
	before, err := h.Verdicts(ctx, "cis")
	if err != nil {
		return 0, err
	}
	plan, err := h.Plan(ctx)
	if err != nil {
		return 0, err
	}
	said, status := h.Apply(ctx)
	if status != dropcap.ExitOK && status != dropcap.ExitIncomplete {
		fmt.Fprintf(os.Stderr, "apply ends with %d: %s\n", status, said)
		broken++
	}
	if err := h.Check(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		broken++
	}
	after, err := h.Verdicts(ctx, "least")
	if err != nil {
		return broken, err
	}
	fails, passes := 0, 0
	for name, v := range before {
		if v == dropcap.Fail {
			fails++
			if after[name] == dropcap.Pass {
				passes++
			}
		}
	}
	fmt.Printf("%-10s  %7d  %7d  %6.0f%%  %s\n", kind, fails, passes,
		100*float64(passes)/float64(max(fails, 1)), reasons(plan))
	return broken, nil
}

// reasons counts why containers were refused.
func reasons(p dropcap.Plan) string {
	counts := map[string]int{}
	for _, s := range p.Steps {
		for _, r := range s.Refusals {
			counts[r.Slug]++
		}
	}
	var list []string
	for _, slug := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", slug, counts[slug]))
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
