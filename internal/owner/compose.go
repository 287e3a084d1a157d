package owner

import "strings"

// composeHash is on containers only, and never on an image that compose built (docker/compose
// pkg/compose/build.go, getImageBuildLabels).
const composeHash = "com.docker.compose.config-hash"

// composeIdentity are what every compose since 1.3 writes on each container along with the hash.
// Its other labels are not among them: the files came with 1.25, dependencies with 2.0, the
// environment's files are only written where some were named, and so an image's own could stand.
var composeIdentity = []string{
	"com.docker.compose.project", "com.docker.compose.service",
	"com.docker.compose.container-number", "com.docker.compose.oneoff",
	"com.docker.compose.version",
}

func compose(l map[string]string, _ string) (claim, bool) {
	project, service := l["com.docker.compose.project"], l["com.docker.compose.service"]
	return claim{kind: "compose", project: project, service: service, workload: "compose:" +
		project + "/" + service}, project != "" && service != ""
}

// OfService tells whether labels say that a container is one of those that `docker compose up`
// would make again for a service. Compose itself believes whatever the engine shows it.
func OfService(l map[string]string, project, service string) bool {
	return l["com.docker.compose.project"] == project &&
		l["com.docker.compose.service"] == service &&
		!strings.EqualFold(l["com.docker.compose.oneoff"], "true")
}

// SameService tells whether two containers' believed labels name the same service of compose or
// swarm.
func SameService(a, b map[string]string) bool {
	for _, names := range [][]string{{swarmID},
		{"com.docker.compose.project", "com.docker.compose.service"}} {
		same := true
		for _, n := range names {
			same = same && a[n] != "" && a[n] == b[n]
		}
		if same {
			return true
		}
	}
	return false
}
