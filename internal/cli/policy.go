package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/host"
	"dropcap/internal/policy"
)

// loadPolicy reads the named policy, or the first that is found, or takes the built-in one; level,
// if given, replaces its level.
func (a *app) loadPolicy(ctx context.Context, path, level string) (p dropcap.Policy, err error) {
	if path != "" { // named by the user, so trusted like the command line itself
		p, err = namedPolicy(ctx, path)
	} else {
		p, err = a.foundPolicy()
	}
	if err != nil {
		return p, err
	}
	switch l := dropcap.Level(level); l {
	case "":
	case dropcap.LevelCIS, dropcap.LevelLeast:
		p.Level = l
	default:
		return p, usageError("the levels are cis and least", "cannot judge at level %q", level)
	}
	return p, nil
}

func namedPolicy(ctx context.Context, path string) (dropcap.Policy, error) {
	b, err := file.Read(ctx, nil, path, policy.MaxSize)
	if err != nil {
		return dropcap.Policy{}, err
	}
	return policy.Parse(path, b)
}

// foundPolicy says once which policy it takes, and which it does not take.
func (a *app) foundPolicy() (dropcap.Policy, error) {
	var o host.Observer = host.Silent{}
	if !a.policySaid {
		o = observer{a}
	}
	a.policySaid = true
	return a.hostFor("", o).Policy("")
}

func (a *app) policy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check a policy file, or print its JSON Schema",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a policy file",
		Long: "Read a policy file as audit would, and say each mistake with its line and " +
			"column.\n" + exitHelp,
		Example: "  dropcap policy check /etc/dropcap/policy.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := namedPolicy(cmd.Context(), args[0])
			if err == nil {
				fmt.Fprintf(a.out, "%s: level %s, %d keeps, %d waivers\n", oneLine(args[0]),
					p.Level, len(p.Keeps), len(p.Waivers))
			}
			return err
		},
	}
	schema := &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of policy files",
		Long:    "Print the JSON Schema of policy files, for editors and CI.\n" + exitHelp,
		Example: "  dropcap policy schema >policy.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(policy.Schema)
			return err
		},
	}
	cmd.AddCommand(check, schema)
	return cmd
}
