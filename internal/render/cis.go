package render

import (
	"fmt"
	"io"
	"strings"

	"dropcap"
)

// auditCIS prints, byte for byte, what the benchmark's own command prints for each container:
//
//	docker inspect --format '{{ .Id }}: CapAdd={{ .HostConfig.CapAdd }} CapDrop={{ .HostConfig.CapDrop }}'
//
// The order is the document's, and nothing is shortened. Only what no capability's name has, and no honest engine stores, is escaped:
// control characters.
func auditCIS(w io.Writer, a dropcap.Audit, _ Options) error {
	var b strings.Builder
	for _, c := range a.Containers {
		fmt.Fprintf(&b, "%s: CapAdd=%s CapDrop=%s\n", visible(c.ID), inspected(c.Declared.Add), inspected(c.Declared.Drop))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// inspected prints a list as docker's template does. ".Id" is no field of the client's struct, so docker runs the template again over
// the decoded JSON (docker/cli inspect/inspector.go, tryRawInspectFallback), where text/template says "<no value>" for null.
func inspected(list []string) string {
	if list == nil {
		return "<no value>"
	}
	return visible(fmt.Sprint(list))
}
