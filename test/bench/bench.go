package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"dropcap/internal/dockertest"
)

// bench is one engine, the programs compared on it, and the results.
type bench struct {
	engine  *dockertest.Engine
	dir     string
	dropcap string
	self    string
	env     []string
	have    int // containers
	broken  int
}

// control is the benchmark's own one-liner; loop is what the usual checkers do.
const (
	control = `docker ps --quiet --all | xargs docker inspect --format '{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }} CapDrop={{ .HostConfig.CapDrop }}'`
	loop    = `for id in $(docker ps --quiet --all); do docker inspect --format '{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }} CapDrop={{ .HostConfig.CapDrop }}' "$id"; done`
)

func newBench(e *dockertest.Engine) (*bench, error) {
	dir, err := os.MkdirTemp("", "dropcap-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{engine: e, dir: dir, dropcap: filepath.Join(dir, "dropcap"),
		env: append(os.Environ(), e.Env()...)}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	return b, b.build()
}

// onEngine measures on an engine of its own, without other containers.
func onEngine(kind dockertest.Kind, measure func(*bench) error) (broken int, err error) {
	e, stop, err := dockertest.StartMain(kind)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b, err := newBench(e)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.dir)
	err = measure(b)
	return b.broken, err
}

// build builds the program.
func (b *bench) build() error {
	build := exec.Command("go", "build", "-trimpath", "-o", b.dropcap, "./cmd/dropcap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build dropcap: %s", out)
	}
	return nil
}

// contestant is one of the compared commands.
type contestant struct {
	name string
	argv []string
	ok   []int // exit statuses that count as success
}

// ours is dropcap, with a store of its own: this host's may be a newer dropcap's.
func (b *bench) ours(args ...string) contestant {
	argv := append([]string{b.dropcap}, args...)
	if args[0] == "audit" {
		argv = append(argv, "--store", filepath.Join(b.dir, "store"))
	}
	return contestant{strings.Join(append([]string{"dropcap"}, args...), " "), argv, []int{0, 3}}
}

func shell(name, script string) contestant {
	return contestant{name, []string{"sh", "-c", script}, []int{0}}
}

// result holds the measurements of a contestant's runs.
type result struct {
	wall []time.Duration
	cpu  []float64 // ms, of the process and those it waited for
	peak []int64   // KiB, of the largest single process
}

// quiet returns the tenth percentile of the wall time: a busy host only ever adds.
func (r result) quiet() time.Duration {
	s := slices.Sorted(slices.Values(r.wall))
	return s[len(s)/10]
}

func (r result) processor() float64 { return quiet(r.cpu) }

func (r result) memory() int64 { return slices.Max(r.peak) }

// race runs the contestants in turn, after one round that does not count.
func (b *bench) race(rounds int, list ...contestant) ([]result, error) {
	results := make([]result, len(list))
	for round := range rounds + 1 {
		for i, c := range list {
			one, err := b.once(c)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				results[i].wall = append(results[i].wall, one.wall...)
				results[i].cpu = append(results[i].cpu, one.cpu...)
				results[i].peak = append(results[i].peak, one.peak...)
			}
		}
	}
	return results, nil
}

func (b *bench) once(c contestant) (result, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Env = b.env
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return result{}, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	start := time.Now()
	err = cmd.Run()
	wall := time.Since(start)
	if cmd.ProcessState == nil || !slices.Contains(c.ok, cmd.ProcessState.ExitCode()) {
		return result{}, fmt.Errorf("%s: %v", c.name, err)
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result{[]time.Duration{wall}, []float64{ms(cpu)}, []int64{usage.Maxrss}}, nil
}

// promise prints one line of the table, and counts it if it does not hold.
func (b *bench) promise(what string, got, most float64, unit string) {
	verdict := "holds"
	if got > most {
		verdict = "BROKEN"
		b.broken++
	}
	fmt.Printf("  %-58s %8.2f%s  (at most %.2f%s)  %s\n", what, got, unit, most, unit, verdict)
}
