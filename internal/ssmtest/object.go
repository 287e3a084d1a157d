package ssmtest

import (
	"bytes"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// bucket is an S3 bucket.
type bucket struct {
	account, region string
	objects         map[string][]byte
	uploads         map[string]*upload // by id; nil: over
}

// Bucket makes a bucket.
func (c *Cloud) Bucket(account, region, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buckets[name] = &bucket{account: account, region: region, objects: map[string][]byte{}, uploads: map[string]*upload{}}
}

// Objects gives the keys of a bucket's objects, sorted.
func (c *Cloud) Objects(name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.buckets[name]; b != nil {
		return sortedKeys(b.objects)
	}
	return nil
}

// maxObject bounds what is stored in memory.
const maxObject = 256 << 20

// objectPath tells a request for S3 from those of the other services, which have none but fixed paths. The bucket is the path's first part, or, as
// amazon-ssm-agent has it, the host's: BUCKET.localhost.
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
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body = unchunk(body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.objectCaller(r, objectAPI(r, key)); f != nil {
		w.WriteHeader(f.status)
		_ = xml.NewEncoder(w).Encode(s3Error{Code: f.kind, Message: f.message})
		return
	}
	b := c.buckets[name]
	if b == nil {
		s3Fail(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	w.Header().Set("x-amz-bucket-region", b.region)
	if at := regionOf(r); at != "" && at != b.region {
		s3Fail(w, http.StatusMovedPermanently, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")
		return
	}
	switch {
	case inParts(r):
		b.servePart(w, r, name, key, body)
	case key == "" && r.Method == http.MethodHead:
	case key == "" && r.Method == http.MethodGet:
		b.list(w, name, r.URL.Query().Get("prefix"))
	case r.Method == http.MethodPut && r.URL.Query().Has("acl"): // amazon-ssm-agent gives the bucket's owner what it stored
	case r.Method == http.MethodPut:
		b.objects[key] = body
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

// objectAPI names what is asked for.
func objectAPI(r *http.Request, key string) string {
	method := r.Method
	switch {
	case inParts(r):
		return "s3:PutObject"
	case method == http.MethodPut && r.URL.Query().Has("acl"):
		return "s3:PutObjectAcl"
	case method == http.MethodPut:
		return "s3:PutObject"
	case method == http.MethodDelete:
		return "s3:DeleteObject"
	case key == "" && method == http.MethodHead:
		return "s3:HeadBucket"
	case key == "":
		return "s3:ListObjectsV2"
	}
	return "s3:GetObject"
}

// regionOf is the region that a request was signed for.
func regionOf(r *http.Request) string {
	scope := "Credential=" + r.URL.Query().Get("X-Amz-Credential")
	if m := credential.FindStringSubmatch(r.Header.Get("Authorization") + scope); m != nil {
		return m[2]
	}
	return ""
}

// list is ListObjectsV2: one page of at most a thousand, as nothing here stores more under a prefix.
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

// put stores a node's whole output, if the bucket is there.
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

// objectCaller lets signed requests in, and presigned ones until they expire.
func (c *Cloud) objectCaller(r *http.Request, api string) *failure {
	region := ""
	f := func() *failure {
		q := r.URL.Query()
		if q.Get("X-Amz-Signature") == "" {
			who, f := c.caller(r)
			region = who.region
			return f
		}
		return c.presigned(q)
	}()
	if f == nil {
		f = c.gate(api)
	}
	c.note(api, region, f)
	return f
}

func (c *Cloud) presigned(q url.Values) *failure {
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	seconds, err2 := strconv.Atoi(q.Get("X-Amz-Expires"))
	key, _, _ := strings.Cut(q.Get("X-Amz-Credential"), "/")
	switch {
	case err != nil || err2 != nil:
		return &failure{http.StatusForbidden, "AuthorizationQueryParametersError", "the presigned address is damaged"}
	case c.keys[key] == "":
		return &failure{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	case time.Since(at) > time.Duration(seconds)*time.Second:
		return &failure{http.StatusForbidden, "AccessDenied", "Request has expired"}
	}
	return nil
}

// unchunk takes an aws-chunked body apart: "SIZE[;chunk-signature=…]\r\n" data "\r\n", the last of size 0, then trailers.
func unchunk(body []byte) []byte {
	var out []byte
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		if !ok {
			return out
		}
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n <= 0 || int(n) > len(rest) {
			return out
		}
		out = append(out, rest[:n]...)
		body = bytes.TrimPrefix(rest[n:], []byte("\r\n"))
	}
}
