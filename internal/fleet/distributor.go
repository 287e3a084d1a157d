package fleet

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"dropcap"
	"dropcap/internal/printable"
)

var (
	// The API model of Systems Manager: DocumentName, DocumentARN, DocumentVersionName.
	packageForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(
			`^([A-Za-z0-9_.-]{3,128}|arn:aws[a-z-]*:ssm:[a-z0-9-]+:\d{12}:document/[A-Za-z0-9_.-]{3,80})$`)
	})
	packageVersionForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9_.-]{0,128}$`)
	})
	reserved = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?i:aws|amazon|amzn)`)
	})
)

// CheckPackage checks the package's name and the form of a request to Distributor.
func CheckPackage(p dropcap.PackageAction) error {
	switch {
	case !packageForm().MatchString(p.Name) || strings.HasPrefix(p.Name, LookDocument) ||
		strings.HasPrefix(p.Name, ChangeDocument):
		return fmt.Errorf("cannot call a package %q", p.Name)
	case reserved().MatchString(p.Name):
		return fmt.Errorf("cannot call a package %q: names that begin so are AWS's own", p.Name)
	case !packageVersionForm().MatchString(p.Version):
		return fmt.Errorf("cannot ask for version %q of a package: it has letters, digits and . "+
			"_ - only", p.Version)
	}
	return nil
}

// Distributed makes Distributor install or remove a package on nodes, and then asks each node for
// the result. The service's status counts only for nodes that do not answer.
type Distributed struct {
	Scripted
	Places []dropcap.Place
}

// Do returns each node's outcome; on success, the last line of the output says it.
func (d Distributed) Do(ctx context.Context, nodes []dropcap.Node,
	targets []string) ([]ScriptResult, error) {
	if err := CheckPackage(d.Package); err != nil {
		return nil, err
	}
	var old []ScriptResult
	able := slices.DeleteFunc(slices.Clone(nodes), func(n dropcap.Node) bool {
		if unable(n) != nil || !olderThan(n.Agent, 2, 3, 274) {
			// the first with Distributor (user guide, "Distributor prerequisites")
			return false
		}
		r := ScriptResult{Node: n, Host: n.Host()}
		r.fail("agent", "its agent is of version "+printable.Line(n.Agent)+
			", which does not know packages",
			"bring amazon-ssm-agent to 2.3.274 or later, or leave out --distributor")
		old = append(old, r)
		return true
	})
	results, err := d.Scripted.Do(ctx, able)
	if err != nil {
		return nil, err
	}
	run, hosts, err := d.Start(ctx, dropcap.FleetRun{Verb: "hello", Targets: targets}, able, nil)
	if err == nil {
		_, hosts, err = d.Go(ctx, run, hosts, d.Places)
	}
	if err != nil {
		return nil, err
	}
	byHost := map[string]dropcap.FleetHost{}
	for _, h := range hosts {
		byHost[h.Host] = h
	}
	for i := range results {
		d.judge(&results[i], byHost[results[i].Host])
	}
	return append(results, old...), nil
}

// judge compares the service's status of a node with the node's own answer.
func (d Distributed) judge(r *ScriptResult, h dropcap.FleetHost) {
	answers := h.Failure == nil && h.Receipt != nil
	there := ""
	if answers {
		there = printable.Line(h.Receipt.Host.Dropcap)
	}
	wanted := d.Package.Version
	switch {
	case !d.Package.Uninstall && answers && (PackageVersion(there) == wanted ||
		wanted == "" && r.Failure == nil):
		r.good("dropcap " + there + " is there")
	case d.Package.Uninstall && h.Failure != nil && h.Failure.Cause == "not-installed":
		r.good("dropcap is off")
	case r.Failure != nil:
	case answers && d.Package.Uninstall:
		r.fail("version", "Distributor says that it is done, and dropcap "+there+
			" answers still: it was not this package that brought it",
			"`dropcap fleet uninstall` without --distributor, or its package of the system")
	case answers:
		r.fail("version", "Distributor says that it is done, and dropcap "+there+" answers, not "+
			wanted, "another one may come first there: `command -v dropcap`")
	case h.Failure != nil:
		r.Failure = h.Failure
	}
}

func (r *ScriptResult) good(words string) {
	r.Output, r.Failure = dropcap.NodeOutput{Stdout: words}, nil
}

var (
	noFile = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(
			`no manifest found for platform: ([^,\n]*), version [^,\n]*, architecture (\S*)`)
	})
	itself = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`dropcap (?:un)?install: error: (cannot .+)`)
	})
	address = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(https?|s3)://\S+`)
	})
)

// undone says why an agent failed. The agent's text quotes signed addresses, which must not be
// shown.
func (s Scripted) undone(host, stderr string) *dropcap.HostFailure {
	f := &dropcap.HostFailure{Host: host, Cause: "no-package"}
	file, own := noFile().FindStringSubmatch(stderr), itself().FindStringSubmatch(stderr)
	switch {
	case own != nil:
		f.Cause, f.Message = "error", printable.Cut(own[1], maxQuoted)
	case file != nil:
		f.Message = printable.Line("the package " + s.Package.Name + " has nothing for it: " +
			file[1] + ", " + file[2])
		f.Hint = "publish a version that has, with --bin ARCH=FILE, or install there without " +
			"--distributor"
	case strings.Contains(stderr, "failed to download installation package"):
		f.Cause, f.Message = "package",
			"what the agent got of the package is not what its manifest says, or it got nothing; "+
				"nothing of it was run"
		f.Hint = "see that the node reaches S3; the agent's log there tells more"
	case strings.Contains(stderr, "AccessDenied"):
		f.Cause, f.Message, f.Hint = "denied", "the node may not read the package "+s.Package.Name,
			"its role needs ssm:GetManifest and ssm:GetDocument; docs/fleet-iam.md, The nodes"
	case strings.Contains(stderr, "package document is not currently active"):
		f.Message, f.Hint = "the package "+s.Package.Name+" is not ready there yet",
			"try again later"
	case strings.Contains(stderr, "failed to retrieve package document"):
		f.Message = "there is no package " + s.Package.Name
		if s.Package.Version != "" {
			f.Message += " of version " + s.Package.Version
		}
		f.Hint = "--bucket publishes it"
	default:
		line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
		f.Cause, f.Message = "error", "Distributor could not do it: "+
			printable.Cut(address().ReplaceAllString(line, "(an address)"), 300)
	}
	return f
}
