package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/printable"
)

type fleetInstallCommand struct {
	fleetFlags
	binaries      []string
	bucket        string
	documentsOnly bool
	purge, force  bool
	yes           bool
	expires       time.Duration
	distributor   string // name of a package
	packaged      string // its version
}

func (a *app) fleetInstall() *cobra.Command {
	f := &fleetInstallCommand{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put dropcap on hosts, and its documents into Systems Manager",
		Long: `Create dropcap's two Command documents (dropcap-look, dropcap-change) where they are
missing or old, so that nobody needs AWS-RunShellScript, which is root everywhere; and bring this
binary to the hosts: by a presigned address in --bucket, verified by SHA-256 in a folder of root's
before it may run. A host that has this very binary already is left alone.

Installing sends a script, so it goes through AWS-RunShellScript; nothing else needs to.
docs/fleet-iam.md has a policy for it.

--distributor NAME goes through Distributor instead: with --bucket the binary becomes a version of
that package of the account, unless it is there; then the hosts' agents install it
(AWS-ConfigureAWSPackage), and each host is asked which dropcap answers. Without --bucket only the
latter two.
` + fleetExitHelp,
		Example: `  dropcap fleet install --documents-only
  dropcap fleet install --targets tag:role=web --bucket my-bucket
  dropcap fleet install --targets all --bucket my-bucket --bin amd64=dist/dropcap-amd64 --bin arm64=dist/dropcap-arm64
  dropcap fleet install --distributor dropcap --bucket my-bucket --targets tag:role=web
  dropcap fleet install --distributor dropcap --package-version 1.2.3 --targets all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runFleetInstall(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	f.fleetFlags.register(fl, true)
	fl.StringArrayVar(&f.binaries, "bin", nil,
		"ARCH=FILE, a static binary for amd64 or arm64; may be repeated (default: this one)")
	fl.StringVar(&f.bucket, "bucket", "",
		"bucket through which the binary goes; its object is removed afterwards")
	fl.BoolVar(&f.documentsOnly, "documents-only", false, "only the documents; no host is touched")
	fl.StringVar(&f.distributor, "distributor", "",
		"install through Distributor, by this package of the account")
	fl.StringVar(&f.packaged, "package-version", "",
		"which version of a package that is published already (default: its default version)")
	fl.DurationVar(&f.expires, "expires", time.Hour,
		"for how long the address of the binary is valid")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) runFleetInstall(ctx context.Context, f *fleetInstallCommand) error {
	if err := f.checkPackage(); err != nil {
		return err
	}
	if !f.documentsOnly {
		if _, err := targetsOf(f.targets); err != nil {
			return err
		}
		if f.distributor == "" && f.bucket == "" {
			return usageError("--bucket NAME, or --documents-only for the documents alone",
				"cannot bring the binary to hosts without a bucket")
		}
	}
	c, err := a.control(ctx, &f.fleetFlags)
	if err != nil {
		return err
	}
	defer c.close()
	if f.distributor != "" {
		return c.distribute(ctx, f)
	}
	if f.documentsOnly {
		return c.documents(ctx, f)
	}
	binaries, err := f.read()
	if err != nil {
		return err
	}
	if !f.yes && !f.printAWS {
		if err := a.confirm(ctx, "Install dropcap "+version()+" on "+strings.Join(f.targets, " ")+
			"?"); err != nil {
			return err
		}
	}
	if err := c.documents(ctx, f); err != nil {
		return err
	}
	return c.install(ctx, f, binaries)
}

// documents creates or renews dropcap's documents in all places.
func (c *control) documents(ctx context.Context, f *fleetInstallCommand) error {
	if f.printAWS {
		if f.documentsOnly {
			fmt.Fprintln(c.app.err, "no command would be sent: --documents-only asks no host")
		}
		return nil
	}
	for _, p := range c.places {
		for _, d := range fleet.Documents() {
			changed, err := c.client.EnsureDocument(ctx, p, d.Name, d.Content)
			if err != nil {
				return err
			}
			if changed {
				fmt.Fprintf(c.app.err, "%s: document %s is there now\n", p, d.Name)
			}
		}
	}
	return nil
}

// read reads the binaries, by architecture.
func (f *fleetInstallCommand) read() (map[string][]byte, error) {
	list := map[string]string{}
	for _, s := range f.binaries {
		arch, file, ok := strings.Cut(s, "=")
		if !ok || arch != "amd64" && arch != "arm64" {
			return nil, usageError("for example --bin arm64=dist/dropcap-arm64",
				"cannot read --bin %q", s)
		}
		list[arch] = file
	}
	if len(list) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		list[architecture] = self
	}
	out := map[string][]byte{}
	for arch, file := range list {
		b, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return nil, dropcap.Errorf(dropcap.CodeError, "", "cannot read %s: %w", file,
				host.Cause(err))
		}
		out[arch] = b
	}
	return out, nil
}

// install uploads the binaries for as long as it takes, and has the hosts fetch them.
func (c *control) install(ctx context.Context, f *fleetInstallCommand,
	binaries map[string][]byte) error {
	nodes, failures, err := c.find(ctx, &f.fleetFlags)
	if err != nil {
		return err
	}
	list, place := map[string]fleet.Binary{}, c.places[0]
	for arch, b := range binaries {
		sum := sha256.Sum256(b)
		digest := hex.EncodeToString(sum[:])
		// of this install alone, which removes it
		key := "dropcap/" + digest + "/" + rand.Text() + "/dropcap"
		if f.printAWS {
			// nothing is sent, so there is no address yet
			list[arch] = fleet.Binary{URL: "https://" + f.bucket + ".s3." + place.Region +
				".amazonaws.com/" + key + "?PRESIGNED", SHA256: digest, Size: int64(len(b))}
			continue
		}
		if err := c.client.PutObject(ctx, place, f.bucket, key, bytes.NewReader(b)); err != nil {
			return err
		}
		defer func() {
			if err := c.client.DeleteObject(context.WithoutCancel(ctx), place, f.bucket,
				key); err != nil {
				c.app.warn(err)
			}
		}()
		url, err := c.client.PresignGet(ctx, place, f.bucket, key, f.expires)
		if err != nil {
			return err
		}
		list[arch] = fleet.Binary{URL: url, SHA256: digest, Size: int64(len(b))}
	}
	lines, err := fleet.InstallLines(version(), list["amd64"], list["arm64"])
	if err != nil {
		return err
	}
	return c.script(ctx, f, nodes, failures, lines, "install")
}

func (a *app) fleetUninstall() *cobra.Command {
	f := &fleetInstallCommand{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take dropcap off hosts",
		Long: `Remove the binary, its units and its configuration from hosts; with --purge the
store too, and its documents where --targets all is given. A host that retains containers of
changes for their backout is left alone: prune or back out first. What came by Distributor goes by
--distributor NAME, and with --purge and --targets all that package of the account too.
` + fleetExitHelp,
		Example: `  dropcap fleet uninstall --targets tag:role=web
  dropcap fleet uninstall --targets all --purge --yes
  dropcap fleet uninstall --distributor dropcap --targets tag:role=web`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runFleetUninstall(cmd.Context(), f)
		},
	}
	f.fleetFlags.register(cmd.Flags(), true)
	cmd.Flags().BoolVar(&f.purge, "purge", false,
		"also the store: evidence and history are gone then")
	cmd.Flags().BoolVar(&f.force, "force", false, "also where changes could be backed out still")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&f.distributor, "distributor", "",
		"through Distributor, by this package of the account")
	return cmd
}

func (a *app) runFleetUninstall(ctx context.Context, f *fleetInstallCommand) error {
	if err := f.checkPackage(); err != nil {
		return err
	}
	c, err := a.control(ctx, &f.fleetFlags)
	if err != nil {
		return err
	}
	defer c.close()
	nodes, failures, err := c.find(ctx, &f.fleetFlags)
	if err != nil {
		return err
	}
	if !f.yes && !f.printAWS {
		if err := a.confirm(ctx, fmt.Sprintf("Remove dropcap from %s?",
			printable.Count(len(nodes), "host"))); err != nil {
			return err
		}
	}
	if f.distributor != "" {
		err = c.byPackage(ctx, f, nodes, failures, dropcap.PackageAction{Uninstall: true,
			Name: f.distributor, Purge: f.purge, Force: f.force})
	} else {
		err = c.script(ctx, f, nodes, failures, fleet.UninstallLines(f.purge, f.force), "uninstall")
	}
	if t, _ := targetsOf(f.targets); err != nil || !f.purge || !t.All || f.printAWS {
		return err
	}
	for _, p := range c.places {
		for _, d := range fleet.Documents() {
			if err := c.client.RemoveDocument(ctx, p, d.Name); err != nil {
				return err
			}
		}
		if f.distributor != "" && !strings.HasPrefix(f.distributor, "arn:") {
			// another account's is not ours to remove
			if err := c.client.RemovePackage(ctx, p, f.distributor); err != nil {
				return err
			}
		}
	}
	return nil
}

// script runs lines on nodes once and tells each host's last line. It changes no container, so it
// needs no receipt: doing it again is harmless.
func (c *control) script(ctx context.Context, f *fleetInstallCommand, nodes []dropcap.Node,
	failures []dropcap.HostFailure, lines []string, what string) error {
	ask := fleet.Scripted{Engine: c.Engine, Lines: lines, Comment: "dropcap " + what}
	if f.printAWS {
		for _, cmd := range ask.Commands(nodes) {
			fmt.Fprintln(c.app.out, aws.PrintAWS(cmd))
		}
		return nil
	}
	results, err := ask.Do(ctx, nodes)
	if err != nil {
		return err
	}
	return c.outcome(results, failures, what)
}

// outcome tells each host's last line, or why there is none.
func (c *control) outcome(results []fleet.ScriptResult, failures []dropcap.HostFailure,
	what string) error {
	good := 0
	for _, r := range results {
		if r.Failure != nil {
			failures = append(failures, *r.Failure)
			continue
		}
		good++
		fmt.Fprintf(c.app.out, "%s: %s\n", r.Host, oneLine(r.Last()))
	}
	for _, x := range failures {
		c.app.warn(fmt.Errorf("%s: %s%s", x.Host, x.Message, asHint(x.Hint)))
		c.app.status = dropcap.Worst(c.app.status, dropcap.ExitIncomplete)
	}
	if good == 0 && len(failures) > 0 {
		return dropcap.Errorf(dropcap.CodeError, "", "cannot %s dropcap on any host", what)
	}
	return nil
}
