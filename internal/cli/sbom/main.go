// Command sbom writes a program's bill of materials as CycloneDX: sbom VERSION PROGRAM FILE. It is
// a program of its own, for packaging/build. What is in it comes from what Go's linker has written
// into the program, so that the same program gives the same bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom: error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("cannot write a bill of materials: it takes VERSION PROGRAM FILE")
	}
	program, err := os.ReadFile(filepath.Clean(args[1]))
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(args[1])
	if err != nil {
		return fmt.Errorf("cannot read what %s was built of: %w", args[1], err)
	}
	f, err := os.Create(args[2])
	if err != nil {
		return err
	}
	e := cdx.NewBOMEncoder(f, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := e.EncodeVersion(bill(info, args[0], sha256.Sum256(program)),
		cdx.SpecVersion1_6); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func bill(info *debug.BuildInfo, version string, sum [sha256.Size]byte) *cdx.BOM {
	settings := []cdx.Property{}
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "GO") || s.Key == "CGO_ENABLED" {
			settings = append(settings, cdx.Property{Name: "go:" + s.Key, Value: s.Value})
		}
	}
	subject := component(cdx.ComponentTypeApplication, "dropcap", version)
	subject.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	subject.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	subject.Properties = &settings

	parts := []cdx.Component{component(cdx.ComponentTypeLibrary, "std", info.GoVersion)}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component(cdx.ComponentTypeLibrary, m.Path, m.Version)
		if m.Sum != "" {
			// A hash over the hashes of its files, and not of any file: so no component's hash.
			c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
		}
		parts = append(parts, c)
	}
	refs := []string{}
	for _, c := range parts {
		refs = append(refs, c.BOMRef)
	}
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{Component: &subject}
	b.Components = &parts
	b.Dependencies = &[]cdx.Dependency{{Ref: subject.BOMRef, Dependencies: &refs}}
	return b
}

// component has a package URL, by which databases of vulnerabilities know it
// (github.com/package-url/purl-spec, golang).
func component(kind cdx.ComponentType, path, version string) cdx.Component {
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return cdx.Component{BOMRef: purl, Type: kind, Name: path, Version: version, PackageURL: purl}
}
