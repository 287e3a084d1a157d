package fleet

import (
	"fmt"
	"strings"
	"time"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

// The limits of a host's output for AgentlessLines.
const (
	mostAgentless = 16 << 20 // bytes
	mostListed    = 256      // names in a list
)

// agentlessWhy is why no verdict can be a pass: the output shows neither --privileged, nor whether
// the container runs, nor its processes.
const agentlessWhy = "only what it declares was read (no dropcap on the host): neither " +
	"--privileged nor its processes were seen"

// AgentlessLines is the control's own command, for AWS-RunShellScript.
func AgentlessLines() []string {
	return []string{`docker ps --quiet --all | xargs docker inspect --format '{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }} CapDrop={{ .HostConfig.CapDrop }}'`}
}

// Agentless parses a node's output for AgentlessLines into a snapshot without the kernel's data:
// its containers have findings by their declaration, and are unknown at best. Truncated output, or
// a line that the command would not print, is an error, so that the host counts as failed.
func Agentless(node dropcap.Node, out dropcap.NodeOutput, now time.Time) (dropcap.Snapshot, error) {
	defaults, all := caps.DockerDefaults, caps.UpTo(caps.Last)
	s := dropcap.Snapshot{
		Schema: dropcap.SchemaSnapshot, Created: now.UTC().Format(time.RFC3339),
		Containers: []dropcap.Container{},
		Host: dropcap.Host{
			ID: node.Host(), Name: node.ID, LSM: []string{}, Engine: dropcap.Engine{Name: "docker"},
			Defaults: &defaults, Grantable: &all, GrantableFrom: "assumed",
		},
	}
	if err := agentlessError(node, out); err != nil {
		return dropcap.Snapshot{}, err
	}
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(out.Stdout) {
		n++
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			continue
		}
		c, ok := agentlessLine(line)
		if !ok || seen[c.ID] {
			return dropcap.Snapshot{}, dropcap.Errorf(dropcap.CodeIncomplete,
				"look at the node's output in the console, or install dropcap there: dropcap "+
					"fleet install",
				"cannot read what %s printed: line %d is not what docker inspect prints", node.ID,
				n)
		}
		seen[c.ID] = true
		predictAgentless(&c, caps.Grants{Defaults: defaults, All: all})
		s.Containers = append(s.Containers, c)
	}
	return s, nil
}

// agentlessError reports whether the command failed. Without containers xargs runs
// docker inspect with no argument, which is an error of that and none of the host's; a container
// that vanished meanwhile is none either.
func agentlessError(node dropcap.Node, out dropcap.NodeOutput) error {
	text := out.Stdout + out.Stderr
	switch {
	case out.Refused != "":
		return dropcap.Errorf(dropcap.CodeIncomplete,
			"see who may write into the bucket (docs/fleet-iam.md)", "cannot judge %s: %s", node.ID,
			printable.Units(out.Refused, 300))
	case len(out.Stdout) > mostAgentless:
		return dropcap.Errorf(dropcap.CodeIncomplete,
			"install dropcap on the host: dropcap fleet install",
			"cannot read what %s printed: it has %d bytes", node.ID, len(out.Stdout))
	case strings.Contains(strings.ToLower(text), "output truncated--") ||
		strings.Contains(strings.ToLower(text), "error truncated--"):
		return dropcap.Errorf(dropcap.CodeIncomplete,
			"give a bucket for whole outputs, or install dropcap on the host: dropcap fleet install",
			"cannot judge %s: Run Command cut its output off, so containers are missing from it",
			node.ID)
	case out.Exit == 0:
		return nil
	}
	for line := range strings.Lines(out.Stderr) {
		l := strings.TrimSpace(line)
		switch {
		case l == "", strings.HasPrefix(l, "failed to run commands: exit status "):
		case strings.HasPrefix(l, "See 'docker inspect --help'"), strings.HasPrefix(l, "Usage:"),
			strings.HasPrefix(l, "Return low-level information"),
			strings.HasPrefix(l, "Run 'docker inspect --help'"):
		case strings.Contains(l, "requires at least 1 argument") &&
			strings.TrimSpace(out.Stdout) == "":
		case strings.Contains(strings.ToLower(l), "no such object: "):
		default:
			return dropcap.Errorf(dropcap.CodeHost,
				"see that Docker runs on the host and that root may use it",
				"cannot ask Docker on %s: %s", node.ID, printable.Units(l, 200))
		}
	}
	if out.Exit < 0 || strings.TrimSpace(out.Stderr) == "" {
		return dropcap.Errorf(dropcap.CodeIncomplete, "ask it again",
			"cannot judge %s: the command did not run to its end (%s)", node.ID,
			printable.Units(out.Status, 40))
	}
	return nil
}

// agentlessLine reads "ID: CapAdd=[A B] CapDrop=<no value>".
func agentlessLine(line string) (dropcap.Container, bool) {
	id, rest, ok := strings.Cut(line, ": CapAdd=")
	if !ok || len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return dropcap.Container{}, false
	}
	add, drop, ok := strings.Cut(rest, " CapDrop=")
	if !ok {
		return dropcap.Container{}, false
	}
	c := dropcap.Container{ID: id, Name: id[:12], Owner: dropcap.Owner{Kind: "docker"},
		Labels: []string{}, ImageLabels: []string{}, Execs: []dropcap.Exec{}}
	c.Kernel = dropcap.Kernel{WhyNot: agentlessWhy, Processes: []dropcap.Process{}}
	if c.Declared.Add, ok = goList(add); !ok {
		return c, false
	}
	c.Declared.Drop, ok = goList(drop)
	return c, ok
}

// goList parses a list as Go prints it; a missing list is nil.
func goList(s string) ([]string, bool) {
	switch s {
	case "<nil>", "<no value>":
		return nil, true
	}
	inner, ok := strings.CutPrefix(s, "[")
	if !ok {
		return nil, false
	}
	if inner, ok = strings.CutSuffix(inner, "]"); !ok || strings.ContainsAny(inner, "[]") {
		return nil, false
	}
	names := strings.Fields(inner)
	return names, len(names) <= mostListed
}

// predictAgentless sets what the engine would grant for the declaration, as far as known; the
// command does not print --privileged.
func predictAgentless(c *dropcap.Container, g caps.Grants) {
	set, err := g.Predict(c.Declared)
	if err != nil {
		c.WhyNot = fmt.Sprint(err)
		return
	}
	c.Predicted = &set
}
