package cloud

import (
	"bytes"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// bucket is an S3 bucket.
type bucket struct {
	account, region string
	objects         map[string][]byte
	uploads         map[string]*upload // by id; nil: ended
}

// Bucket creates a bucket.
func (c *Cloud) Bucket(account, region, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buckets[name] = &bucket{account: account, region: region, objects: map[string][]byte{},
		uploads: map[string]*upload{}}
}

// Objects returns the keys of a bucket's objects, sorted.
func (c *Cloud) Objects(name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.buckets[name]; b != nil {
		return sortedKeys(b.objects)
	}
	return nil
}

// maxObject limits what is stored in memory.
const maxObject = 256 << 20

// objectPath recognises requests to S3 by their path: those of the other services have only fixed
// paths. The bucket is the first part of the path or, with amazon-ssm-agent, of the host:
// BUCKET.localhost.
func objectPath(r *http.Request) (name, key string, ok bool) {
	host, _, _ := strings.Cut(r.Host, ":")
	if name, ok := strings.CutSuffix(host, ".localhost"); ok {
		return name, strings.TrimPrefix(r.URL.Path, "/"), true
	}
	switch r.URL.Path {
	case "/", "/findings", "/findings/import", "/findings/batchupdate", "/list-group-resources":
		return "", "", false
	}
	name, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return name, key, name != ""
}

func (c *Cloud) serveObject(w http.ResponseWriter, r *http.Request, name, key string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxObject))
	if err != nil {
		return
	}
	who, why := c.authenticate(r, "s3", "")
	if why == nil {
		body, why = who.content(body, r.Header.Get("X-Amz-Decoded-Content-Length"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.buckets[name]
	// Every answer of a bucket names its region, even a refusal; without it amazon-ssm-agent
	// continues at S3's public addresses.
	at := who.region
	if b != nil {
		at = b.region
	}
	w.Header().Set("x-amz-bucket-region", at)
	f := why.byS3()
	for _, api := range objectAPIs(r, key) {
		if f == nil {
			f = c.gate(api)
		}
		c.note(api, who.region, f)
	}
	switch {
	case f != nil && f.kind == "AccessDeniedException": // as named by the gate
		s3Fail(w, http.StatusForbidden, "AccessDenied", f.message)
	case f != nil:
		s3Fail(w, f.status, f.kind, f.message)
	case b == nil:
		s3Fail(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case who.region != b.region:
		s3Fail(w, http.StatusMovedPermanently, "PermanentRedirect",
			"The bucket you are attempting to access must be addressed using the specified "+
				"endpoint.")
	default:
		b.serve(w, r, name, key, body)
	}
}

// serve answers a request to a bucket.
func (b *bucket) serve(w http.ResponseWriter, r *http.Request, name, key string, body []byte) {
	switch {
	case inParts(r):
		b.servePart(w, r, name, key, body)
	case key == "" && r.Method == http.MethodHead:
	case key == "" && r.Method == http.MethodGet && r.URL.Query().Has("encryption"):
		answerXML(w, encrypted)
	case key == "" && r.Method == http.MethodGet:
		b.list(w, name, r.URL.Query().Get("prefix"))
	case r.Method == http.MethodPut && r.URL.Query().Has("acl"):
		// amazon-ssm-agent grants the bucket's owner what it stored
	case r.Method == http.MethodPut:
		b.objects[key] = body
		if with := r.Header.Get("X-Amz-Server-Side-Encryption"); with != "" {
			w.Header().Set("x-amz-server-side-encryption", with)
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(body)))
	case r.Method == http.MethodDelete:
		delete(b.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		data, ok := b.objects[key]
		if !ok {
			s3Fail(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(data)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// objectAPIs returns what must be allowed for a request, by IAM's actions where no operation has
// that name.
func objectAPIs(r *http.Request, key string) []string {
	q, method := r.URL.Query(), r.Method
	switch {
	case method == http.MethodPut && q.Has("acl"):
		return []string{"s3:PutObjectAcl"}
	case (method == http.MethodPut || inParts(r)) && r.Header.Get("X-Amz-Acl") != "":
		return []string{"s3:PutObject", "s3:PutObjectAcl"}
	case method == http.MethodPut, inParts(r):
		return []string{"s3:PutObject"}
	case method == http.MethodDelete:
		return []string{"s3:DeleteObject"}
	case key == "" && method == http.MethodHead:
		return []string{"s3:HeadBucket"}
	case key == "" && q.Has("encryption"):
		return []string{"s3:GetEncryptionConfiguration"}
	case key == "":
		return []string{"s3:ListObjectsV2"}
	}
	return []string{"s3:GetObject"}
}

// encryption is the answer of GetBucketEncryption.
type encryption struct {
	XMLName   xml.Name `xml:"ServerSideEncryptionConfiguration"`
	Algorithm string   `xml:"Rule>ApplyServerSideEncryptionByDefault>SSEAlgorithm"`
	BucketKey bool     `xml:"Rule>BucketKeyEnabled"`
}

// encrypted is the default of every bucket since January 2023 (user guide of S3, "Default
// encryption").
var encrypted = encryption{Algorithm: "AES256"}

// list is ListObjectsV2: one page of at most a thousand, since nothing here stores more under a
// prefix.
func (b *bucket) list(w http.ResponseWriter, name, prefix string) {
	type object struct {
		Key  string
		Size int
	}
	out := struct {
		XMLName      xml.Name `xml:"ListBucketResult"`
		Name, Prefix string
		KeyCount     int
		IsTruncated  bool
		Contents     []object
	}{Name: name, Prefix: prefix}
	for _, key := range sortedKeys(b.objects) {
		if strings.HasPrefix(key, prefix) && len(out.Contents) < 1000 {
			out.Contents = append(out.Contents, object{key, len(b.objects[key])})
		}
	}
	out.KeyCount = len(out.Contents)
	answerXML(w, out)
}

// put stores a node's whole output, if the bucket exists.
func (c *Cloud) put(node, name, key, text string) {
	if b := c.buckets[name]; b != nil && !c.fault(LostObject, "", node) {
		b.objects[key] = []byte(text)
	}
}

type s3Error struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

func s3Fail(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(s3Error{Code: code, Message: message})
}
