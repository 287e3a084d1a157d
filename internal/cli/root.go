package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/printable"
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
	a.engine.register(root.PersistentFlags())
	root.AddCommand(a.audit(), a.learn(), a.evidence(), a.plan(), a.apply(), a.backout(),
		a.recover(), a.prune(), a.history(), a.explain(), a.doctor(), a.policy(), a.version(),
		a.fleet(), a.node())
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

// knownCommand makes `help` of a command that there is not the error that the command itself would
// be.
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

// wrapArgs makes the parser's complaints about arguments and unknown commands usage errors, for the
// whole tree.
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
