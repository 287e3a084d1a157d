package cloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// reference is what a runbook refers to: a parameter, a step's output, or a variable of Automation.
var (
	reference = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.:]+)\s*\}\}`)
	})
	onlyReference = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\{\{\s*([A-Za-z0-9_.:]+)\s*\}\}$`)
	})
	stepName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9_]{3,128}$`)
	})
	failureForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(Abort|Continue|step:([A-Za-z0-9_]+))$`)
	})
)

// value returns what a name refers to now.
func (a *automation) value(name string) ([]string, bool) {
	if name == "automation:EXECUTION_ID" {
		return []string{a.id}, true
	}
	if list, ok := a.given[name]; ok {
		return list, true
	}
	step, field, _ := strings.Cut(name, ".")
	for _, s := range slices.Backward(a.steps) {
		if s.name == step {
			return s.outputs[field], true
		}
	}
	return nil, false
}

// fill fills references into a step's inputs: "{{ name }}" alone becomes the value itself.
func (a *automation) fill(v any) any {
	switch v := v.(type) {
	case string:
		if m := onlyReference().FindStringSubmatch(v); m != nil && a.lists[m[1]] {
			return anys(a.given[m[1]])
		}
		return reference().ReplaceAllStringFunc(v, func(s string) string {
			list, ok := a.value(reference().FindStringSubmatch(s)[1])
			if !ok {
				return s
			}
			return strings.Join(list, ", ")
		})
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = a.fill(item)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			out[k] = a.fill(item)
		}
		return out
	}
	return v
}

// chosen returns the step that a branch leads to; empty if no choice is true and there is no
// default.
func chosen(inputs map[string]any) string {
	choices, _ := inputs["Choices"].([]any)
	for _, v := range choices {
		if m, _ := v.(map[string]any); holdsTrue(m) {
			return str(m, "NextStep")
		}
	}
	return str(inputs, "Default")
}

// comparisons are the operations on texts.
var comparisons = map[string]func(a, b string) bool{
	"StringEquals": func(a, b string) bool { return a == b }, "EqualsIgnoreCase": strings.EqualFold,
	"StartsWith": strings.HasPrefix, "EndsWith": strings.HasSuffix, "Contains": strings.Contains,
}

// holdsTrue evaluates a choice of one comparison, or of Not over one.
func holdsTrue(choice map[string]any) bool {
	if not, ok := choice["Not"].(map[string]any); ok {
		return !holdsTrue(not)
	}
	for name, compare := range comparisons {
		if want, ok := choice[name].(string); ok {
			return compare(str(choice, "Variable"), want)
		}
	}
	return false
}

func runbookSteps(content map[string]any) (out []map[string]any) {
	list, _ := content["mainSteps"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

// stepNamed returns a step; the first if no name is given.
func stepNamed(content map[string]any, name string) map[string]any {
	for _, s := range runbookSteps(content) {
		if name == "" || str(s, "name") == name {
			return s
		}
	}
	return nil // no such runbook is created
}

// following returns the name of the step after a successful one; empty if it is the last.
func following(content, step map[string]any) string {
	if next := str(step, "nextStep"); next != "" {
		return next
	}
	list := runbookSteps(content)
	at := slices.IndexFunc(list, func(s map[string]any) bool {
		return str(s, "name") == str(step, "name")
	})
	if at+1 < len(list) {
		return str(list[at+1], "name")
	}
	return ""
}

// checkRunbook complains about a runbook that the service does not take: steps without a name of
// their own, unknown actions, and names of steps or parameters that there are not.
func checkRunbook(content map[string]any) error {
	steps := runbookSteps(content)
	if len(steps) == 0 {
		return fmt.Errorf("a document of schema 0.3 needs mainSteps")
	}
	names := map[string]bool{}
	for _, s := range steps {
		name := str(s, "name")
		if !stepName().MatchString(name) || names[name] {
			return fmt.Errorf("the step name %q is not valid, or is there twice", name)
		}
		names[name] = true
	}
	for _, s := range steps {
		if err := checkRunbookStep(s, names); err != nil {
			return fmt.Errorf("step %s: %w", str(s, "name"), err)
		}
	}
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	declared, _ := content["parameters"].(map[string]any)
	for _, m := range reference().FindAllStringSubmatch(string(text), -1) {
		step, _, output := strings.Cut(m[1], ".")
		if declared[m[1]] == nil && !(output && names[step]) && m[1] != "automation:EXECUTION_ID" {
			return fmt.Errorf("there is no %s", m[1])
		}
	}
	return nil
}

// runbookInputs are the inputs that each action needs.
var runbookInputs = map[string]string{"aws:runCommand": "DocumentName", "aws:approve": "Approvers",
	"aws:branch": "Choices", "aws:sleep": "Duration",
	"aws:assertAwsResourceProperty": "PropertySelector"}

func checkRunbookStep(s map[string]any, names map[string]bool) error {
	inputs, _ := s["inputs"].(map[string]any)
	needed, known := runbookInputs[str(s, "action")]
	switch {
	case !known:
		return fmt.Errorf("the action %q is not done here", str(s, "action"))
	case inputs[needed] == nil:
		return fmt.Errorf("%s needs %s", str(s, "action"), needed)
	}
	var to []string
	if next := str(s, "nextStep"); next != "" {
		to = append(to, next)
	}
	if on := str(s, "onFailure"); on != "" {
		m := failureForm().FindStringSubmatch(on)
		if m == nil {
			return fmt.Errorf("onFailure %q is not valid", on)
		}
		if m[2] != "" {
			to = append(to, m[2])
		}
	}
	choices, _ := inputs["Choices"].([]any)
	for _, v := range choices {
		m, _ := v.(map[string]any)
		to = append(to, str(m, "NextStep"))
	}
	if d := str(inputs, "Default"); d != "" {
		to = append(to, d)
	}
	for _, name := range to {
		if !names[name] {
			return fmt.Errorf("there is no step %q", name)
		}
	}
	return nil
}
