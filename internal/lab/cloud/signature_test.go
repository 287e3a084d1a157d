package cloud

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

// example is the signer in S3's guide ("Authenticating requests: AWS Signature Version 4",
// examples); its signatures are the service's own.
var example = principal{Key: Key{ID: "AKIAIOSFODNN7EXAMPLE",
	Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}}

func request(t *testing.T, method, address string, header map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return r
}

func TestSignaturesAreThoseOfTheGuide(t *testing.T) {
	const (
		at    = "20130524T000000Z"
		scope = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="
		empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	)
	for name, tt := range map[string]struct {
		address, signed, signature string
		header                     map[string]string
	}{
		"an object": {"https://examplebucket.s3.amazonaws.com/test.txt",
			"host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
			map[string]string{"Range": "bytes=0-9"}},
		"a question": {"https://examplebucket.s3.amazonaws.com/?lifecycle",
			"host;x-amz-content-sha256;x-amz-date",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", nil},
		"a list": {"https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
			"host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", nil},
	} {
		r := request(t, http.MethodGet, tt.address, tt.header)
		r.Header.Set("X-Amz-Date", at)
		r.Header.Set(contentDigest, empty)
		r.Header.Set("Authorization", scope+tt.signed+",Signature="+tt.signature)
		c, why := claimOf(r, true)
		if why != nil {
			t.Fatalf("%s: %+v", name, why)
		}
		if got := signed(r, caller{example, c, empty}); got != tt.signature {
			t.Errorf("%s: %s", name, got)
		}
	}
	address :=
		"https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	r := request(t, http.MethodGet, address, nil)
	c, why := claimOf(r, true)
	if got := signed(r, caller{example, c, unsignedPayload}); why != nil || got != c.signature {
		t.Errorf("a presigned address: %+v, %s", why, got)
	}
}

// streamed is the guide's example of an upload in chunks: 64 KiB, 1 KiB and the end.
func streamed(t *testing.T) (caller, string) {
	t.Helper()
	r := request(t, http.MethodPut, "https://s3.amazonaws.com/examplebucket/chunkObject.txt",
		map[string]string{"X-Amz-Date": "20130524T000000Z", "Content-Encoding": "aws-chunked",
			"X-Amz-Storage-Class":          "REDUCED_REDUNDANCY",
			contentDigest:                  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
			"X-Amz-Decoded-Content-Length": "66560",
			"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;" +
				"x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"})
	r.ContentLength = 66824
	c, why := claimOf(r, true)
	who := caller{example, c, r.Header.Get(contentDigest)}
	if got := signed(r, who); why != nil || got != c.signature {
		t.Fatalf("%+v, %s", why, got)
	}
	return who,
		"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) +
			"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) +
			"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
}

func TestChunksAreCheckedOneByOne(t *testing.T) {
	who, body := streamed(t)
	data, why := who.content([]byte(body), "66560")
	if why != nil || string(data) != strings.Repeat("a", 66560) {
		t.Fatalf("%+v, %d bytes", why, len(data))
	}
	for name, tt := range map[string]struct {
		body, size string
		want       reason
	}{
		"a byte of the second": {strings.Replace(body, "a\r\n0;", "b\r\n0;", 1), "66560",
			wrongSignature},
		"the first left out": {body[strings.Index(body, "400;"):], "1024", wrongSignature},
		"the end left out":   {body[:strings.LastIndex(body, "0;chunk")], "66560", wrongPayload},
		"another size said":  {body, "66561", wrongPayload},
	} {
		if _, why := who.content([]byte(tt.body), tt.size); why == nil || why.reason != tt.want {
			t.Errorf("%s: %+v", name, why)
		}
	}
}

func TestABodyIsWhatItsDigestSays(t *testing.T) {
	for name, tt := range map[string]struct {
		payload, body, size string
		want                any
	}{
		"signed":           {digestOf([]byte("x")), "x", "", "x"},
		"another's digest": {digestOf([]byte("y")), "x", "", wrongPayload},
		"not signed":       {unsignedPayload, "x", "", "x"},
		"in chunks, not signed": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
			"1\r\nx\r\n0\r\nx-amz-checksum-crc32:jNw8NQ==\r\n\r\n", "1", "x"},
		"a form that there isn't": {"STREAMING-OTHER", "x", "1", incomplete},
	} {
		data, why := caller{payload: tt.payload}.content([]byte(tt.body), tt.size)
		if why != nil && tt.want != why.reason || why == nil && tt.want != string(data) {
			t.Errorf("%s: %q, %+v", name, data, why)
		}
	}
}

func TestTheLastChunksTrailerIsSignedToo(t *testing.T) {
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	who := caller{example, claim{key: example.ID, day: "20130524", region: "us-east-1",
		service: "s3", signature: strings.Repeat("0", 64), at: at},
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}
	c := &chain{who: who, last: strings.Repeat("1", 64)}
	key := []byte("AWS4" + example.Secret)
	for _, part := range []string{"20130524", "us-east-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	text := "AWS4-HMAC-SHA256-TRAILER\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n" +
		c.last + "\n" + digestOf([]byte("x-amz-checksum-crc32:jNw8NQ==\n"))
	trailer := "x-amz-checksum-crc32:jNw8NQ==\r\nx-amz-trailer-signature:" +
		hex.EncodeToString(mac(key, text)) + "\r\n\r\n"
	if !c.closes([]byte(trailer)) ||
		c.closes([]byte(strings.Replace(trailer, "jNw8", "jNw9", 1))) ||
		c.closes([]byte("x-amz-checksum-crc32:jNw8NQ==\r\n\r\n")) {
		t.Error("a trailer is taken that was not signed, or one refused that was")
	}
}
