package render

import (
	"dropcap"
	"dropcap/caps"
)

// ruleText explains a rule, for formats with a catalogue of rules beside the findings.
type ruleText struct {
	title    string
	help     string
	severity caps.Severity // the usual one; a finding's own may differ
}

var ruleTexts = map[dropcap.Rule]ruleText{
	dropcap.RulePrivileged: {
		"A container is privileged",
		"--privileged grants every capability that the engine has, all devices, and turns " +
			"seccomp and AppArmor off: a process in it is root on the host. " +
			"Drop --privileged and add back only the capabilities and devices that the workload " +
			"needs.", caps.Critical,
	},
	dropcap.RuleNetRaw: {
		"A container holds NET_RAW without need",
		"CAP_NET_RAW lets a process forge and capture packets on the container's network. Docker " +
			"grants it by default. " +
			"Since 20.10 ordinary ping works without it. What a container's processes gave up " +
			"counts too, since a restart, an exec or a health check gets it back. Drop it unless " +
			"evidence or the policy says that the workload needs it.", caps.High,
	},
	dropcap.RuleAdded: {
		"A container holds capabilities beyond the defaults",
		"cap_add grants what the engine withholds by default, since each of these lets a process " +
			"reach beyond its container. " +
			"Remove what the workload does not need, or say in the policy why it is kept.",
		caps.High,
	},
	dropcap.RuleUnneeded: {
		"A container holds capabilities that nothing supports",
		"At level least a container may hold only what evidence or the policy says that it " +
			"needs. Drop ALL and add back what is needed.", caps.Medium,
	},
	dropcap.RuleDrift: {
		"A process holds more than its container was granted",
		"The kernel shows capabilities that the container's configuration does not explain, such " +
			"as those of a docker exec --privileged. " +
			"End that process, or declare what it needs.", caps.Critical,
	},
	dropcap.RuleReverted: {
		"A change was undone",
		"Capabilities that dropcap removed are back: somebody re-created the container from its " +
			"old definition. Change the definition itself.", caps.Medium,
	},
	dropcap.RuleInert: {
		"A declaration does nothing",
		"A declared list has no effect, such as cap_drop on a privileged container, and gives a " +
			"false sense of safety.", caps.Medium,
	},
	dropcap.RuleUnseen: {
		"What a container holds could not be seen",
		"The kernel's word on the container's processes is out of reach (a remote engine, a " +
			"sandboxed runtime, or missing permission), or the engine does not tell what the " +
			"configuration grants, so there is no verdict. " +
			"Run dropcap as root on the engine's own host.", caps.Medium,
	},
	dropcap.RuleWaiver: {
		"A waiver is expired or matches nothing",
		"A waiver accepts a finding for a time. One that has expired, or that no container " +
			"matches, should be renewed or deleted.", caps.Low,
	},
}
