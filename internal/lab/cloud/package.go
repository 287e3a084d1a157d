package cloud

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// configurePackage is AWS-ConfigureAWSPackage, as far as it matters here.
const configurePackage = `{"schemaVersion":"2.2","description":"Install or uninstall a Distributor package.","parameters":{
"action":{"type":"String","allowedValues":["Install","Uninstall"]},
"installationType":{"type":"String","allowedValues":["Uninstall and reinstall","In-place update"],"default":"Uninstall and reinstall"},
"name":{"type":"String","allowedPattern":"arn:[a-z0-9][-.a-z0-9]{0,62}:[a-z0-9][-.a-z0-9]{0,62}:([a-z0-9][-.a-z0-9]{0,62})?:([a-z0-9][-.a-z0-9]{0,62})?:(package|document)/[a-zA-Z0-9/:.\\-_]{1,128}|[a-zA-Z0-9/:.\\-_]{1,128}"},
"version":{"type":"String","default":""},
"additionalArguments":{"type":"StringMap","displayType":"textarea","default":{},"maxChars":4096}},
"mainSteps":[{"action":"aws:configurePackage","name":"configurePackage","inputs":{"name":"{{ name }}","action":"{{ action }}",
"installationType":"{{ installationType }}","version":"{{ version }}","additionalArguments":"{{ additionalArguments }}"}}]}`

// packaged is what a version of a document of type Package has beside its manifest.
type packaged struct {
	name   string // VersionName
	files  map[string][]byte
	status string // Creating, Active, Failed
	why    string
	ready  time.Time // it is being created until then
}

// creating is how long copying a package's files takes.
const creating = 500 * time.Millisecond

// manifest is a document's content as Distributor reads it.
type manifest struct {
	SchemaVersion, Version string
	// by platform, version of it, architecture
	Packages map[string]map[string]map[string]struct{ File string }
	Files    map[string]struct{ Checksums map[string]string }
}

// addPackage adds a version of a package, and copies what its manifest lists from the caller's
// bucket meanwhile. The version is not active at once, and fails if something is missing or
// unreadable for the caller. The nodes check the checksums.
func (c *Cloud) addPackage(r *region, d *document, in map[string]any) *failure {
	text, name := str(in, "Content"), str(in, "VersionName")
	var m manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.SchemaVersion != "2.0" ||
		m.Version == "" || len(m.Packages) == 0 || len(m.Files) == 0 {
		return fail("InvalidDocumentContent", "The manifest of the package is not valid.")
	}
	for _, p := range d.packages {
		if name != "" && p.name == name {
			return fail("DuplicateDocumentVersionName",
				"The version name %s has already been used in this document.", name)
		}
	}
	bucket, prefix, f := source(in)
	if f != nil {
		return f
	}
	p := &packaged{name: name, files: map[string][]byte{}, status: "Active",
		ready: c.clock.Now().Add(creating)}
	for _, file := range sortedKeys(m.Files) {
		if p.why = c.attach(r, p, bucket, prefix, file); p.why != "" {
			p.status = "Failed"
			break
		}
	}
	var content map[string]any
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return fail("InvalidDocumentContent", "%v", err)
	}
	d.versions, d.texts, d.packages = append(d.versions, content), append(d.texts, text),
		append(d.packages, p)
	return nil
}

var bucketURL = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^(?:s3://|https://s3\.amazonaws\.com/)([a-z0-9.-]{3,63})/(.+?)/?$`)
})

// source returns where the attachments are, from a SourceUrl.
func source(in map[string]any) (bucket, prefix string, f *failure) {
	list, _ := in["Attachments"].([]any)
	for _, v := range list {
		a, _ := v.(map[string]any)
		m := bucketURL().FindStringSubmatch(strings.Join(texts(a["Values"]), ""))
		if str(a, "Key") == "SourceUrl" && m != nil {
			return m[1], m[2], nil
		}
	}
	return "", "", fail("ValidationException", "A package needs attachments by a SourceUrl.")
}

// attach copies one file, and returns why it cannot, in the service's words.
func (c *Cloud) attach(r *region, p *packaged, bucket, prefix, file string) (why string) {
	f := c.gate("s3:GetObject")
	c.note("s3:GetObject", r.region, f)
	refused := func(what string, status int, code string) string {
		return fmt.Sprintf("Permanent download error: Source URL 's3://%s/%s/%s' reported: %s "+
			"(Service: Amazon S3; Status Code: %d; Error Code: %s; Request ID: 0; Proxy: null)",
			bucket, prefix, file, what, status, code)
	}
	b := c.buckets[bucket]
	switch {
	case f != nil:
		return refused("Access Denied", 403, "AccessDenied")
	case b == nil:
		return refused("The specified bucket does not exist", 404, "NoSuchBucket")
	case b.objects[prefix+"/"+file] == nil:
		return refused("The specified key does not exist.", 404, "NoSuchKey")
	}
	p.files[file] = b.objects[prefix+"/"+file]
	return ""
}

// named returns the number of a version by its name; 0 if there is none.
func (d *document) named(name string) int {
	for k, p := range d.packages {
		if p.name == name {
			return k + 1
		}
	}
	return 0
}

// state returns a version's status.
func (d *document) state(n int, now time.Time) (status, why, name string) {
	if d.packages == nil {
		return "Active", "", ""
	}
	p := d.packages[n-1]
	if now.Before(p.ready) {
		return "Creating", "", p.name
	}
	return p.status, p.why, p.name
}

// attachments returns GetDocument's attachments: addresses that the agent can fetch until they
// expire.
func (c *Cloud) attachments(r *region, d *document, n int) []any {
	out := []any{}
	if d.packages == nil {
		return out
	}
	name := "aws-ssm-document-attachments-" + r.region
	if c.buckets[name] == nil {
		c.buckets[name] = &bucket{account: "Amazon", region: r.region, objects: map[string][]byte{}}
	}
	var key Key
	for _, p := range c.keys {
		if p.account == r.account {
			key = p.Key
		}
	}
	for _, file := range sortedKeys(d.packages[n-1].files) {
		data := d.packages[n-1].files[file]
		if c.fault(DamagedPackage, "", "") {
			data = append([]byte("damaged"), data...)
		}
		path := fmt.Sprintf("%s/%s/%d/%s", r.account, d.name, n, file)
		c.buckets[name].objects[path] = data
		out = append(out, map[string]any{"Name": file, "Size": len(data), "HashType": "Sha256",
			"Hash": fmt.Sprintf("%x", sha256.Sum256(d.packages[n-1].files[file])),
			"Url":  key.presign(c.base+"/"+name+"/"+path, r.region, 15*time.Minute)})
	}
	return out
}

// deleteVersion removes the newest version of a package, unless it is the default.
func (d *document) deleteVersion(name string) *failure {
	switch n := d.named(name); {
	case n == 0:
		return fail("InvalidDocumentVersion",
			"The document version is not valid or does not exist.")
	case n == d.defaultVersion || n != len(d.versions):
		return fail("InvalidDocumentOperation",
			"The default version of a document can't be deleted.")
	}
	last := len(d.versions) - 1
	d.versions, d.texts, d.packages = d.versions[:last], d.texts[:last], d.packages[:last]
	return nil
}
