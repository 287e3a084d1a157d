package cloud

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// configuring is one step aws:configurePackage, done as amazon-ssm-agent does it for packages of
// the account (agent/plugins/configurepackage).
type configuring struct {
	*Agent
	run       context.Context
	message   string // its id
	name      string
	arguments map[string]string
	folder    string // of all versions of the package
	manifest
	text     string            // of the manifest
	urls     map[string]string // of attachments
	out, err strings.Builder
}

// installation is what the agent records of a package.
type installation struct {
	Version, Manifest string
	Failed            bool
}

var strange = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[^A-Za-z0-9._-]`)
})

// configure installs or uninstalls a package.
func (a *Agent) configure(run context.Context, message string, in map[string]any) plugin {
	c := &configuring{Agent: a, run: run, message: message, name: str(in, "name"),
		urls: map[string]string{}}
	c.folder = filepath.Join(a.Folder, "packages", strange().ReplaceAllString(c.name, "_"))
	result := plugin{started: time.Now().UTC().Format(time.RFC3339), status: "Failed", code: 1}
	if c.do(in) {
		result.status, result.code = "Success", 0
	}
	result.ended = time.Now().UTC().Format(time.RFC3339)
	result.stdout, result.stderr = c.out.String(), c.err.String()
	return result
}

func (c *configuring) info(format string, args ...any) { fmt.Fprintf(&c.out, format+"\n", args...) }

func (c *configuring) fail(format string, args ...any) bool {
	fmt.Fprintf(&c.err, format+"\n", args...)
	return false
}

func (c *configuring) do(in map[string]any) bool {
	if text := str(in, "additionalArguments"); text != "" {
		if err := json.Unmarshal([]byte(text), &c.arguments); err != nil {
			return c.fail("invalid format in plugin properties: %v", err)
		}
	}
	if err := c.isDocument(str(in, "version")); err != nil {
		return c.fail("Error returned for GetManifest - %v.", err)
	}
	// The agent always asks for the manifest, whatever the action.
	if err := c.describe(str(in, "version")); err != nil {
		return c.fail("failed to download manifest - %v", err)
	}
	before, done := c.before(), false
	if str(in, "action") == "Uninstall" {
		done = c.uninstall(str(in, "version"), before)
	} else {
		done = c.install(before)
	}
	// The result is reported to the service; a failure to do so is only logged.
	_ = c.post(c.run, "AmazonSSM.PutConfigurePackageResult", map[string]any{"PackageName": c.name,
		"PackageVersion": c.Version, "Operation": str(in, "action"),
		"PreviousPackageVersion": before.Version, "OverallTiming": 1,
		"Result": map[bool]int{true: 0, false: 1}[done]}, nil)
	return done
}

var (
	ofAWS = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9.]+$`)
	}) // a version of one of AWS's own packages
	documentID = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^arn:[^:]*:[^:]*:[^:]*:[^:]*:document/`)
	})
)

// isDocument returns nil if the name is a document's. If the name could be one of AWS's own
// packages, it asks the service, which must not know such a package; any other error ends the
// installation.
func (c *configuring) isDocument(version string) error {
	if documentID().MatchString(c.name) || version != "" && !ofAWS().MatchString(version) {
		return nil
	}
	if version == "" {
		version = "latest"
	}
	err := c.post(c.run, "AmazonSSM.GetManifest", map[string]any{"PackageName": c.name,
		"PackageVersion": version}, nil)
	switch {
	case err == nil:
		return errors.New("it is a package of AWS's own, which this agent does not install")
	case strings.Contains(err.Error(), "ResourceNotFoundException"):
		return nil
	}
	return err
}

// describe fetches the document.
func (c *configuring) describe(version string) error {
	ask := map[string]any{"Name": c.name}
	if version != "" {
		ask["VersionName"] = version
	}
	var d struct {
		Content, Status    string
		AttachmentsContent []struct{ Name, Url string }
	}
	switch err := c.post(c.run, "AmazonSSM.GetDocument", ask, &d); {
	case err != nil:
		return fmt.Errorf("failed to retrieve package document: %w", err)
	case d.Status != "Active":
		return fmt.Errorf("package document is not currently active, kindly retry when the "+
			"status is active. Current document status - %s", d.Status)
	}
	for _, a := range d.AttachmentsContent {
		c.urls[a.Name] = a.Url
	}
	c.text = d.Content
	return json.Unmarshal([]byte(d.Content), &c.manifest)
}

func (c *configuring) install(before installation) bool {
	same := before.Version == c.Version && before.Manifest == c.text
	if same && !before.Failed && c.action("validate", c.Version) {
		c.info("%s %s is already installed", c.name, c.Version)
		return true
	}
	if err := c.fetch(); err != nil {
		return c.fail("%v", err)
	}
	old := ""
	if before.Version != "" && !same { // another version, or another package with the same version
		if old = before.Version; !c.action("uninstall", old) {
			c.fail("Failed to uninstall version %s of package; uninstall status Failed", old)
		}
	}
	if c.action("install", c.Version) && c.action("validate", c.Version) {
		if old != "" && old != c.Version {
			_ = os.RemoveAll(filepath.Join(c.folder, old))
		}
		c.info("Successfully installed %s %s", c.name, c.Version)
		return c.remember(installation{Version: c.Version, Manifest: c.text})
	}
	c.fail("Failed to install package; install status Failed")
	if old == "" || old == c.Version {
		c.remember(installation{c.Version, c.text, true})
		return false
	}
	c.action("uninstall", c.Version)
	if c.action("install", old) {
		c.info("Failed to install %s %s, successfully rolled back to %s %s", c.name, c.Version,
			c.name, old)
	}
	return false
}

func (c *configuring) uninstall(version string, before installation) bool {
	if before.Version == "" || version != "" && version != before.Version {
		c.info("version: %s is not installed", version)
		return true
	}
	if !c.action("uninstall", before.Version) {
		return c.fail("Failed to uninstall version %s of package; uninstall status Failed",
			before.Version)
	}
	c.info("Successfully uninstalled %s %s", c.name, before.Version)
	return os.RemoveAll(c.folder) == nil
}

func (c *configuring) before() (i installation) {
	if text, err := os.ReadFile(filepath.Join(c.folder, "installstate")); err == nil {
		_ = json.Unmarshal(text, &i) // written by us
	}
	return i
}

func (c *configuring) remember(i installation) bool {
	text, err := json.Marshal(i)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.folder, "installstate"), text, 0o600)
	}
	return err == nil
}

// action runs a script of a version, in its folder. A missing one is not a failure.
func (c *configuring) action(name, version string) bool {
	folder := filepath.Join(c.folder, version)
	if _, err := os.Stat(filepath.Join(folder, name+".sh")); err != nil {
		return true
	}
	lines := []any{"echo Running sh " + name + ".sh", "export BWS_ACTION_NAME=" + name}
	for _, key := range sortedKeys(c.arguments) {
		lines = append(lines, "export "+key+"='"+strings.ReplaceAll(c.arguments[key], "'", `'\''`)+
			"'")
	}
	c.info("Initiating %s %s %s", c.name, version, name)
	s := c.script(c.run, c.message, map[string]any{"workingDirectory": folder,
		"runCommand": append(lines, "sh "+name+".sh")})
	c.info("Plugin aws:runShellScript ResultStatus %s", s.status)
	if s.stdout != "" {
		c.info("%s output: %s", name, s.stdout)
	}
	if s.stderr != "" {
		c.fail("%s errors: %s", name, s.stderr)
	}
	return s.status == "Success"
}

// fetch downloads the file for this platform, and unpacks it if it matches the manifest.
func (c *configuring) fetch() error {
	platform, arch := c.system()
	versions := c.Packages[platform]
	if versions == nil {
		versions = c.Packages["_any"]
	}
	file := versions["_any"][arch].File
	if file == "" {
		file = versions["_any"]["_any"].File
	}
	if file == "" {
		return fmt.Errorf("failed to find platform: no manifest found for platform: %s, version "+
			"1, architecture %s", platform, arch)
	}
	data, err := c.get(c.urls[file])
	if err == nil && fmt.Sprintf("%x", sha256.Sum256(data)) != strings.ToLower(
		c.Files[file].Checksums["sha256"]) {
		err = errors.New("failed to verify checksum of the file")
	}
	if err != nil { // with the address, signature included, as the real one does
		return fmt.Errorf("failed to download installation package reliably, %s, %w", c.urls[file],
			err)
	}
	return unpack(data, filepath.Join(c.folder, c.Version))
}

func (c *configuring) get(address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(c.run, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxObject))
}

func unpack(data []byte, folder string) error {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.CopyFS(folder, r)
}

// system returns the platform and architecture, as named by the agent's envdetect.
func (a *Agent) system() (platform, arch string) {
	platform, arch = a.Platform, a.Arch
	if platform == "" {
		text, _ := os.ReadFile("/etc/os-release") // without it the platform is unknown
		if m := regexp.MustCompile(`(?m)^ID=["']?([^"'\n]+)`).FindSubmatch(text); m != nil {
			platform = string(m[1])
		}
		if other, ok := map[string]string{"rhel": "redhat", "ol": "oracle", "amzn": "amazon",
			"sles": "suse", "opensuse-leap": "opensuseleap"}[platform]; ok {
			platform = other
		}
	}
	if arch == "" {
		arch = strings.Replace(runtime.GOARCH, "amd64", "x86_64", 1)
	}
	return platform, arch
}
