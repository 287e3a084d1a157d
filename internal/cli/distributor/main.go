// Command distributor writes what Distributor of Systems Manager takes: distributor FOLDER VERSION
// ARCH=PROGRAM…. It is a program of its own, for packaging/build; `dropcap fleet install
// --distributor` publishes the same.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dropcap/internal/fleet"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "distributor: error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("cannot make a package: it takes a folder, a version, and ARCH=PROGRAM")
	}
	programs := map[string][]byte{}
	for _, word := range args[2:] {
		arch, file, ok := strings.Cut(word, "=")
		if !ok {
			return fmt.Errorf("cannot read %q: it is not ARCH=PROGRAM", word)
		}
		data, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return err
		}
		programs[arch] = data
	}
	p, err := fleet.NewPackage(args[1], programs)
	if err != nil {
		return err
	}
	p.Files["manifest.json"] = []byte(p.Manifest)
	for name, data := range p.Files {
		if err := os.WriteFile(filepath.Join(args[0], name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
