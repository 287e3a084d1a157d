package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/doctor"
	"dropcap/internal/host"
	"dropcap/internal/printable"
	"dropcap/internal/render"
	"dropcap/internal/store"
)

const exitHelp = `
Exit status: 0 done, nothing to say; 1 error; 2 usage; 3 findings; 6 this host can't (no engine, no
permission); 7 incomplete (something could not be seen); 130 interrupted.`

// root builds the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "dropcap",
		Short: "Least-privilege Linux capabilities for Docker containers",
		Long: `dropcap tells what each container on a Docker host may really do, by the kernel's
own word, whether that breaks the rule (CIS Docker Benchmark: Linux kernel capabilities are
restricted within containers), and what mends it. It records, in the kernel, which capabilities
each workload needs, plans to drop the rest, changes running containers so that nothing is lost,
rolls back by itself what does not work, and puts back exactly what was there: on this host, or on
many through AWS Systems Manager.`,
		Example: `  dropcap audit                    every container of this host, judged
  dropcap explain NET_RAW          what a capability lets an attacker do
  dropcap explain web              why a container holds what it holds
  sudo dropcap learn --for 10m     what the containers need, with proof
  sudo dropcap plan                what would be dropped, how, and what speaks against it
  sudo dropcap apply web           change a container, safely
  sudo dropcap backout web         the very same old container runs again
  sudo dropcap watch               what changes, as it happens
  dropcap fleet --help             the same on many hosts
  dropcap doctor                   what dropcap can and cannot do here`,
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           version(), // --version and -v, as of docker
	}
	root.SetVersionTemplate("dropcap {{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(usage)
	a.engine.Register(root.PersistentFlags())
	root.AddCommand(a.audit(), a.learn(), a.evidence(), a.trial(), a.plan(), a.apply(), a.backout(),
		a.harden(), a.hold(), a.recover(), a.prune(), a.history(), a.watch(), a.explain(),
		a.doctor(), a.policy(), a.serve(), a.version(), a.fleet(), a.node(), a.console())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		// what cannot run has its arguments not checked
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	wrapArgs(root)
	withoutFiles(root)
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, args []string) error { return knownCommand(root, args) }
	}
	return root
}

// knownCommand makes `help` of an unknown command the same error as the command itself.
func knownCommand(root *cobra.Command, args []string) error {
	found, rest, err := root.Find(args)
	if err == nil && len(rest) == 0 {
		return nil
	}
	if found == nil || err != nil {
		found, rest = root, args
	}
	if !found.HasSubCommands() || len(rest) == 0 {
		return usage(root, fmt.Errorf("there is no command %q", strings.Join(args, " ")))
	}
	return usage(found, suggest(found, rest, err))
}

// wrapArgs builds the parser's complaints about arguments and unknown commands usage errors, for
// the whole tree.
func wrapArgs(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage(c, suggest(c, args, err))
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// suggest names the nearest command for one that there is not, and shows what the arguments of one
// that there is should be.
func suggest(c *cobra.Command, args []string, err error) error {
	if !c.HasSubCommands() {
		return fmt.Errorf("it should be `%s`, but the number of arguments is %d",
			strings.TrimSuffix(c.UseLine(), " [flags]"), len(args))
	}
	if len(args) == 0 {
		return err
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("there is no command %q; did you mean %s?", args[0],
			strings.Join(near, " or "))
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// Commands is the tree of commands, for the generator of the manual: to be read, not run.
func Commands() *cobra.Command {
	return (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).root()
}

// lines makes each line of a message plain; a policy's mistakes are told a line each.
func lines(s string) string {
	l := strings.Split(s, "\n")
	for i := range l {
		l[i] = oneLine(l[i])
	}
	return strings.Join(l, "\n")
}

// oneLine makes a message plain and one line.
func oneLine(s string) string { return printable.Line(s) }

// asHint puts a hint behind a sentence.
func asHint(hint string) string {
	if hint == "" {
		return ""
	}
	return " (" + hint + ")"
}

// usageError makes an error about the command line itself.
func usageError(hint, format string, args ...any) error {
	return dropcap.Errorf(dropcap.CodeUsage, hint, format, args...)
}

// host is the host that the flags name, with its store in that folder.
func (a *app) host(store string) *host.Host { return a.hostWatched(store, a.watchCommand(store)) }

func (a *app) hostWatched(store string, watch []string) *host.Host {
	return a.newHost(store, watch, observer{a})
}

// hostFor is the same, for another observer.
func (a *app) hostFor(store string, o host.Observer) *host.Host {
	return a.newHost(store, a.watchCommand(store), o)
}

func (a *app) newHost(store string, watch []string, o host.Observer) *host.Host {
	engine := a.engine.Options()
	engine.UserAgent = "dropcap/" + version()
	return host.New(host.Config{Store: store, Watch: watch, Observer: o, Engine: engine})
}

// observer shows on standard error what a host reports, and asks there.
type observer struct{ *app }

func (o observer) Progress(p host.Progress) {
	switch p := p.(type) {
	case host.Looked:
		if o.looked != nil {
			o.looked(p.Done, p.Total)
		}
	case host.PlanMade:
		if o.showPlan {
			look := o.options(outputFlags{})
			look.Details, look.Applying = o.details, true
			if err := render.Plan(o.err, "text", p.Plan, look); err != nil {
				o.warn(err)
			}
		}
	case host.Begun:
		o.finished = true
	default:
		if line := o.lines.Of(p); line != "" {
			o.clearLine()
			fmt.Fprintln(o.err, line)
		}
	}
}

func (o observer) Warn(err error) { o.warn(err) }

// Ask asks, unless the answer was given by --yes.
func (o observer) Ask(ctx context.Context, question string) error {
	if o.yes {
		return nil
	}
	return o.confirm(ctx, question)
}

// defaultStore is the folder of the store where --store does not name one: DROPCAP_STORE's, else
// the system's.
func defaultStore() string {
	if folder := os.Getenv("DROPCAP_STORE"); folder != "" {
		return folder
	}
	return doctor.DefaultStore
}

const changeExitHelp = `
Exit status: 0 done, or nothing to do; 1 error; 2 usage; 4 rolled back: the old container runs; 5
putting it back failed: a person is needed; 6 this host can't (no engine, no permission); 7
something was refused or not tried; 130 interrupted, after the step was finished or rolled back.`

// outcome records the result of changes.
func (a *app) outcome(r host.Changed, err error) error {
	if r.Incomplete {
		a.status = dropcap.Worst(a.status, dropcap.ExitIncomplete)
	}
	return err
}

// completeKept offers what one argument may be, out of the store, if there is one: a key pressed in
// a shell makes none.
func completeKept(usual string,
	offer func(context.Context, *store.Store) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		folder := usual
		if given := cmd.Flags().Lookup("store"); given != nil && given.Changed {
			folder = given.Value.String()
		}
		if len(args) > 0 || !store.Exists(folder) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := store.Open(folder)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer s.Close()
		return offer(cmd.Context(), s), cobra.ShellCompDirectiveNoFileComp
	}
}

// withoutFiles keeps shells from offering files to commands that take no arguments.
func withoutFiles(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() && !strings.Contains(cmd.Use, "FILE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		withoutFiles(sub)
	}
}
