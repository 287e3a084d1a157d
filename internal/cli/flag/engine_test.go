package flag

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// The arguments for another process are read as the same engine, wherever that process runs.
func TestTheArgumentsReachTheSameEngine(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	read := func(args ...string) Engine {
		var e Engine
		fl := pflag.NewFlagSet("", pflag.ContinueOnError)
		e.Register(fl)
		if err := fl.Parse(args); err != nil {
			t.Fatal(err)
		}
		return e
	}
	if args := read(); len(args.Args()) != 0 {
		t.Errorf("without flags: %q", args.Args())
	}
	e := read("-H", "tcp://a:2376", "-c", "prod", "--config", "docker", "--tls", "--tlsverify",
		"--tlscacert", "ca.pem", "--tlscert", "/etc/c.pem", "--tlskey", "k.pem")
	args := e.Args()
	again := read(args...)
	if !slices.Equal(again.Args(), args) {
		t.Errorf("%q is read as %q", args, again.Args())
	}
	o := again.Options()
	if o.Host != "tcp://a:2376" || o.Context != "prod" || !o.TLS.Enable || !o.TLS.Verify {
		t.Errorf("%+v", o)
	}
	for got, want := range map[string]string{
		o.ConfigDir: filepath.Join(here, "docker"), o.TLS.CAFile: filepath.Join(here, "ca.pem"),
		o.TLS.CertFile: "/etc/c.pem", o.TLS.KeyFile: filepath.Join(here, "k.pem"),
	} {
		if got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
