package owner

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	composeHash    = "com.docker.compose.config-hash"
)

// compose containers change through its files. Its hash is on containers only, and never on an
// image that compose built (docker/compose pkg/compose/build.go, getImageBuildLabels); every
// compose since 1.3 also writes the other five. Its further labels are not listed: the files came
// with 1.25, dependencies with 2.0, and environment files are only written if some were named, so
// these could come from an image.
var compose = Kind{
	Name: "compose", AcrossHosts: true, Source: SourceCompose,
	claim: func(l map[string]string, _ string) (claim, bool) {
		project, service := l[composeProject], l[composeService]
		return claim{
			project: project, service: service, workload: "compose:" + project + "/" + service,
		}, project != "" && service != ""
	},
	proof: composeHash,
	proven: []string{
		composeProject, composeService, "com.docker.compose.container-number",
		"com.docker.compose.oneoff", "com.docker.compose.version",
	},
	service:   []string{composeProject, composeService},
	dependsOn: composeDependsOn,
	strategies: []dropcap.Strategy{
		dropcap.StrategySource, dropcap.StrategyRecreate, dropcap.StrategyInPlace,
	},
	counts: true,
	comesUndone: "the compose file stays as it is: whenever compose makes it again," +
		" the change is gone",
	fix: func(c dropcap.Container, e caps.Edit) string {
		// The project's name may differ from that of the file's folder: without it, a second
		// project would be started.
		return fmt.Sprintf("in the compose file of project %[1]s, service %[2]s: %[3]s;"+
			" then docker compose -p %[1]s up -d --no-deps %[2]s",
			printable.Shell(c.Owner.Project), printable.Shell(c.Owner.Service),
			words(c.Declared, e, "cap_add", "cap_drop: [%s]", "cap_add: [%s]"))
	},
	privileged: func(c dropcap.Container) string {
		return fmt.Sprintf("in the compose file of project %s, service %s: remove privileged:"+
			" true; add only the devices and cap_add that it needs",
			printable.Shell(c.Owner.Project), printable.Shell(c.Owner.Service))
	},
	restart: func(c dropcap.Container) string {
		return "docker compose -p " + printable.Shell(c.Owner.Project) +
			" restart " + printable.Shell(c.Owner.Service)
	},
	title: "compose",
	lists: func(drop, add []string) string {
		return yamlList("", "cap_drop", drop) + yamlList("", "cap_add", add)
	},
}

// composeDependsOn reads "db:service_healthy:true,cache:service_started:false" (compose-go,
// DependsOnConfig; docker/compose pkg/compose/create.go).
func composeDependsOn(l map[string]string) (services []string) {
	for part := range strings.SplitSeq(l["com.docker.compose.depends_on"], ",") {
		if service, _, _ := strings.Cut(part, ":"); service != "" {
			services = append(services, service)
		}
	}
	return services
}

// ServiceYAML returns the lines of a service in a compose file.
func ServiceYAML(service string, deprivileged bool, is dropcap.Grant) string {
	var b strings.Builder
	fmt.Fprintf(&b, "services:\n  %s:\n", name(service))
	if deprivileged {
		b.WriteString("    privileged: false\n")
	}
	fmt.Fprintf(&b, "    cap_drop: [%s]\n    cap_add: [%s]\n", listed(is.CapDrop),
		listed(is.CapAdd))
	return b.String()
}

// Counted reports whether docker compose would take a container with these labels for one of a
// service's, whether they are believed or not.
func Counted(l map[string]string) bool {
	return l[composeProject] != "" && l[composeService] != "" && l[composeHash] != "" &&
		!strings.EqualFold(l["com.docker.compose.oneoff"], "true")
}

// OfService reports whether the labels make a container one that `docker compose up` would
// re-create for a service. Compose itself trusts all labels that the engine shows.
func OfService(l map[string]string, project, service string) bool {
	return l[composeProject] == project && l[composeService] == service &&
		!strings.EqualFold(l["com.docker.compose.oneoff"], "true")
}
