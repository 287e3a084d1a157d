package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/printable"
)

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
		if nodes, failures, err = c.find(ctx, &f.fleetFlags); err != nil {
			return err
		}
		if !f.yes && !f.printAWS {
			if err := c.app.confirm(ctx, fmt.Sprintf("Install the package %s on %s?", f.distributor,
				printable.Count(len(nodes), "host"))); err != nil {
				return err
			}
		}
	}
	if err := c.documents(ctx, f); err != nil {
		return err
	}
	if f.bucket != "" && !f.printAWS {
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
	if f.printAWS {
		for _, cmd := range d.Commands(nodes) {
			fmt.Fprintln(c.app.out, aws.PrintAWS(cmd))
		}
		return nil
	}
	results, err := d.Do(ctx, nodes, f.targets)
	if err != nil {
		return err
	}
	c.app.clearLine()
	return c.outcome(results, failures, what)
}
