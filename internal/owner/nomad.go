package owner

import "strings"

// nomad: only the allocation is always there; with extra_labels the job and task are too. Its
// driver names a container TASK-ALLOCATION.
func nomad(l map[string]string, name string) (claim, bool) {
	const p = "com.hashicorp.nomad."
	alloc, job, group, task := l[p+"alloc_id"], l[p+"job_name"], l[p+"task_group_name"],
		l[p+"task_name"]
	if task == "" {
		task = strings.TrimSuffix(name, "-"+alloc)
	}
	var parts []string
	for _, part := range []string{job, group, task} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return claim{kind: "nomad", project: job, service: task, workload: "nomad:" +
		strings.Join(parts, "/")}, alloc != ""
}
