package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/host"
	"dropcap/internal/render"
)

type explainFlags struct {
	format, policy, level, from, store string
	container                          bool
}

func (a *app) explain() *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain [CAPABILITY|CONTAINER]",
		Short: "Tell what a capability is good for, or why a container holds what it holds",
		Long: `Of a capability: what it permits, what an attacker does with it, what confines it in
a container, who needs it, and what breaks without it. Of a container: each capability that it
holds and how it came by it, and what mends its findings. Without an argument: all capabilities, a
line each.
` + exitHelp,
		Example: `  dropcap explain NET_RAW
  dropcap explain web
  dropcap explain --container kill     a container that is named like a capability`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeExplain,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.format != "text" && f.format != "json" {
				return usageError("text or json", "cannot explain in the format %q", f.format)
			}
			return a.runExplain(cmd.Context(), args, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "text", "output: text or json")
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.StringVar(&f.level, "level", "", "how much to demand: cis or least")
	fl.StringVar(&f.from, "from", "", "explain a container of a saved snapshot or audit")
	completeDocument(cmd)
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store, for evidence")
	fl.BoolVar(&f.container, "container", false,
		"the argument is a container, even if it is named like a capability")
	return cmd
}

func (a *app) runExplain(ctx context.Context, args []string, f *explainFlags) error {
	if len(args) == 0 {
		return a.explainAll(f.format)
	}
	name := args[0]
	if c, err := caps.Parse(name); err == nil && !f.container {
		return a.explainCap(c, f.format)
	}
	if strings.HasPrefix(strings.ToUpper(name), "CAP_") && !f.container {
		return unknownCapability(name)
	}
	err := a.explainContainer(ctx, name, f)
	return alsoCapability(err, name)
}

func unknownCapability(name string) error {
	hint := "`dropcap explain` lists the capabilities; a container of that name: --container"
	if near, ok := caps.Nearest(name); ok {
		hint = "did you mean " + near.Short() + "? " + hint
	}
	return usageError(hint, "cannot explain %q: it is not a capability", name)
}

// alsoCapability adds the nearest capability to the hint for a name that is neither.
func alsoCapability(err error, name string) error {
	near, ok := caps.Nearest(name)
	if err == nil || !ok {
		return err
	}
	var e *dropcap.Error
	if !errors.As(err, &e) || !errors.Is(err, dropcap.ErrNotFound) {
		return err
	}
	return &dropcap.Error{
		Code: e.Code, Err: e.Err, Message: e.Message,
		Hint: "if a capability is meant, did you mean " + near.Short() + "? " + e.Hint,
	}
}

func (a *app) explainCap(c caps.Cap, format string) error {
	if format == "json" {
		return writeJSON(a.out, c.Knowledge())
	}
	return render.Capability(a.out, c.Knowledge(), a.options(outputFlags{}))
}

func (a *app) explainAll(format string) error {
	var all []caps.Knowledge
	for c := range caps.Last + 1 {
		all = append(all, c.Knowledge())
	}
	if format == "json" {
		return writeJSON(a.out, all)
	}
	return render.Capabilities(a.out, all, a.options(outputFlags{}))
}

func (a *app) explainContainer(ctx context.Context, name string, f *explainFlags) error {
	p, err := a.loadPolicy(ctx, f.policy, f.level)
	if err != nil {
		return err
	}
	q := host.AuditRequest{SeeRequest: host.SeeRequest{Names: []string{name}}, Policy: p}
	if q.Saved, err = a.saved(ctx, q, f.from); err != nil {
		return err
	}
	e, r, err := a.host(f.store).Explain(ctx, q)
	if err != nil {
		return err
	}
	if r.Audit.Summary.Unknown > 0 {
		a.status = dropcap.ExitIncomplete
	}
	return a.print([]target{{format: f.format}}, func(w io.Writer, format string,
		o render.Options) error {
		if format == "json" {
			return writeJSON(w, e)
		}
		return render.Explanation(w, e, o)
	}, outputFlags{})
}

func (a *app) completeExplain(cmd *cobra.Command, args []string,
	typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := a.completeContainers(cmd, args, typed)
	return append(names, spellings(typed)...), cobra.ShellCompDirectiveNoFileComp
}

// spellings are all capabilities as somebody writes them.
func spellings(typed string) (names []string) {
	for c := range caps.Last + 1 {
		names = append(names, spelt(c, typed))
	}
	return names
}

// spelt writes a capability the way that somebody has begun to, since shells compare letter by
// letter.
func spelt(c caps.Cap, typed string) string {
	name := c.Short()
	if len(typed) > 1 && strings.HasPrefix("CAP_", strings.ToUpper(typed[:min(4, len(typed))])) {
		name = c.String()
	}
	if typed != "" && typed == strings.ToLower(typed) {
		return strings.ToLower(name)
	}
	return name
}
