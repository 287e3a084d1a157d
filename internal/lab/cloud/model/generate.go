//go:build ignore

// Command generate extracts the parts of the AWS API models that the double checks requests against
// from the module github.com/aws/aws-sdk-go, which is downloaded for that and is not a dependency.
// It keeps only the constraints of shapes: types, members, required, min, max, pattern, enum.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
)

const module = "github.com/aws/aws-sdk-go@v1.55.8"

var wanted = []struct {
	name, folder string
	operations   []string
}{
	{"ssm", "ssm/2014-11-06", []string{"SendCommand", "CancelCommand", "ListCommands",
		"ListCommandInvocations", "GetCommandInvocation",
		"DescribeInstanceInformation", "CreateDocument", "UpdateDocument",
		"UpdateDocumentDefaultVersion", "DescribeDocument", "GetDocument",
		"ListDocuments", "DeleteDocument", "PutComplianceItems", "ListComplianceItems",
		"StartAutomationExecution", "GetAutomationExecution", "SendAutomationSignal",
		"StopAutomationExecution", "DescribeAutomationExecutions", "CreateAssociation",
		"DescribeAssociation", "DeleteAssociation", "StartAssociationsOnce",
		"DescribeAssociationExecutions"}},
	{"securityhub", "securityhub/2018-10-26", []string{"BatchImportFindings", "GetFindings",
		"BatchUpdateFindings"}},
	{"resource-groups", "resource-groups/2017-11-27", []string{"ListGroupResources"}},
	{"sts", "sts/2011-06-15", []string{"GetCallerIdentity", "AssumeRole"}},
}

type object = map[string]any

// open are large shapes that are not checked, since dropcap sends nothing of them.
var open = map[string]bool{"ResourceDetails": true, "AwsSecurityFindingFilters": true,
	"FindingProviderFields": true}

func main() {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		log.Fatalf("cannot download %s: %v", module, err)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		log.Fatal(err)
	}
	for _, w := range wanted {
		data, err := os.ReadFile(filepath.Join(m.Dir, "models/apis", w.folder, "api-2.json"))
		if err != nil {
			log.Fatal(err)
		}
		var api struct {
			Operations map[string]object
			Shapes     map[string]object
		}
		if err := json.Unmarshal(data, &api); err != nil {
			log.Fatal(err)
		}
		kept := object{}
		operations := object{}
		for _, name := range w.operations {
			op, ok := api.Operations[name]
			if !ok {
				log.Fatalf("%s has no %s", w.name, name)
			}
			out := object{"http": op["http"]}
			if in, ok := op["input"].(object); ok {
				out["input"] = in["shape"]
				keep(api.Shapes, kept, in["shape"].(string))
			}
			operations[name] = out
		}
		text, err := json.MarshalIndent(object{"operations": operations, "shapes": kept}, "", " ")
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(w.name+".json", append(text, '\n'), 0o644); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d operations, %d shapes\n", w.name, len(operations), len(kept))
	}
}

// keep copies a shape's constraints, and those of all shapes below it.
func keep(shapes map[string]object, kept object, name string) {
	if _, done := kept[name]; done {
		return
	}
	s, out := shapes[name], object{}
	kept[name] = out
	if open[name] {
		out["type"] = "any"
		return
	}
	for _, k := range []string{"type", "required", "min", "max", "pattern", "enum"} {
		if v, ok := s[k]; ok {
			out[k] = v
		}
	}
	if s["type"] == "string" && out["pattern"] == nil && out["min"] == nil && out["max"] == nil &&
		out["enum"] == nil {
		return
	}
	for _, k := range []string{"member", "key", "value"} {
		if ref, ok := s[k].(object); ok {
			out[k] = ref["shape"]
			keep(shapes, kept, ref["shape"].(string))
		}
	}
	if members, ok := s["members"].(object); ok {
		names := object{}
		for field, ref := range members {
			shape := ref.(object)["shape"].(string)
			names[field] = shape
			keep(shapes, kept, shape)
		}
		out["members"] = names
	}
}
