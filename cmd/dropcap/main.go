// Command dropcap makes Linux capabilities in Docker containers least-privilege, and keeps the
// containers working.
package main

import (
	"os"

	"dropcap/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
