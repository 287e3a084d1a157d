package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dropcap"
	"dropcap/internal/lab"
	"dropcap/internal/printable"
)

// labKeep is the process that keeps one private engine, and takes it down when the lab ends,
// however it ends. The lab starts it.
func (a *app) labKeep() *cobra.Command {
	return &cobra.Command{
		Use:    "keep",
		Short:  "Keep one engine of a lab (started by the lab)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			status, asked := lab.KeepEngine()
			if !asked {
				return usageError("`dropcap fleet lab` starts it",
					"cannot keep an engine: only a lab asks for that")
			}
			a.status, a.finished = status, true
			return nil
		},
	}
}

// startLab starts a lab in the background, in a session of its own, and waits until it is there.
func (a *app) startLab(ctx context.Context, f *labFlags) (lab.State, error) {
	log, err := lab.Log(f.Folder)
	if err != nil {
		return lab.State{}, labError(err)
	}
	defer log.Close()
	a.say("starting a lab of %s", printable.Count(f.Nodes, "node"))
	cmd := exec.Command(f.Program, f.arguments()...)
	cmd.Env = labEnvironment()
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return lab.State{}, fmt.Errorf("cannot start a lab: %w", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // what went wrong stands in the log
	for {
		s, running, err := lab.Read(f.Folder)
		if err == nil && running && s.Ready && s.PID == cmd.Process.Pid {
			return s, nil
		}
		select {
		case <-ended:
			return lab.State{}, failedLab(log)
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM)
			<-ended
			return lab.State{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// failedLab is the error that a lab in the background has ended with, from its log.
func failedLab(log *os.File) error {
	text, _ := io.ReadAll(io.NewSectionReader(log, 0, 1<<20))
	message, hint := "cannot start a lab: it has ended at once", ""
	for line := range strings.Lines(string(text)) {
		if m, ok := strings.CutPrefix(strings.TrimSpace(line), "dropcap: error: "); ok {
			message = m
		}
		if h, ok := strings.CutPrefix(strings.TrimSpace(line), "dropcap: hint: "); ok {
			hint = h
		}
	}
	return dropcap.Errorf(dropcap.CodeError, hint, "%s", message)
}

// arguments are those of the lab in the foreground.
func (f *labFlags) arguments() []string {
	return []string{"fleet", "lab", "--foreground", "--folder", f.Folder, "--nodes",
		strconv.Itoa(f.Nodes), "--windows=" + strconv.FormatBool(f.Windows),
		"--offline=" + strconv.FormatBool(f.Offline), "--bare=" + strconv.FormatBool(f.Bare),
		"--node-fails", strconv.Itoa(f.Fails), "--engines", f.engines, "--dockerd", f.Dockerd,
		"--region", f.Region, "--port", strconv.Itoa(f.Port), "--for", f.For.String()}
}

// labEnvironment is what a lab needs of ours: no keys and contexts.
func labEnvironment() []string {
	var list []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "DOCKER_HOST",
		"DROPCAP_TEST_CACHE"} {
		if v, ok := os.LookupEnv(name); ok {
			list = append(list, name+"="+v)
		}
	}
	return list
}

// labSettings make any program with AWS's SDK speak to the lab, and to nobody else. Whatever else
// could name keys or an address is unset.
func labSettings(s lab.State) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": s.Endpoint, "AWS_ACCESS_KEY_ID": s.Key,
		"AWS_SECRET_ACCESS_KEY": s.Secret, "AWS_REGION": s.Region,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "DROPCAP_LAB": s.Folder,
	}
}

var labUnset = []string{
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN",
	"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	"AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS",
	"AWS_ENDPOINT_URL_SECURITYHUB", "AWS_ENDPOINT_URL_RESOURCE_GROUPS",
}

// printLab prints the settings for a shell's eval.
func (a *app) printLab(s lab.State) {
	fmt.Fprintf(a.out, "unset %s\n", strings.Join(labUnset, " "))
	settings := labSettings(s)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(a.out, "export %s='%s'\n", name, strings.ReplaceAll(settings[name], "'",
			`'\''`))
	}
}

// tellLab tells a person what there is now.
func (a *app) tellLab(s lab.State) {
	for _, n := range s.Nodes {
		more := ""
		if n.Fails {
			more = "; an apply there will roll back"
		}
		a.say("%s, %s, role %s: engine %s%s", n.ID, n.Name, n.Role, labEngine(n), more)
	}
	if s.Why != "" {
		a.say("nodes have no engines of their own: %s", s.Why)
		if s.Nodes[0].Engine != "" {
			a.say("%s uses the engine of this host, and what is applied there changes this "+
				"host's containers", s.Nodes[0].Name)
		}
	}
	a.say("all are in the resource group %s; there is a bucket %s; the log is %s", lab.Group,
		lab.Bucket, filepath.Join(s.Folder, lab.LogFile))
	a.say("it stays until %s; to stop it: eval \"$(dropcap fleet lab --stop)\"",
		s.Until.Local().Format("15:04"))
}
