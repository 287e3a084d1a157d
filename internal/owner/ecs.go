package owner

func ecs(l map[string]string, _ string) (claim, bool) {
	family, container := l["com.amazonaws.ecs.task-definition-family"],
		l["com.amazonaws.ecs.container-name"]
	return claim{kind: "ecs", project: family, service: container, workload: "ecs:" + family + "/" +
		container}, family != "" && container != ""
}
