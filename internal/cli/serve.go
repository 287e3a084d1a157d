package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/cli/file"
	"dropcap/internal/cli/sdnotify"
	"dropcap/internal/fleet"
	"dropcap/internal/host"
	"dropcap/internal/serve"
	"dropcap/internal/store"
)

type serveCommand struct {
	serve.Where
	tokenFile, policy, level, store, fleet string
	changes                                bool
}

func (a *app) serve() *cobra.Command {
	f := &serveCommand{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Show containers, evidence and changes as pages, live, and change them from there",
		Long: `Show in a browser what each container holds, what it was seen to need, and what was
done, as it changes. With --allow-changes the same pages plan, apply and back out, while one
watches.

Without --listen it is a unix socket that belongs to its user alone: forward it with ssh -L. With
--listen at an address of this machine it prints a link that lets one browser in, once, within 15
minutes. Beyond this machine it listens with TLS only (--tls-cert, --tls-key), and lets in who has
the token of --token-file. A socket that systemd passes goes before both (dropcap-serve.socket).

It asks nobody but this host's engine, kernel and store, and its pages load nothing from elsewhere.
It runs until it is interrupted; a change under way is finished or rolled back then.

Exit status: 0 it was ended; 1 error; 2 usage; 6 this host can't.`,
		Example: `  sudo dropcap serve                               then: ssh -L 8642:/run/dropcap/page.sock HOST
  sudo dropcap serve --listen 127.0.0.1:8642
  sudo dropcap serve --listen 127.0.0.1:8642 --allow-changes
  sudo dropcap serve --listen :8642 --tls-cert c.pem --tls-key k.pem --token-file token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runServe(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.Socket, "socket", pageSocket(), "the unix socket, where there is no --listen")
	fl.StringVar(&f.Address, "listen", "", "address and port instead of a socket: 127.0.0.1:8642")
	fl.StringVar(&f.CertFile, "tls-cert", "", "certificate (PEM), for TLS")
	fl.StringVar(&f.KeyFile, "tls-key", "", "its key (PEM)")
	fl.StringVar(&f.tokenFile, "token-file", "",
		"a file with a secret of at least 20 characters, which lets a browser in")
	fl.BoolVar(&f.changes, "allow-changes", false,
		"let the pages change containers; without it they only show")
	fl.StringVar(&f.policy, "policy", "", "policy file (default: as for audit)")
	fl.StringVar(&f.level, "level", "", "cis or least (default: the policy's, else cis)")
	fl.StringVar(&f.store, "store", defaultStore(), "the folder of the store")
	fl.StringVar(&f.fleet, "fleet-store", fleetStore(), "the folder of the controller's store")
	return cmd
}

// runsOf are the runs in a controller's store, which is opened for each question.
type runsOf struct{ folder string }

// Stamp implements serve.Fleet.
func (r runsOf) Stamp() string { return host.New(host.Config{Store: r.folder}).StoreStamp() }

// Runs implements serve.Fleet.
func (r runsOf) Runs(ctx context.Context) ([]dropcap.FleetRun, error) {
	s, err := store.Open(r.folder)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Runs(ctx)
}

// Run implements serve.Fleet.
func (r runsOf) Run(ctx context.Context, id string) (dropcap.FleetRun, []dropcap.FleetHost,
	error) {
	s, err := store.Open(r.folder)
	if err != nil {
		return dropcap.FleetRun{}, nil, err
	}
	defer s.Close()
	run, hosts, err := fleet.FindRun(ctx, s, id, "")
	if err != nil {
		return run, hosts, err
	}
	now, err := fleet.AfterBackout(ctx, s, run, hosts)
	return run, now, err
}

// pageSocket is where the socket is unless --socket says so: root's beside other services', a
// user's in the folder that is the user's alone.
func pageSocket() string {
	if os.Geteuid() != 0 {
		if own := os.Getenv("XDG_RUNTIME_DIR"); own != "" {
			return filepath.Join(own, "dropcap", "page.sock")
		}
	}
	return "/run/dropcap/page.sock"
}

func (a *app) runServe(ctx context.Context, f *serveCommand) error {
	load := func() (dropcap.Policy, error) { return a.quietPolicy(ctx, f.policy, f.level) }
	if _, err := load(); err != nil {
		return err
	}
	if err := f.readToken(ctx, a); err != nil {
		return err
	}
	l, err := serve.Listen(f.Where)
	if err != nil {
		return err
	}
	defer l.Close()
	ctx, done := hangup(ctx)
	defer done()
	s := serve.New(serve.Config{
		Host:   func(o host.Observer) *host.Host { return a.hostFor(f.store, o) },
		Fleet:  runsOf{f.fleet},
		Policy: load, Changes: f.changes, Access: l.Access, Version: version(), Log: a.say,
	})
	a.finished = true // an interrupt is its ordinary end
	sdnotify.Send("READY=1")
	a.announce(s, l)
	return s.Serve(ctx, l)
}

// announce says how to come in: the link alone on standard output.
func (a *app) announce(s *serve.Server, l serve.Listening) {
	switch {
	case l.URL != "":
		a.say("the page is at %s; this link lets one browser in, once, within 15 minutes:", l.URL)
		fmt.Fprintln(a.out, l.URL+s.NewLink())
	default:
		a.say("the page is at the socket %s; from your machine: ssh -L 8642:%s HOST, then open "+
			"http://localhost:8642", l.Path, l.Path)
	}
}

// quietPolicy is the policy that counts now: a server reads it again and again.
func (a *app) quietPolicy(ctx context.Context, path, level string) (dropcap.Policy, error) {
	a.policySaid = true
	return a.loadPolicy(ctx, path, level)
}

const leastToken = 20

// readToken reads the secret that lets a browser in. Nobody else may read it.
func (f *serveCommand) readToken(ctx context.Context, a *app) error {
	if f.tokenFile == "" {
		return nil
	}
	i, err := os.Stat(f.tokenFile)
	if err == nil {
		st, ok := i.Sys().(*syscall.Stat_t)
		if i.Mode().Perm()&0o077 != 0 || ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			return dropcap.Errorf(dropcap.CodeUsage, "chmod 600 "+f.tokenFile,
				"cannot use the token in %s: others may read it", f.tokenFile)
		}
	}
	text, err := file.Read(ctx, a.in, f.tokenFile, 4096)
	if err != nil {
		return err
	}
	f.Token = strings.TrimSpace(string(text))
	if len(f.Token) < leastToken {
		return dropcap.Errorf(dropcap.CodeUsage, "for example: openssl rand -hex 32",
			"cannot use the token in %s: it has fewer than %d characters", f.tokenFile, leastToken)
	}
	return nil
}
