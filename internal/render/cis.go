package render

import (
	"fmt"
	"io"
	"strings"
)

// auditCIS prints, byte for byte, what the benchmark's own command prints for each container:
//
//	docker inspect --format '{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }} CapDrop={{ .HostConfig.CapDrop }}'
//
// The order is the document's, and nothing is shortened. Only what no capability's name has, and no
// honest engine stores, is escaped: control characters. A container that cannot be read has a line
// that begins with #. In a fleet a line of its own, which begins with #, names the host before its
// containers.
func auditCIS(w io.Writer, s audits, _ Options) error {
	var b strings.Builder
	for d, a := range s.each {
		if s.fleet != nil {
			b.WriteString("# " + visible(d.Host) + "\n")
		}
		for _, c := range a.Containers {
			if c.Unread != "" { // that command would print nothing for it
				b.WriteString("# " + visible(c.ID) + ": cannot be read: " + visible(c.Unread) +
					"\n")
				continue
			}
			fmt.Fprintf(&b, "%s: CapAdd=%s CapDrop=%s\n", visible(c.ID), inspected(c.Declared.Add),
				inspected(c.Declared.Drop))
		}
	}
	for _, f := range s.failures {
		b.WriteString("# " + visible(f.Host) + ": " + visible(f.Cause) + ": " + visible(f.Message) +
			"\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// inspected prints a list as docker's template does. ".Id" is no field of the client's struct, so
// docker runs the template again over the decoded JSON (docker/cli inspect/inspector.go,
// tryRawInspectFallback), where text/template says "<no value>" for null.
func inspected(list []string) string {
	if list == nil {
		return "<no value>"
	}
	return visible(fmt.Sprint(list))
}
