package owner

const swarmID = "com.docker.swarm.service.id"

func swarm(l map[string]string, _ string) (claim, bool) {
	name := l["com.docker.swarm.service.name"]
	return claim{
		kind: "swarm", project: l["com.docker.stack.namespace"], service: name, workload: "swarm:" +
			name,
	}, name != "" && l[swarmID] != ""
}

// SwarmID is the id of the swarm's service that the believed labels name; empty if they name none,
// or what cannot be one.
func SwarmID(l map[string]string) string {
	id := l[swarmID]
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') {
			return ""
		}
	}
	return id
}
