package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"dropcap/caps"
	"dropcap/internal/bpf"
	"dropcap/internal/deny"
)

// Where a check is made.
const (
	onTrial = "under trial"
	another = "in another container"
	outside = "on the host"
)

// What is attached meanwhile.
const (
	nothing = "nothing"
	alone   = "the tracer alone"
	denying = "the trial alone"
	both    = "trial and tracer"
	counted = "bpftrace, counting security_capable"
)

var (
	denyPlaces = []string{onTrial, another, outside}
	denyModes  = []string{nothing, alone, denying, both, counted}
)

// countingHook is counting at the hook that denies.
const countingHook = `exec bpftrace -e 'BEGIN { printf("ready\n"); }
	kfunc:security_capable { @[comm, args->cap] = count(); }'`

// denies prints the nanoseconds of one check as JSON, by place and mode: medians of processor time,
// of rounds that alternate.
func denies() error {
	runtime.LockOSThread() // what is started ends with its parent thread
	const rounds = 5
	self, err := os.Executable()
	if err != nil {
		return err
	}
	boxes := map[string]*box{outside: nil}
	for i, place := range []string{onTrial, another} {
		b, err := newBox(i)
		if err != nil {
			return err
		}
		defer b.remove()
		boxes[place] = &b
	}
	all := map[string]map[string][]float64{}
	for round := range rounds + 1 {
		for _, mode := range denyModes {
			stop, err := attach(mode, boxes[onTrial].id)
			if err != nil {
				return fmt.Errorf("%s: %w", mode, err)
			}
			for place, b := range boxes {
				ns, err := timed(b, self)
				if err != nil {
					return err
				}
				if all[place] == nil {
					all[place] = map[string][]float64{}
				}
				if round > 0 {
					all[place][mode] = append(all[place][mode], ns)
				}
			}
			stop()
		}
	}
	out := map[string]map[string]float64{}
	for place, byMode := range all {
		out[place] = map[string]float64{}
		for mode, list := range byMode {
			out[place][mode] = slices.Sorted(slices.Values(list))[rounds/2]
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// attach attaches what a mode says.
func attach(mode string, own uint64) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	if mode == alone || mode == both {
		t, err := bpf.Open(bpf.Options{})
		if err != nil {
			return nil, err
		}
		stops = append(stops, func() { t.Close() })
		if err := t.Default(true); err != nil {
			return nil, err
		}
	}
	if mode == denying || mode == both {
		d, err := deny.Open(deny.Options{})
		if err != nil {
			return nil, err
		}
		stops = append(stops, func() { d.Close() })
		if err := d.Deny(own, caps.Of(caps.Setuid)); err != nil {
			return nil, err
		}
	}
	if mode == counted {
		_, s, err := script(countingHook)
		if err != nil {
			return nil, err
		}
		stops = append(stops, s)
	}
	return stop, nil
}

// timed returns the nanoseconds of one call in a box, or outside.
func timed(b *box, self string) (float64, error) {
	const calls = 50_000
	cmd := exec.Command(self, actFlag, strconv.Itoa(calls))
	if b != nil {
		var err error
		if cmd, err = b.command(self, actFlag, strconv.Itoa(calls)); err != nil {
			return 0, err
		}
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return float64((cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()).
		Nanoseconds()) / calls, nil
}
