package cloud

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// step is one step of a document. In schema 1.2 there is one for each plugin, named after its
// action.
type step struct {
	name, action string
	folder       string // of its output in a bucket
	inputs       any
	precondition map[string]any
}

// stepsOf returns a document's steps, in order.
func stepsOf(content map[string]any) []step {
	var out []step
	config, _ := content["runtimeConfig"].(map[string]any)
	for _, action := range sortedKeys(config) {
		p, _ := config[action].(map[string]any)
		list, _ := p["properties"].([]any)
		for k, in := range list {
			out = append(out, step{name: action, action: action,
				folder: fmt.Sprintf("%d.awsrunShellScript", k), inputs: in})
		}
	}
	list, _ := content["mainSteps"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		pre, _ := m["precondition"].(map[string]any)
		out = append(out, step{name: str(m, "name"), action: str(m, "action"),
			folder: str(m, "name"), inputs: m["inputs"], precondition: pre})
	}
	return out
}

// allowed evaluates a step's precondition and returns why it is skipped, or why it fails; if both
// are empty, it runs. There is one operator, over the node's platform, in any case, or over
// parameters.
func (s step) allowed(platform string, given map[string][]string) (skip, fail string) {
	unknown := func(what string) string {
		return "Unrecognized precondition(s): '" + what +
			"', please update agent to latest version. Step name: " + s.name
	}
	for operator, v := range s.precondition {
		pair := texts(v)
		if operator != "StringEquals" {
			return "", unknown(`unrecognized operator: "` + operator + `"`)
		}
		if len(pair) != 2 {
			return "", unknown(`"StringEquals": operator accepts exactly 2 arguments`)
		}
		met := false
		if k := slices.Index(pair, "platformType"); k >= 0 {
			met = strings.EqualFold(pair[1-k], platform)
		} else {
			filled := texts(fill(anys(pair), given, nil))
			met = len(filled) == 2 && filled[0] == filled[1]
		}
		if !met {
			return fmt.Sprintf("Step execution skipped due to unsatisfied preconditions: "+
				"'\"StringEquals\": [%s, %s]'. Step name: %s", pair[0], pair[1], s.name), ""
		}
	}
	return "", ""
}

// The exit statuses of a script that end the document.
const (
	exitWell = 168
	exitBad  = 169
)

// execution is a command that an agent runs.
type execution struct {
	*Agent
	ctx, run context.Context // the agent's, the command's
	id       string
	payload
	given map[string][]string
	lists map[string]bool
}

// execute runs the steps in order and sends the replies: one after each of several steps, with its
// result, and one at the end, which contains a result only if the document has a single step.
func (a *Agent) execute(ctx, run context.Context, id string, p payload) {
	e := &execution{Agent: a, ctx: ctx, run: run, id: id, payload: p, given: map[string][]string{},
		lists: listParameters(p.DocumentContent)}
	for k, v := range p.Parameters {
		e.given[k] = texts(v)
	}
	steps := stepsOf(p.DocumentContent)
	results, over := map[string]any{}, false
	count := map[string]int{}
	for k, st := range steps {
		filled, _ := fill(st.inputs, e.given, e.lists).(map[string]any)
		last := k == len(steps)-1 && fmt.Sprint(filled["finallyStep"]) == "true"
		var s plugin
		if s, over = e.step(st, filled, over, last); ctx.Err() != nil {
			return // the agent is stopping
		}
		count[s.status]++
		results = map[string]any{st.name: s.wire()}
		if len(steps) > 1 {
			a.reply(ctx, id, "InProgress", results)
			results = map[string]any{}
		}
	}
	if a.reply(ctx, id, overall(count), results) {
		a.markReported(id)
	}
}

// overall returns a document's status, by precedence (contracts.DocumentResultAggregator). A
// skipped step counts as done.
func overall(count map[string]int) string {
	for _, status := range []string{"Failed", "TimedOut", "Cancelled"} {
		if count[status] > 0 {
			return status
		}
	}
	if len(count) == 0 {
		return "Failed"
	}
	return "Success"
}

// step runs one, or returns why it does not. over reports whether this step or an earlier one has
// ended the document. A last step may run all the same.
func (e *execution) step(st step, in map[string]any, over, anyway bool) (plugin, bool) {
	skip, fail := st.allowed("Linux", e.given)
	if over && !anyway {
		skip = "Plugin with name " + st.action + " and id " + st.name +
			" skipped due to prior step with an exit condition"
	}
	if skip != "" {
		return plugin{name: st.action, status: "Skipped", output: skip}, over
	}
	var s plugin
	switch {
	case fail != "":
		s = plugin{status: "Failed", code: 1, output: fail}
	case e.run.Err() != nil:
		s = plugin{status: "Cancelled", code: 1}
	case st.action == "aws:runShellScript":
		s = e.script(e.run, e.id, in)
		e.upload(e.ctx, e.payload, st.folder, s)
	case st.action == "aws:configurePackage":
		s = e.configure(e.run, e.id, in)
	default:
		text := "Plugin with name " + st.action +
			" is not supported by this version of ssm agent, please update to latest version. " +
			"Step name: " + st.name
		s = plugin{status: "Failed", code: 1, output: text}
	}
	s.name = st.action
	if s.output == "" {
		s.output = combined(s.stdout,
			map[bool]string{true: "", false: s.stderr}[s.code == exitWell])
	}
	return ending(s, str(in, "onFailure"), str(in, "onSuccess"), over)
}

// ending reports whether a step ends the document, and adds that to its result, except in the
// listed output.
func ending(s plugin, onFailure, onSuccess string, over bool) (plugin, bool) {
	both := func(text string) {
		s.stdout, s.stderr = s.stdout+text, s.stderr+text
	}
	switch {
	case s.code == exitWell:
		s.status, s.stderr = "Success", ""
		s.stdout += "\nStep exited with code 168. Therefore, marking step as succeeded. Further " +
			"document steps will be skipped."
		return s, true
	case s.code == exitBad:
		both("\nStep exited with code 169. Therefore, marking step as Failed. Further document " +
			"steps will be skipped.")
		return s, true
	case s.status == "Failed" && (onFailure == "exit" || onFailure == "successAndExit"):
		both("\nStep was found to have onFailure property. Further document steps will be skipped.")
		if onFailure == "successAndExit" {
			s.status, s.code = "Success", exitWell
		}
		return s, true
	}
	return s, over || s.status == "Success" && onSuccess == "exit"
}
