package fleet

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dropcap"
)

//go:embed documents/validate.sh
var validate string

// platforms are Distributor's Linux platforms, by the agent's names (envdetect/constants). There is
// no name for all platforms.
var platforms = []string{"almalinux", "amazon", "centos", "debian", "opensuse", "opensuseleap",
	"oracle", "redhat", "rocky", "suse", "ubuntu"}

// agentNames are the agent's names of the architectures (envdetect/osdetect).
var agentNames = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// PackageVersion returns dropcap's version in the characters of a package's version:
// 1.2.3_4.g76e0b0c for 1.2.3+4.g76e0b0c, 1.3.0-rc1 for 1.3.0~rc1.
func PackageVersion(version string) string {
	return strings.NewReplacer("+", "_", "~", "-").Replace(version)
}

// NewPackage returns a package of a version of dropcap: programs are static binaries for "amd64",
// "arm64" or both. Equal programs produce equal bytes.
func NewPackage(version string, programs map[string][]byte) (dropcap.Package, error) {
	p := dropcap.Package{Version: PackageVersion(version), Files: map[string][]byte{}}
	if !versionForm().MatchString(version) || len(programs) == 0 {
		return p, fmt.Errorf("cannot make a package of version %q and %d programs", version,
			len(programs))
	}
	type file struct {
		File string `json:"file"`
	}
	type checksums struct {
		Checksums map[string]string `json:"checksums"`
	}
	byArch, files := map[string]file{}, map[string]checksums{}
	for _, arch := range slices.Sorted(maps.Keys(programs)) {
		if agentNames[arch] == "" {
			return p, fmt.Errorf("cannot make a package for %s: there is amd64 and arm64", arch)
		}
		data, err := archive(version, arch, programs[arch])
		if err != nil {
			return p, fmt.Errorf("cannot make the package for %s: %w", arch, err)
		}
		name := "dropcap_" + p.Version + "_" + arch + ".zip"
		p.Files[name], byArch[agentNames[arch]], files[name] = data, file{name},
			checksums{map[string]string{"sha256": digest(data)}}
	}
	packages := map[string]map[string]map[string]file{}
	for _, name := range platforms {
		packages[name] = map[string]map[string]file{"_any": byArch}
	}
	text, err := json.MarshalIndent(map[string]any{
		"schemaVersion": "2.0", "version": p.Version, "publisher": "dropcap", "packages": packages,
		"files": files,
	}, "", "  ")
	p.Manifest = string(text) + "\n"
	return p, err
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// archive returns the zip file for one architecture: the program, and scripts that the agent runs
// as root in the unpacked folder.
func archive(version, arch string, program []byte) ([]byte, error) {
	b := Binary{URL: "package", SHA256: digest(program), Size: int64(len(program))}
	none := Binary{}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[arch]
	put := strings.Join([]string{"version='" + version + "' package=dropcap", b.words(arch),
		none.words(other), install}, "\n")
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"dropcap", program},
		{"install.sh", []byte(put)},
		{"uninstall.sh", []byte("purge=${SSM_DROPCAP_PURGE:-program} " +
			"force=${SSM_DROPCAP_FORCE:-no}\n" + uninstall)},
		{"update.sh", []byte(put)}, // for "In-place update"
		{"validate.sh", []byte("version='" + version + "' sum='" + b.SHA256 + "'\n" + validate)},
	} {
		// the earliest possible time
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0,
			0, 0, 0, time.UTC)}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return buf.Bytes(), err
}
