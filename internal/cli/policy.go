package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/host"
	"dropcap/internal/policy"
)

// The places where a policy is looked for. Root takes none from the working folder, which may be anybody's.
const (
	systemPolicy = "/etc/dropcap/policy.yaml"
	folderPolicy = "dropcap.yaml"
)

// loadPolicy reads the named policy, or the first that is found, or takes the built-in one; level, if given, replaces its level.
func loadPolicy(ctx context.Context, path, level string) (dropcap.Policy, error) {
	p := policy.BuiltIn()
	file, err := findPolicy(path)
	if err != nil {
		return p, err
	}
	if file != "" {
		b, err := readAll(ctx, nil, file, policy.MaxSize)
		if err != nil {
			return p, err
		}
		if p, err = policy.Parse(file, b); err != nil {
			return p, err
		}
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

// findPolicy gives the policy's file; empty if there is none.
func findPolicy(path string) (string, error) {
	if path != "" {
		return path, nil // named by the user, so trusted like the command line itself
	}
	root := os.Geteuid() == 0
	candidates := []string{systemPolicy}
	if !root {
		candidates = append(candidates, folderPolicy)
	}
	for _, c := range candidates {
		i, err := os.Stat(c)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", dropcap.Errorf(dropcap.CodeError, "", "cannot read the policy %s: %w", c, host.Cause(err))
		}
		if root {
			if why := othersMayWrite(i); why != "" {
				return "", dropcap.Errorf(dropcap.CodeError, fmt.Sprintf("chown root:root %s; chmod 644 %s", c, c), "cannot trust the policy %s: %s", c, why)
			}
		}
		return c, nil
	}
	return "", nil
}

// othersMayWrite says in which way somebody who is not root may change the file; empty if nobody may.
func othersMayWrite(i fs.FileInfo) string {
	if s, ok := i.Sys().(*syscall.Stat_t); ok && s.Uid != 0 {
		return fmt.Sprintf("it belongs to user %d, not to root", s.Uid)
	}
	if i.Mode().Perm()&0o022 != 0 {
		return "its group or others may write it"
	}
	return ""
}

func (a *app) policy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check a policy file, or print its JSON Schema",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	check := &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a policy file",
		Long:    "Read a policy file as audit would, and say each mistake with its line and column.\n" + exitHelp,
		Example: "  dropcap policy check /etc/dropcap/policy.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := loadPolicy(cmd.Context(), args[0], "")
			if err == nil {
				fmt.Fprintf(a.out, "%s: level %s, %d keeps, %d waivers\n", oneLine(args[0]), p.Level, len(p.Keeps), len(p.Waivers))
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
