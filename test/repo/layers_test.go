package repo_test

import (
	"fmt"
	"slices"
	"strings"
)

// layer is a layer of ARCHITECTURE.md's rule of imports.
type layer string

const (
	capsLayer layer = "caps"
	root      layer = "root"
	// what is known of the nouns beyond their shape; all but the root stand on it
	documents layer = "documents"
	verb      layer = "verb"
	adapter   layer = "adapter"
	bottom    layer = "bottom" // every room stands on it
	// what a host may be asked; shells and the fleet's host half stand on it
	application layer = "application"
	renderer    layer = "renderer" // between shells and nouns
	shell       layer = "shell"
	program     layer = "program"
	stand       layer = "stand" // what tests stand on
	labLayer    layer = "lab"   // a fleet to try: the double of AWS and private engines, for people
	testLayer   layer = "test"
	homeless    layer = "homeless"
)

// rooms maps each folder of internal/ to its layer. A new folder needs a line here, and one in
// .depguard.yml.
var rooms = map[string]layer{
	"audit": verb, "plan": verb, "policy": verb, "learn": verb, "apply": verb, "fleet": verb,
	"trial":    verb,
	"snapshot": verb, "doctor": verb, "explain": verb, "harden": verb, "console": verb,
	"verdict": verb, "evidence": verb, "image": verb, "recreate": verb, "source": verb,
	"frame": verb, "hold": verb, "trust": verb, "metrics": verb, "watch": verb,
	"docker": adapter, "kernel": adapter, "bpf": adapter, "store": adapter, "aws": adapter,
	"layer": adapter, "containerd": adapter, "deny": adapter, "journald": adapter,
	"webhook": adapter,
	"host":    application, "node": application, "printable": bottom,
	"foreign": documents, "owner": documents, "wire": documents,
	"render": renderer, "cli": shell, "serve": shell,
	"testenv": stand, "dockertest": stand, "lab": labLayer,
}

// pure rooms turn documents into documents: no I/O.
var pure = []string{"audit", "plan", "policy", "verdict", "evidence", "image", "recreate", "source",
	"frame", "owner", "trust", "foreign", "wire", "metrics"}

// labStands are the test foundations that the lab uses too. They do not import testing, which must
// not reach the program.
var labStands = []string{"dropcap/internal/dockertest/supervise",
	"dropcap/internal/dockertest/rootfs"}

// fences are libraries that only one package may import, tests included; but the double of AWS is
// tested with the real SDK, and checks signatures with its signer.
var fences = map[string]string{
	"github.com/moby/moby": "docker", "github.com/cilium/ebpf": "bpf", "github.com/aws": "aws",
	"modernc.org/sqlite": "store",
	"github.com/spf13":   "cli", "github.com/CycloneDX": "cli",
	"google.golang.org/protobuf": "containerd",
}

// signer is the part of the SDK that the double of AWS uses.
var signer = []string{"github.com/aws/aws-sdk-go-v2/aws",
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"}

// inputOutput are the parts of the standard library that do I/O.
var inputOutput = []string{"os", "net", "syscall", "log", "plugin", "testing"}

// harmless are their subpackages that only compute.
var harmless = []string{"net/netip", "net/url", "net/mail", "net/textproto"}

var forbiddenNames = []string{"util", "utils", "common", "helper", "helpers", "types", "model",
	"models", "manager", "misc", "shared"}

// goPackage is the part of `go list -json` that matters here.
type goPackage struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

// place returns a package's layer and, within internal, its room.
func place(path string) (layer, string) {
	inside, ok := strings.CutPrefix(path, "dropcap/")
	first, rest, _ := strings.Cut(inside, "/")
	switch {
	case path == "dropcap":
		return root, ""
	case !ok:
		return "", ""
	case first == "caps":
		return capsLayer, ""
	case first == "cmd":
		return program, ""
	case first == "test":
		return testLayer, ""
	case first == "internal":
		room, _, _ := strings.Cut(rest, "/")
		if l, ok := rooms[room]; ok {
			return l, room
		}
	}
	return homeless, ""
}

// mayImport is the rule between layers; the caller tells rooms of one layer apart.
var mayImport = map[layer][]layer{
	bottom:      {},
	capsLayer:   {},
	root:        {capsLayer},
	documents:   {bottom, capsLayer, root, documents},
	verb:        {bottom, capsLayer, root, documents, verb},
	adapter:     {bottom, capsLayer, root, documents},
	renderer:    {bottom, capsLayer, root, documents},
	application: {bottom, capsLayer, root, documents, verb, adapter, application},
	shell: {bottom, capsLayer, root, documents, verb, adapter, application, renderer, shell,
		labLayer},
	program:  {shell},
	stand:    {bottom, capsLayer, root, stand},
	labLayer: {bottom, capsLayer, root, stand},
	testLayer: {bottom, capsLayer, root, documents, verb, adapter, application, renderer, stand,
		labLayer, testLayer},
}

// upper rooms stand on another one of their layer.
var upper = map[string]string{"node": "host", "wire": "foreign", "cli": "serve"}

// violations checks packages against the rule of imports.
func violations(list []goPackage) []string {
	var out []string
	for _, p := range list {
		from, room := place(p.ImportPath)
		if from == homeless {
			out = append(out, p.ImportPath+
				": belongs to no layer; name its layer in test/repo and .depguard.yml")
		}
		if last := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]; slices.Contains(
			forbiddenNames, last) || slices.Contains(forbiddenNames, p.Name) {
			out = append(out, p.ImportPath+": a name that says nothing; call it by what it does")
		}
		for _, i := range p.Imports {
			if why := refused(from, room, i); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", p.ImportPath, i, why))
			}
		}
		for _, i := range append(slices.Clone(p.TestImports), p.XTestImports...) {
			if why := refusedInTest(from, room, i); why != "" {
				out = append(out, fmt.Sprintf("tests of %s import %s: %s", p.ImportPath, i, why))
			}
		}
	}
	return out
}

// refused returns why a package may not import another; "" if it may.
func refused(from layer, room, path string) string {
	to, toRoom := place(path)
	switch {
	case to == "":
		return refusedOutside(from, room, path)
	case room != "" && room == toRoom:
		return ""
	case room == "deny" && toRoom == "bpf": // reads with the recorder of what observes
		return ""
	case !slices.Contains(mayImport[from], to):
		return fmt.Sprintf("a %s may not import a %s", from, to)
	case from == to && (from == application || from == documents || from == shell) &&
		upper[room] != toRoom:
		return fmt.Sprintf("%s is below %s", room, toRoom)
	case room == "node" && to == adapter && toRoom != "store":
		return "a node keeps receipts, and asks its host for all else"
	case from == labLayer && to == stand && !slices.Contains(labStands, path):
		return fmt.Sprintf("the lab is in the program, and stands on %v only", labStands)
	case from == verb && slices.Contains(pure, room) && !slices.Contains(pure, toRoom) &&
		to == verb:
		return fmt.Sprintf("%s is pure, %s is not", room, toRoom)
	}
	return ""
}

// refusedOutside is the rule for packages outside this module.
func refusedOutside(from layer, room, path string) string {
	first, _, _ := strings.Cut(path, "/")
	foreign := strings.Contains(first, ".")
	switch {
	case foreign && (from == capsLayer || from == root || from == program):
		return fmt.Sprintf("%s imports the standard library only", from)
	case foreign:
		return fenced(room, path)
	case from == capsLayer || from == root || slices.Contains(pure, room):
		if slices.Contains(inputOutput, first) && !slices.Contains(harmless, path) {
			return "it does no I/O"
		}
	}
	return ""
}

func fenced(room, path string) string {
	if room == "lab" && slices.Contains(signer, path) {
		return ""
	}
	if room == "deny" {
		room = "bpf" // it stands on it
	}
	for prefix, owner := range fences {
		if strings.HasPrefix(path+"/", prefix+"/") && room != owner {
			return fmt.Sprintf("only internal/%s does", owner)
		}
	}
	return ""
}

// refusedInTest is laxer: a test may combine layers, but fences still apply, and only its own tests
// may import a shell's internals.
func refusedInTest(from layer, room, path string) string {
	to, toRoom := place(path)
	switch {
	case to == "":
		if room == "lab" {
			room = "aws"
		}
		return fenced(room, path)
	case to == program, to == shell && toRoom != room && from != testLayer:
		return fmt.Sprintf("nothing imports a %s", to)
	}
	return ""
}
