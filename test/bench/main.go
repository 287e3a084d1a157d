// Bench measures dropcap beside what people use instead, in one run, and fails when a promise does not hold:
//
//	make bench
//
// Every figure is a whole process's: wall time by the clock, peak memory by the kernel's account of the finished process. Runs of the
// things compared alternate, so that a noisy host is noisy for all of them, and ratios are of medians.
package main

import (
	"fmt"
	"os"

	"dropcap/internal/dockertest"
)

// floorFlag makes this program the bare one: sixteen parallel inspects and nothing else.
const floorFlag = "floor"

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorFlag {
		if err := floor(os.Getenv("DOCKER_HOST")); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	broken, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
	if broken > 0 {
		fmt.Fprintf(os.Stderr, "bench: %d promises do not hold\n", broken)
		os.Exit(3)
	}
}

// run measures on a private engine: empty first, then with more and more containers.
func run() (broken int, err error) {
	e, stop, err := dockertest.StartMain(dockertest.Docker20)
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	if _, err := e.Import("app:1", `CMD ["sleep", "86400"]`); err != nil {
		return 0, err
	}
	b, err := newBench(e)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.dir)
	for _, part := range []func() error{b.empty, b.host, b.curve} {
		if err := part(); err != nil {
			return b.broken, err
		}
	}
	return b.broken, nil
}
