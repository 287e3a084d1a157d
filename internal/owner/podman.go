package owner

// podman is no owner itself: its generated units and quadlets label their containers with the
// systemd unit that creates them.
var podman = Kind{
	Name: "podman",
	claim: func(l map[string]string, _ string) (claim, bool) {
		unit := l["PODMAN_SYSTEMD_UNIT"]
		return claim{kind: systemd.Name, service: unit, workload: "systemd:" + unit}, unit != ""
	},
}
