package owner

// podman: its generated units and quadlets label their containers with the unit of systemd that
// makes them.
func podman(l map[string]string, _ string) (claim, bool) {
	unit := l["PODMAN_SYSTEMD_UNIT"]
	return claim{kind: "systemd", service: unit, workload: "systemd:" + unit}, unit != ""
}
