package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/lab"
	"dropcap/internal/printable"
)

const labHelp = `Start a small fleet on this machine, for trying the fleet commands without an AWS

account: a double of AWS on a local port, and nodes that run real scripts, each with a private
Docker engine and a few containers where the host can (root, and dockerd with containerd).

Standard output is for eval and holds the settings that make dropcap, and any program with AWS's
SDK, speak to the lab and never to AWS:

  eval "$(dropcap fleet lab --nodes 3)"
  dropcap fleet ls
  eval "$(dropcap fleet lab --stop)"

The lab goes on in the background until it is stopped or its time is over, and leaves nothing
behind. Nodes are folders and engines, not machines: what a script does outside of them, it does to
this machine, as you.
` + exitHelp

// labFlags are what the command line says.
type labFlags struct {
	lab.Config
	engines                       string
	stop, status, env, foreground bool
}

func (a *app) fleetLab() *cobra.Command {
	f := labFlags{Config: lab.Config{Keep: []string{"fleet", "lab", "keep"}, Version: version(),
		Say: func(s string) {
			a.say("%s", s)
		}}}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "A small fleet on this machine, for trying the fleet commands without an AWS account",
		Long:  labHelp,
		Example: `  eval "$(dropcap fleet lab --nodes 3)"
  dropcap fleet lab --status
  eval "$(dropcap fleet lab --env)"      # in another terminal
  eval "$(dropcap fleet lab --stop)"
  eval "$(dropcap fleet lab --nodes 5 --windows --offline --node-fails 3)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runLab(cmd.Context(), &f) },
	}
	s := cmd.Flags()
	s.IntVar(&f.Nodes, "nodes", 3, "how many nodes")
	s.BoolVar(&f.Windows, "windows", false, "one more node, with Windows")
	s.BoolVar(&f.Bare, "bare", false, "nodes have no dropcap, until fleet install brings it")
	s.BoolVar(&f.Offline, "offline", false, "one more node, which does not answer")
	s.IntVar(&f.Fails, "node-fails", 0,
		"`number` of a node with a container that does not bear to lose NET_RAW, so that an "+
			"apply there rolls back")
	s.StringVar(&f.engines, "engines", string(lab.Auto),
		"auto, private (one for each node), shared (this host's, for the first node only) or none")
	s.StringVar(&f.Dockerd, "dockerd", "",
		"`path` of the dockerd for private engines (default: the one in PATH)")
	s.StringVar(&f.Region, "region", "us-east-1", "AWS region that the nodes are in")
	s.IntVar(&f.Port, "port", 0, "port on 127.0.0.1 (default: any)")
	s.DurationVar(&f.For, "for", 2*time.Hour, "how long it stays")
	s.StringVar(&f.Folder, "folder", "",
		"where all of it lies (default: $DROPCAP_LAB, or a folder for temporary files)")
	s.BoolVar(&f.foreground, "foreground", false, "stay in the foreground")
	s.BoolVar(&f.stop, "stop", false, "stop the lab, and print what takes the settings back")
	s.BoolVar(&f.status, "status", false, "tell what runs")
	s.BoolVar(&f.env, "env", false, "print the settings of the lab that runs")
	cmd.MarkFlagsMutuallyExclusive("stop", "status", "env", "foreground")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("engines",
		cobra.FixedCompletions([]string{"auto", "private", "shared", "none"},
			cobra.ShellCompDirectiveNoFileComp)))
	cmd.AddCommand(a.labKeep())
	return cmd
}

func (a *app) runLab(ctx context.Context, f *labFlags) error {
	if f.Folder == "" {
		f.Folder = os.Getenv("DROPCAP_LAB")
	}
	if f.Folder == "" {
		f.Folder = lab.Folder()
	}
	var err error
	if f.Folder, err = filepath.Abs(f.Folder); err != nil {
		return err
	}
	switch {
	case f.stop:
		return a.stopLab(f.Folder)
	case f.status:
		return a.labStatus(ctx, f.Folder)
	case f.env:
		s, err := runningLab(f.Folder)
		if err == nil {
			a.printLab(s)
		}
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.Program, err = os.Executable(); err != nil {
		return err
	}
	if f.foreground {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
		f.Ready = func(s lab.State) { a.tellLab(s); a.printLab(s) }
		a.finished = true
		return labError(lab.Run(ctx, f.Config))
	}
	s, err := a.startLab(ctx, f)
	if err == nil {
		a.tellLab(s)
		a.printLab(s)
	}
	return err
}

func (f *labFlags) check() error {
	f.Engines = lab.Engines(f.engines)
	switch {
	case f.Nodes < 1 || f.Nodes > 50:
		return usageError("--nodes takes 1 to 50", "cannot start a lab of %s",
			printable.Count(f.Nodes, "node"))
	case f.Fails < 0 || f.Fails > f.Nodes:
		return usageError("nodes are numbered from 1", "cannot make node %d fail: there are %d",
			f.Fails, f.Nodes)
	case f.For <= 0:
		return usageError("--for takes a duration such as 30m", "cannot start a lab for %v", f.For)
	case f.Port < 0 || f.Port > 65535:
		return usageError("--port takes 1 to 65535", "cannot open port %d", f.Port)
	case !slices.Contains([]lab.Engines{lab.Auto, lab.Private, lab.Shared, lab.None}, f.Engines):
		return usageError("auto, private, shared or none", "cannot give nodes %q as engines",
			f.engines)
	case strings.Trim(f.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || f.Region == "":
		return usageError("us-east-1, for example", "cannot use %q as a region", f.Region)
	}
	return nil
}

func labError(err error) error {
	if errors.Is(err, lab.ErrRunning) {
		return dropcap.Errorf(dropcap.CodeError,
			"`dropcap fleet lab --env` prints its settings, `dropcap fleet lab --stop` ends it",
			"cannot start a lab: one runs already")
	}
	return err
}

func (a *app) stopLab(folder string) error {
	was, err := lab.Stop(folder)
	if err != nil {
		return err
	}
	if was {
		a.say("the lab is stopped and nothing is left of it")
	} else {
		a.say("no lab runs")
	}
	_, err = fmt.Fprintf(a.out, "unset %s\n",
		strings.Join(slices.Sorted(maps.Keys(labSettings(lab.State{}))), " "))
	return err
}

func runningLab(folder string) (lab.State, error) {
	s, running, err := lab.Read(folder)
	if err == nil && running && s.Ready {
		return s, nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = dropcap.Errorf(dropcap.CodeError, "`eval \"$(dropcap fleet lab)\"` starts one",
			"cannot find a running lab in %s", folder)
	}
	return s, err
}

func (a *app) labStatus(ctx context.Context, folder string) error {
	s, err := runningLab(folder)
	if err != nil {
		return err
	}
	served, err := s.Served(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tNAME\tROLE\tENGINE\tDOCKER_HOST")
	for _, n := range s.Nodes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.ID, n.Name, n.Role, labEngine(n), n.Host)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	total := 0
	for _, n := range served {
		total += n
	}
	fmt.Fprintf(a.out, "\n%s, up for %v, until %s; process %d, folder %s\n", s.Endpoint,
		time.Since(s.Started).Round(time.Second),
		s.Until.Local().Format("15:04"), s.PID, s.Folder)
	fmt.Fprintf(a.out, "%d requests served", total)
	for _, api := range slices.Sorted(maps.Keys(served)) {
		fmt.Fprintf(a.out, "\n  %-36s %d", api, served[api])
	}
	_, err = fmt.Fprintln(a.out)
	return err
}

func labEngine(n lab.Node) string {
	switch {
	case n.Platform == "Windows":
		return "Windows"
	case !n.Online:
		return "offline"
	case n.Engine == "":
		return "none"
	case !n.Private:
		return n.Engine + " of this host"
	}
	return n.Engine
}
