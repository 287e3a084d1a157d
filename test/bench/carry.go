package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dropcap"
)

// A layer of 1 GiB, of which the container writes to a part all the time, so that this part is what
// has changed since the first pass whenever it is stopped.
const (
	layerFiles   = 64
	layerFile    = 16 << 20
	writtenFiles = 8 // those that the program serve writes to: 128 MiB
	carryRounds  = 7
)

// carry compares the downtime of a change that carries a large layer along with that of a restart,
// and with the time of copying what has changed.
func (b *bench) carry() error {
	if err := b.servingImage(); err != nil {
		return err
	}
	plainly := func() error {
		// The program finds the files and writes to the first ones, once it is started again.
		if err := b.command("docker", "run", "-d", "--name", "web", "--network", "host", "-e",
			"PORT=8099",
			"-e", "WRITES=/w", "serve:1"); err != nil {
			return err
		}
		return b.fillLayer()
	}
	methods := []method{
		{"docker restart", plainly, b.shellOf("docker restart web")},
		{"dropcap apply", plainly, func() error {
			return b.command(b.dropcap, "apply", "web", "--yes", "--soak", "0s", "--no-watch",
				"--carry-limit", "4GiB", "--store", filepath.Join(b.dir, "store"))
		}},
	}
	var gaps [2][]float64
	copies, parts := []float64{}, map[string][]float64{}
	for round := range carryRounds + 1 {
		for i, w := range methods {
			gap, err := b.gap(w)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			if round > 0 {
				gaps[i] = append(gaps[i], gap)
			}
		}
		if err := b.timeline(parts); err != nil {
			return err
		}
		ms, err := b.copyChanged()
		if err != nil {
			return err
		}
		if round > 0 {
			copies = append(copies, ms)
		}
	}
	b.carryReport(gaps, copies, parts)
	return nil
}

func (b *bench) carryReport(gaps [2][]float64, copies []float64, parts map[string][]float64) {
	restart, apply, copied := slices.Min(gaps[0]), slices.Min(gaps[1]), slices.Min(copies)
	fmt.Printf("Downtime of a container with 1 GiB in its own layer, %d MiB of it written to all "+
		"the time (the quietest of %d, and the median)\n",
		writtenFiles*layerFile>>20, carryRounds)
	row := func(what string, list []float64) {
		fmt.Printf("  %-58s %8.1f ms  %8.1f ms\n", what, slices.Min(list),
			slices.Sorted(slices.Values(list))[len(list)/2])
	}
	row("docker restart", gaps[0])
	row("cp -a --reflink=auto of what is written to", copies)
	row("dropcap apply, which carries the layer along", gaps[1])
	for _, name := range []string{"stop-old", "carry-rest", "rename-old", "start-new"} {
		row("  of it "+name, parts[name])
	}
	b.promise("dropcap apply / (docker restart + 1.3 × cp)", apply/(restart+1.3*copied), 1.0, "")
	fmt.Println()
}

// timeline adds how long each effect of the latest change took, up to the beginning of the next.
func (b *bench) timeline(parts map[string][]float64) error {
	text, err := b.output(b.dropcap, "history", "--format", "json", "--store",
		filepath.Join(b.dir, "store"))
	if err != nil {
		return err
	}
	var all dropcap.Changes
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return err
	}
	events := all.Changes[0].Timeline
	for i := range len(events) - 1 {
		from, err := time.Parse(time.RFC3339Nano, events[i].At)
		if err != nil {
			return err
		}
		to, err := time.Parse(time.RFC3339Nano, events[i+1].At)
		if err != nil {
			return err
		}
		parts[events[i].Event] = append(parts[events[i].Event], ms(to.Sub(from)))
	}
	return nil
}

// fillLayer makes the files, by the container's own view of them, and waits until they are on the
// disk.
func (b *bench) fillLayer() error {
	root, err := b.output("docker", "inspect", "--format", "/proc/{{.State.Pid}}/root", "web")
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "w")
	part := make([]byte, 1<<20)
	_, _ = rand.Read(part) // never fails (crypto/rand, since Go 1.24)
	for i := range layerFiles {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return err
		}
		for at := int64(0); at < layerFile && err == nil; at += int64(len(part)) {
			_, err = f.WriteAt(part, at)
		}
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// copyChanged times cp of the files that the container writes to, within the engine's file system.
func (b *bench) copyChanged() (ms float64, err error) {
	upper, err := b.output("docker", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "web")
	if err != nil {
		return 0, err
	}
	to := upper + "-copied"
	defer func() { err = errors.Join(err, os.RemoveAll(to)) }()
	if err := os.Mkdir(to, 0o700); err != nil {
		return 0, err
	}
	args := []string{"-a", "--reflink=auto"}
	for i := range writtenFiles {
		args = append(args, filepath.Join(upper, "w", fmt.Sprint(i)))
	}
	began := time.Now()
	err = b.command("cp", append(args, to)...)
	return float64(time.Since(began).Microseconds()) / 1000, err
}

func (b *bench) output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = b.env
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %v: %w", name, args, err)
	}
	return strings.TrimSpace(string(out)), nil
}
