package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/cli/flag"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/printable"
)

type fleetInstallCommand struct {
	flag.Fleet
	binaries      []string
	bucket        string
	documentsOnly bool
	console       bool // the documents for people too
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

--documents also creates the documents for people, which are run from a form of AWS's console:
dropcap-audit, dropcap-plan, dropcap-status, dropcap-apply, dropcap-backout, and the runbooks
dropcap-control and dropcap-control-backout of Automation. docs/aws-console.md is about them.
Without --bucket and --distributor it is for the documents alone.

--distributor NAME goes through Distributor instead: with --bucket the binary becomes a version of
that package of the account, unless it is there; then the hosts' agents install it
(AWS-ConfigureAWSPackage), and each host is asked which dropcap answers. Without --bucket only the
latter two.
` + fleetExitHelp,
		Example: `  dropcap fleet install --documents
  dropcap fleet install --documents-only
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
	f.Fleet.Register(fl, fleetStore(), true)
	fl.StringArrayVar(&f.binaries, "bin", nil,
		"ARCH=FILE, a static binary for amd64 or arm64; may be repeated (default: this one)")
	fl.StringVar(&f.bucket, "bucket", "",
		"bucket through which the binary goes; its object is removed afterwards")
	fl.BoolVar(&f.documentsOnly, "documents-only", false, "only the documents; no host is touched")
	fl.BoolVar(&f.console, "documents", false,
		"also the documents for people, in AWS's console; alone, no host is touched")
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
	if f.console && f.bucket == "" && f.distributor == "" {
		f.documentsOnly = true
	}
	if !f.documentsOnly {
		if _, err := fleet.ParseTargets(f.Targets); err != nil {
			return err
		}
		if f.distributor == "" && f.bucket == "" {
			return usageError("--bucket NAME, or --documents-only for the documents alone",
				"cannot bring the binary to hosts without a bucket")
		}
	}
	c, err := a.control(ctx, &f.Fleet)
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
	if !f.yes && !f.PrintAWS {
		if err := a.confirm(ctx, "Install dropcap "+version()+" on "+strings.Join(f.Targets, " ")+
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
	if f.PrintAWS {
		if f.documentsOnly {
			flag := map[bool]string{true: "--documents", false: "--documents-only"}[f.console]
			fmt.Fprintf(c.app.err, "no command would be sent: %s asks no host\n", flag)
		}
		return nil
	}
	list := fleet.Documents()
	if f.console {
		list = append(list, fleet.ConsoleDocuments()...)
	}
	for _, p := range c.places {
		for _, d := range list {
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
	nodes, failures, err := c.find(ctx, &f.Fleet)
	if err != nil {
		return err
	}
	list, place := map[string]fleet.Binary{}, c.places[0]
	for arch, b := range binaries {
		sum := sha256.Sum256(b)
		digest := hex.EncodeToString(sum[:])
		// of this install alone, which removes it
		key := "dropcap/" + digest + "/" + rand.Text() + "/dropcap"
		if f.PrintAWS {
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

// checkPackage looks at the flags of Distributor.
func (f *fleetInstallCommand) checkPackage() error {
	switch {
	case f.distributor == "" && f.packaged != "":
		return usageError("name the package with --distributor",
			"cannot tell of which package --package-version is meant")
	case f.distributor == "":
		return nil
	case f.bucket != "" && f.packaged != "":
		return usageError("--bucket publishes this dropcap; --package-version installs one that "+
			"is published", "cannot take --bucket and --package-version together")
	case len(f.binaries) > 0 && f.bucket == "":
		return usageError("--bucket NAME publishes it",
			"cannot bring --bin to a package without a bucket")
	case f.bucket != "" && strings.HasPrefix(f.distributor, "arn:"):
		return usageError("leave out --bucket", "cannot publish a package of another account")
	}
	if err := fleet.CheckPackage(dropcap.PackageAction{Name: f.distributor,
		Version: f.packaged}); err != nil {
		return usageError("for example --distributor dropcap", "%s", err)
	}
	return nil
}

// distribute publishes this version, if there is a bucket, and has Distributor install it.
func (c *control) distribute(ctx context.Context, f *fleetInstallCommand) error {
	action, pkg := dropcap.PackageAction{Name: f.distributor, Version: f.packaged},
		dropcap.Package{}
	if f.bucket != "" {
		programs, err := f.read()
		if err != nil {
			return err
		}
		if pkg, err = fleet.NewPackage(version(), programs); err != nil {
			return err
		}
		action.Version = pkg.Version
	}
	var nodes []dropcap.Node
	var failures []dropcap.HostFailure
	if !f.documentsOnly {
		var err error
		if nodes, failures, err = c.find(ctx, &f.Fleet); err != nil {
			return err
		}
		if !f.yes && !f.PrintAWS {
			if err := c.app.confirm(ctx, fmt.Sprintf("Install the package %s on %s?", f.distributor,
				printable.Count(len(nodes), "host"))); err != nil {
				return err
			}
		}
	}
	if err := c.documents(ctx, f); err != nil {
		return err
	}
	if f.bucket != "" && !f.PrintAWS {
		for _, p := range c.places {
			if err := c.publish(ctx, p, f, pkg); err != nil {
				return err
			}
		}
	}
	if f.documentsOnly {
		return nil
	}
	return c.byPackage(ctx, f, nodes, failures, action)
}

// publish makes a version of the package be there in a place. The objects in the bucket are needed
// only until the service has copies.
func (c *control) publish(ctx context.Context, p dropcap.Place, f *fleetInstallCommand,
	pkg dropcap.Package) error {
	there, err := c.client.HasPackage(ctx, p, f.distributor, pkg)
	if err != nil || there {
		return err
	}
	// of this publishing alone, which removes it
	prefix := "dropcap/distributor/" + f.distributor + "/" + pkg.Version + "/" + rand.Text()
	for _, name := range slices.Sorted(maps.Keys(pkg.Files)) {
		key := prefix + "/" + name
		if err := c.client.PutObject(ctx, p, f.bucket, key,
			bytes.NewReader(pkg.Files[name])); err != nil {
			return err
		}
		defer func() {
			if err := c.client.DeleteObject(context.WithoutCancel(ctx), p, f.bucket,
				key); err != nil {
				c.app.warn(err)
			}
		}()
	}
	if err := c.client.PublishPackage(ctx, p, f.distributor, pkg, f.bucket, prefix); err != nil {
		return err
	}
	fmt.Fprintf(c.app.err, "%s: version %s of the package %s is there now\n", p, pkg.Version,
		f.distributor)
	return nil
}

// byPackage has Distributor do it on nodes, and tells what each of them says afterwards.
func (c *control) byPackage(ctx context.Context, f *fleetInstallCommand, nodes []dropcap.Node,
	failures []dropcap.HostFailure, action dropcap.PackageAction) error {
	what := map[bool]string{true: "uninstall", false: "install"}[action.Uninstall]
	d := fleet.Distributed{Scripted: fleet.Scripted{Engine: c.Engine, Package: action,
		Comment: "dropcap " + what}, Places: c.places}
	if f.PrintAWS {
		for _, cmd := range d.Commands(nodes) {
			fmt.Fprintln(c.app.out, aws.PrintAWS(cmd))
		}
		return nil
	}
	results, err := d.Do(ctx, nodes, f.Targets)
	if err != nil {
		return err
	}
	c.app.clearLine()
	return c.outcome(results, failures, what)
}
