package policy_test

import "strings"

// sample is a policy file with Parse's expected problems. The same samples are checked against the
// schema.
type sample struct {
	name string
	file string
	want []string // "LINE:COLUMN: message", in order; none if the file is good
	hint string   // part of the first problem's hint
	// beyond marks what a schema cannot detect: the file's value is valid.
	beyond bool
}

// waiver returns a valid one, with some parts replaced.
func waiver(replace ...string) string {
	parts := []string{"containers: {name: web}", "capabilities: [NET_RAW]",
		"owner: ops@example.org", "reason: ping", "expires: 2026-12-31"}
	for i := 0; i < len(replace); i += 2 {
		for j, p := range parts {
			if strings.HasPrefix(p, replace[i]) {
				parts[j] = replace[i+1]
			}
		}
	}
	lines := strings.Join(parts, "\n    ")
	return "waivers:\n  - " + strings.ReplaceAll(lines, "\n    \n", "\n") + "\n"
}

func keep(capabilities string) string {
	return "keep:\n  - {containers: {image: a}, capabilities: " + capabilities + ", reason: r}\n"
}

func harden(line string) string {
	return "harden:\n  - containers: {name: web}\n    " + line + "\n"
}

var good = []sample{
	{name: "level alone", file: "level: least\n"},
	{name: "no key", file: "{}\n"},
	{name: "byte order mark", file: "\ufefflevel: cis\n"},
	{name: "Windows lines", file: "level: cis\r\nkeep: []\r\n"},
	{name: "document marks", file: "---\nlevel: cis\n...\n"},
	{name: "JSON", file: `{"level": "cis", "keep": [], "waivers": []}`},
	{name: "waiver", file: waiver()},
	{name: "date in quotes", file: waiver("expires", `expires: "2028-02-29"`)},
	{name: "moment", file: waiver("expires", "expires: 2026-12-31T18:00:00+02:00")},
	{name: "moment with a fraction", file: waiver("expires", "expires: 2026-12-31T18:00:00.25Z")},
	{name: "ALL in a waiver", file: waiver("capabilities", "capabilities: [all]")},
	{name: "any spelling", file: keep("[net_admin, CAP_NET_RAW, Cap_Chown, cap_63]")},
	{name: "number without a name", file: keep("[CAP_41, '63']")},
	{name: "all selectors", file: "keep:\n  - containers: {name: 'vpn*', image: " +
		"'r/*/vpn:[0-9]*', label: role=vpn, workload: 'compose:shop/*'}\n" +
		"    capabilities: [NET_ADMIN]\n    reason: builds tunnels\n"},
	{name: "harden", file: "harden:\n  - containers: {name: '*'}\n    learn: 7d\n    trial: 0\n" +
		"    watch: 1d12h\n    window: '22:30-01:00'\n    approve: true\n    add-back: false\n" +
		"    level: cis\n"},
	{name: "a window without quotes", file: harden("window: 02:00-05:00")},
	{name: "a value with = in a label",
		file: "keep: [{containers: {label: 'a=b=c'}, capabilities: [KILL], reason: r}]"},
}

var bad = []sample{
	{name: "empty", file: "", want: []string{"1:1: the file is empty"}, hint: "level: cis"},
	{name: "comment alone", file: "# level: cis\n", want: []string{"1:1: the file is empty"}},
	{name: "nothing", file: "---\n",
		want: []string{"2:1: a policy must be keys with values, not nothing"},
		hint: "level, keep, waivers"},
	{name: "a list", file: "- level\n",
		want: []string{"1:1: a policy must be keys with values, not a list"}},
	{name: "unknown key", file: "levle: cis\n", want: []string{`1:1: unknown key "levle"`},
		hint: `did you mean "level"? The keys of a policy are level, keep, waivers`},
	{name: "far unknown key", file: "rules: []\n", want: []string{`1:1: unknown key "rules"`},
		hint: "the keys of a policy are"},
	{name: "unknown level", file: "level: lest\n", want: []string{`1:8: unknown level "lest"`},
		hint: `did you mean "least"?`},
	{name: "level of another type", file: "level: 1\n",
		want: []string{`1:8: "level" must be text, not a number`}},
	{name: "level without value", file: "level:\n",
		want: []string{`1:7: "level" must be text, not nothing`}},
	{name: "level in another case", file: "level: CIS\n",
		want: []string{`1:8: unknown level "CIS"`}, hint: `"cis"`},
	{name: "keep without items", file: "level: cis\nkeep:\n",
		want: []string{`2:6: "keep" must be a list, not nothing`}, hint: "[]"},
	{name: "keep as keys", file: "keep: {reason: r}\n",
		want: []string{`1:7: "keep" must be a list, not keys with values`}},
	{name: "keep of text", file: "keep: [vpn]\n",
		want: []string{"1:8: a keep must be keys with values, not text"},
		hint: "containers, capabilities, reason"},
	{name: "keep of nothing in it", file: "keep: [{}]\n", want: []string{
		`1:8: a keep needs the key "containers"`, `1:8: a keep needs the key "capabilities"`,
		`1:8: a keep needs the key "reason"`}},
	{name: "waiver's key in a keep",
		file: "keep:\n  - {containers: {name: a}, capabilities: [KILL], reason: r, expires: " +
			"2026-01-01}\n",
		want: []string{`2:62: unknown key "expires"`}, hint: "the keys of a keep"},
	{name: "a bad window", file: harden("window: 2-5"),
		want: []string{`3:13: cannot read the window "2-5"`}, hint: "02:00-05:00"},
	{name: "a bad time to learn", file: harden("learn: a week"),
		want: []string{`3:12: cannot read the duration "a week"`}, hint: "7d"},
	{name: "a number to learn", file: harden("learn: 7"),
		want: []string{`3:12: "learn" must be text, not a number`}},
	{name: "yes in words", file: harden("approve: 'yes'"),
		want: []string{`3:14: "approve" must be true or false, not text`}},
	{name: "harden what", file: "harden: [{learn: 7d}]\n",
		want: []string{`1:10: a rule to harden needs the key "containers"`}},
	{name: "no owner", file: waiver("owner", ""),
		want: []string{`2:5: a waiver needs the key "owner"`}, hint: `add "owner:"`},
	{name: "no reason", file: waiver("reason", ""),
		want: []string{`2:5: a waiver needs the key "reason"`}},
	{name: "no expiry", file: waiver("expires", ""),
		want: []string{`2:5: a waiver needs the key "expires"`}},
	{name: "no containers", file: waiver("containers", "# all?"),
		want: []string{`3:5: a waiver needs the key "containers"`}},
	{name: "blank reason", file: waiver("reason", "reason: '  '"),
		want: []string{`5:13: "reason" is empty`}},
	{name: "null owner", file: waiver("owner", "owner: ~"),
		want: []string{`4:12: "owner" must be text, not nothing`}},
	{name: "no such day", file: waiver("expires", "expires: 2026-02-30"),
		want: []string{`6:14: "2026-02-30" is not a date`}, hint: "2026-12-31"},
	{name: "day the other way", file: waiver("expires", "expires: 31.12.2026"),
		want: []string{`6:14: "31.12.2026" is not a date`}},
	{name: "lax moment", file: waiver("expires", "expires: 2026-12-31T1:00:00Z"),
		want: []string{`6:14: "2026-12-31T1:00:00Z" is not a date`}},
	{name: "moment without a zone", file: waiver("expires", "expires: 2026-12-31T18:00:00"),
		want: []string{`6:14: "2026-12-31T18:00:00" is not a date`}},
	{name: "date as a number", file: waiver("expires", "expires: 20261231"),
		want: []string{`6:14: "expires" must be text, not a number`}},
	{name: "empty selector", file: waiver("containers", "containers: {}"),
		want: []string{`2:17: "containers" selects nothing`}, hint: `{name: "*"}`},
	{name: "empty name", file: waiver("containers", "containers: {name: ''}"),
		want: []string{`2:24: "name" is empty`}},
	{name: "selector of text", file: waiver("containers", "containers: web"),
		want: []string{`2:17: "containers" must be keys with values, not text`},
		hint: "name, image, workload, label"},
	{name: "plural of a selector's key", file: waiver("containers", "containers: {names: web}"),
		want: []string{`2:18: unknown key "names"`}, hint: `did you mean "name"?`},
	{name: "name as a number", file: waiver("containers", "containers: {name: 123}"),
		want: []string{`2:24: "name" must be text, not a number`}, hint: "quotes"},
	{name: "bad pattern", file: waiver("containers", "containers: {name: 'web[1'}"),
		want: []string{`2:24: bad pattern "web[1"`}, hint: "]", beyond: true},
	{name: "range the wrong way", file: waiver("containers", "containers: {image: '[z-a]'}"),
		want: []string{`2:25: bad pattern "[z-a]"`}, beyond: true},
	{name: "backslash at the end", file: waiver("containers", `containers: {workload: 'a\'}`),
		want: []string{`2:28: bad pattern "a\\"`}, beyond: true},
	{name: "label without a key", file: waiver("containers", "containers: {label: =x}"),
		want: []string{`2:25: label "=x" has no key`}},
	{name: "no capability", file: waiver("capabilities", "capabilities: []"),
		want: []string{`3:19: "capabilities" is empty`}},
	{name: "capabilities of text", file: waiver("capabilities", "capabilities: NET_RAW"),
		want: []string{`3:19: "capabilities" must be a list, not text`}, hint: "dash"},
	{name: "unknown capability", file: waiver("capabilities", "capabilities: [CHOWN, NET_RAV]"),
		want: []string{`3:27: unknown capability "NET_RAV"`}, hint: `did you mean "NET_RAW"?`},
	{name: "far unknown capability", file: waiver("capabilities", "capabilities: [everything]"),
		want: []string{`3:20: unknown capability "everything"`}, hint: "capabilities(7)"},
	{name: "spaces around a capability", file: waiver("capabilities", "capabilities: [' NET_RAW']"),
		want: []string{`3:20: unknown capability " NET_RAW"`}, hint: `"NET_RAW"`},
	{name: "number past the last bit", file: waiver("capabilities", "capabilities: [CAP_64]"),
		want: []string{`3:20: unknown capability "CAP_64"`}},
	{name: "capability as a number", file: keep("[41]"),
		want: []string{`2:45: "capabilities" must be text, not a number`}},
	{name: "ALL in a keep", file: keep("[ALL]"),
		want: []string{"2:45: ALL is no capability to keep"}, hint: "each one"},
	{name: "ALL among others", file: waiver("capabilities", "capabilities: [ALL, NET_RAW]"),
		want: []string{`3:19: "capabilities" names every one`}, hint: "[ALL]"},
	{name: "key twice", file: "level: cis\nlevel: least\n",
		want: []string{`2:1: key "level" stands in line 1 already`}, beyond: true},
	{name: "key twice further in", file: waiver("owner", "owner: a\n    owner: b"),
		want: []string{`5:5: key "owner" stands in line 4 already`}, beyond: true},
	{name: "two documents", file: "level: cis\n---\nlevel: least\n",
		want: []string{"3:1: a second document begins here"}, beyond: true},
	{name: "second document broken", file: "level: cis\n---\nlevel: [\n",
		want: []string{"4:1: not YAML: "}, beyond: true},
	{name: "anchor", file: "level: &l cis\n", want: []string{"1:8: anchors (&l) are not read"},
		beyond: true},
	{name: "alias", file: "level: cis\nkeep: &k []\nwaivers: *k\n",
		want:   []string{"2:7: anchors (&k) are not read", "3:10: aliases (*k) are not read"},
		beyond: true},
	{name: "merge key", file: "<<: {level: cis}\n", want: []string{`1:1: unknown key "<<"`}},
	{name: "tag", file: "level: !!str cis\n", want: []string{"1:8: tags (!!str) are not read"},
		beyond: true},
	{name: "key that is a mapping", file: "? {a: b}\n: 1\n",
		want: []string{"1:3: a key of a policy must be text, not keys with values"}, beyond: true},
	{name: "not YAML", file: "level: cis\nkeep: [a\n",
		want: []string{"3:1: not YAML: did not find expected ',' or ']'"}, hint: "brackets",
		beyond: true},
	{name: "tab for indentation", file: "keep:\n\t- a\n", want: []string{"2:1: not YAML: "},
		beyond: true},
	{name: "not UTF-8", file: "level: cis\n# caf\xe9\n",
		want: []string{"2:6: byte 0xe9 is not UTF-8"}, hint: "UTF-8", beyond: true},
	{name: "control character", file: "level: cis # \x1b[2J\n",
		want: []string{"1:14: control character U+001B"}, beyond: true},
	{name: "control character of eight bits", file: "level: cis # \u009b2J\n",
		want: []string{"1:14: control character U+009B"}, beyond: true},
	{name: "too deep", file: "keep: " + strings.Repeat("[", 40) + strings.Repeat("]", 40),
		want: []string{"1:23: not YAML: exceeded max depth of 16"}, beyond: true},
	{name: "too large", file: "level: cis\n" + strings.Repeat("#", 1<<20),
		want: []string{"1:1: the file has 1048587 bytes"}, beyond: true},
	{name: "columns in characters",
		file: "keep: [{reason: 'é€😀', why: x, containers: {name: a}, capabilities: [KILL]}]\n",
		want: []string{`1:24: unknown key "why"`}},
	{name: "several at once", file: "level: 3\nkeeps: []\nwaivers:\n  - owner: me\n    " +
		"capabilities: [NET_RAWW]\n", want: []string{
		`1:8: "level" must be text`, `2:1: unknown key "keeps"`,
		`5:20: unknown capability "NET_RAWW"`,
		`4:5: a waiver needs the key "containers"`, `4:5: a waiver needs the key "reason"`,
		`4:5: a waiver needs the key "expires"`}},
}
