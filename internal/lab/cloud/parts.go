package cloud

import (
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// upload is an object uploaded in parts, as amazon-ssm-agent stores output above 5 MiB.
type upload struct {
	key   string
	parts map[int][]byte
}

// inParts reports whether a request belongs to an upload in parts.
func inParts(r *http.Request) bool {
	q := r.URL.Query()
	return q.Has("uploads") || q.Has("uploadId")
}

// servePart begins an upload, accepts a part, completes it, or aborts it.
func (b *bucket) servePart(w http.ResponseWriter, r *http.Request, name, key string, body []byte) {
	q := r.URL.Query()
	id := q.Get("uploadId")
	if q.Has("uploads") && r.Method == http.MethodPost {
		id = fmt.Sprintf("upload-%d", len(b.uploads)+1)
		b.uploads[id] = &upload{key: key, parts: map[int][]byte{}}
		answerXML(w, struct {
			XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
			Bucket, Key, UploadId string
		}{Bucket: name, Key: key, UploadId: id})
		return
	}
	u := b.uploads[id]
	if u == nil || u.key != key {
		s3Fail(w, http.StatusNotFound, "NoSuchUpload",
			"The specified multipart upload does not exist.")
		return
	}
	switch r.Method {
	case http.MethodPut:
		n, err := strconv.Atoi(q.Get("partNumber"))
		if err != nil || n < 1 || n > 10000 {
			s3Fail(w, http.StatusBadRequest, "InvalidArgument",
				"Part number must be an integer between 1 and 10000, inclusive")
			return
		}
		u.parts[n] = body
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(body)))
	case http.MethodPost:
		var whole []byte
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			whole = append(whole, u.parts[n]...)
		}
		b.objects[key] = whole
		b.uploads[id] = nil // its id is not reused
		answerXML(w, struct {
			XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
			Bucket, Key, ETag string
		}{Bucket: name, Key: key, ETag: fmt.Sprintf(`"%x-%d"`, md5.Sum(whole), len(u.parts))})
	case http.MethodDelete:
		b.uploads[id] = nil
		w.WriteHeader(http.StatusNoContent)
	default:
		s3Fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed",
			"The specified method is not allowed against this resource.")
	}
}

func answerXML(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(v)
}
