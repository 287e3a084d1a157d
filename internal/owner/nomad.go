package owner

import (
	"fmt"
	"strings"

	"dropcap"
	"dropcap/caps"
	"dropcap/internal/printable"
)

const nomadLabels = "com.hashicorp.nomad."

// nomad containers change through their job. Of its labels only the allocation is always there;
// with extra_labels the job and task are too. Its driver names a container TASK-ALLOCATION.
var nomad = Kind{
	Name: "nomad", Manager: "Nomad",
	claim: func(l map[string]string, container string) (claim, bool) {
		alloc, job := l[nomadLabels+"alloc_id"], l[nomadLabels+"job_name"]
		group, task := l[nomadLabels+"task_group_name"], l[nomadLabels+"task_name"]
		if task == "" {
			task = strings.TrimSuffix(container, "-"+alloc)
		}
		var parts []string
		for _, part := range []string{job, group, task} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		return claim{project: job, service: task, workload: "nomad:" + strings.Join(parts, "/")},
			alloc != ""
	},
	fix: func(c dropcap.Container, e caps.Edit) string {
		return "in the job's docker task config: " +
			words(c.Declared, e, "cap_add", "cap_drop = [%s]", "cap_add = [%s]")
	},
	privileged: func(dropcap.Container) string {
		return "in the job's docker task config: privileged = false;" +
			" add only the devices and cap_add that it needs"
	},
	text: nomadText,
}

// nomadText: the docker driver's lists; what is added must also be in allow_caps of the client's
// plugin.
func nomadText(c dropcap.Container, is dropcap.Grant) string {
	l := c.LabelValues
	job, group := or(l, nomadLabels+"job_name", "JOB"), or(l, nomadLabels+"task_group_name",
		"GROUP")
	task := or(l, nomadLabels+"task_name", "TASK")
	lower := func(list []string) string {
		var out []string
		for _, n := range caps.ShortNames(list) {
			out = append(out, `"`+strings.ToLower(name(n))+`"`)
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "in the job %s, group %s, task %s:\nconfig {\n", name(job), name(group),
		name(task))
	if deprivileged(c, is) {
		b.WriteString("  privileged = false\n")
	}
	fmt.Fprintf(&b, "  cap_drop = %s\n  cap_add  = %s\n}\n", lower(is.CapDrop), lower(is.CapAdd))
	fmt.Fprintf(&b, "nomad job plan FILE && nomad job run FILE\n"+
		"backout: nomad job revert %[1]s VERSION (nomad job history %[1]s tells it)\n",
		printable.Shell(job))
	return b.String()
}
