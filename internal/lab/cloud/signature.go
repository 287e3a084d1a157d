package cloud

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Key is an access key. Token is a session's, and empty for a permanent key.
type Key struct{ ID, Secret, Token string }

// DefaultKey is the key of DefaultAccount.
var DefaultKey = Key{ID: AccessKey, Secret: SecretKey}

// Sign signs a request by Signature Version 4, as of now.
func (k Key) Sign(req *http.Request, body []byte, service, region string) error {
	digest := digestOf(body)
	if service == "s3" {
		req.Header.Set(contentDigest, digest)
	}
	return signerFor(service).SignHTTP(req.Context(), k.credentials(), req, digest, service, region,
		time.Now())
}

// presign returns an address by which anybody may get an object for that long.
func (k Key) presign(address, region string, valid time.Duration) string {
	req, err := http.NewRequest(http.MethodGet, address+"?X-Amz-Expires="+
		strconv.Itoa(int(valid/time.Second)), nil)
	if err != nil {
		return ""
	}
	made, _, err := signerFor("s3").PresignHTTP(req.Context(), k.credentials(), req,
		unsignedPayload, "s3", region, time.Now())
	if err != nil {
		return ""
	}
	return made
}

func (k Key) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token}
}

// signerFor returns the SDK's signer. S3 alone signs paths as they are.
func signerFor(service string) *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = service == "s3"
		o.DisableHeaderHoisting = true // headers stay headers
	})
}

// principal is the owner of a key.
type principal struct {
	Key
	account string
	role    string    // that was assumed; empty: a user
	expires time.Time // zero: never
}

// maxSkew is how far a request's time may differ from ours (Signature Version 4, "Elements of an
// AWS API request signature": within 15 minutes; Systems Manager itself accepts 5).
const maxSkew = 15 * time.Minute

// maxPresigned is how long an address may be valid.
const maxPresigned = 7 * 24 * time.Hour

const (
	dateForm        = "20060102T150405Z"
	algorithm       = "AWS4-HMAC-SHA256"
	contentDigest   = "X-Amz-Content-Sha256"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// claim is what a request says about who signed it, and how.
type claim struct {
	key, day, region, service string
	headers                   []string // the signed ones, in order
	signature, token          string
	at                        time.Time
	presigned                 bool
	valid                     time.Duration // of a presigned one
}

var (
	authorization = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(
			`^AWS4-HMAC-SHA256 +Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$`)
	})
	scope = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(
			`^([A-Za-z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request$`)
	})
)

// claimOf reads a request's claim from its header or, where presigned addresses are accepted, from
// its query.
func claimOf(r *http.Request, presigned bool) (c claim, why *authError) {
	q, credential, headers, date := r.URL.Query(), "", "", ""
	switch given := r.Header.Get("Authorization"); {
	case given != "":
		m := authorization().FindStringSubmatch(given)
		if m == nil {
			return c, because(incomplete,
				"Authorization header is not of the form AWS4-HMAC-SHA256 Credential=…, "+
					"SignedHeaders=…, Signature=….")
		}
		credential, headers, c.signature = m[1], m[2], m[3]
		date, c.token = r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token")
	case presigned && q.Has("X-Amz-Signature"):
		seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
		c.presigned, c.valid = true, time.Duration(seconds)*time.Second
		if err != nil || q.Get("X-Amz-Algorithm") != algorithm || c.valid < 0 ||
			c.valid > maxPresigned {
			return c, because(badQuery,
				"X-Amz-Algorithm or X-Amz-Expires is not valid: the latter is 0 to 604800.")
		}
		credential, headers, c.signature = q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"),
			q.Get("X-Amz-Signature")
		date, c.token = q.Get("X-Amz-Date"), q.Get("X-Amz-Security-Token")
	default:
		return c, because(unsigned, "Missing Authentication Token")
	}
	m := scope().FindStringSubmatch(credential)
	if m == nil {
		return c, because(incomplete,
			"Credential must have exactly 5 slash-delimited elements, e.g. "+
				"keyid/date/region/service/term.")
	}
	c.key, c.day, c.region, c.service, c.headers = m[1], m[2], m[3], m[4],
		strings.Split(headers, ";")
	var err error
	if c.at, err = time.Parse(dateForm, date); err != nil {
		return c, because(incomplete, "X-Amz-Date is not of the form YYYYMMDDTHHMMSSZ.")
	}
	if c.at.Format("20060102") != c.day {
		return c, because(wrongScope,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "+
				"HTTP.")
	}
	return c, nil
}

// caller is the sender of a request.
type caller struct {
	principal
	claim
	payload string // what the signature covers of the body: its digest, or a keyword
}

// authenticate determines who has signed a request for a service, or why nobody known has. digest
// is the body's if the service computes it itself; S3 first accepts the client's (see payload).
func (c *Cloud) authenticate(r *http.Request, service, digest string) (caller, *authError) {
	claimed, why := claimOf(r, service == "s3")
	if why != nil {
		return caller{}, why
	}
	who := caller{claim: claimed, payload: digest}
	if claimed.service != service {
		return who, because(wrongScope, "Credential should be scoped to correct service: '"+service+
			"'.")
	}
	if service == "s3" {
		if who.payload = r.Header.Get(contentDigest); claimed.presigned && who.payload == "" {
			who.payload = unsignedPayload
		}
		if who.payload == "" {
			return who, because(incomplete,
				"Missing required header for this request: x-amz-content-sha256")
		}
	}
	c.mu.Lock()
	known, ok := c.keys[claimed.key]
	c.mu.Unlock()
	if !ok {
		return who, because(unknownKey, "The security token included in the request is invalid.")
	}
	who.principal = known
	if why := claimed.checkTime(time.Now()); why != nil {
		return who, why
	}
	if !hmac.Equal([]byte(signed(r, who)), []byte(claimed.signature)) {
		return who, because(wrongSignature,
			"The request signature we calculated does not match the signature you provided. "+
				"Check your AWS Secret Access Key and signing method.")
	}
	switch {
	case !hmac.Equal([]byte(claimed.token), []byte(known.Token)):
		return who, because(badToken, "The security token included in the request is invalid.")
	case !known.expires.IsZero() && time.Now().After(known.expires):
		return who, because(oldToken, "The security token included in the request is expired")
	}
	return who, claimed.checkCoverage(r)
}

// checkTime compares a claim's time with the wall clock, by which every client signs, whatever
// clock a test controls.
func (c claim) checkTime(now time.Time) *authError {
	const form = dateForm
	switch {
	case c.presigned && now.Before(c.at.Add(-maxSkew)):
		return because(expired, "Request is not valid yet")
	case c.presigned && now.After(c.at.Add(c.valid)):
		return because(expired, "Request has expired")
	case !c.presigned && now.Sub(c.at) > maxSkew:
		return because(wrongTime, "Signature expired: "+c.at.Format(form)+" is now earlier than "+
			now.UTC().Add(-maxSkew).Format(form)+" ("+now.UTC().Format(form)+" - 15 min.)")
	case !c.presigned && c.at.Sub(now) > maxSkew:
		return because(wrongTime, "Signature not yet current: "+c.at.Format(form)+
			" is still later than "+now.UTC().Add(maxSkew).Format(form)+" ("+now.UTC().Format(form)+
			" + 15 min.)")
	}
	return nil
}

// checkCoverage checks that everything that decides a request's meaning is signed.
func (c claim) checkCoverage(r *http.Request) *authError {
	if !slices.Contains(c.headers, "host") {
		return because(wrongSignature,
			"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") &&
			!slices.Contains(c.headers, lower) {
			return because(uncovered,
				"There were headers present in the request which were not signed: "+lower)
		}
	}
	return nil
}

// signed computes the signature that a request should have, with the SDK's own signer: over the
// headers that the claim names, and nothing else.
func signed(r *http.Request, who caller) string {
	address := *r.URL
	again := (&http.Request{Method: r.Method, URL: &address, Host: r.Host, Header: http.Header{}}).
		WithContext(context.WithoutCancel(r.Context()))
	for _, name := range who.headers {
		key := http.CanonicalHeaderKey(name)
		switch values, ok := r.Header[key]; {
		case name == "content-length":
			again.ContentLength = r.ContentLength
		case ok && name != "host":
			again.Header[key] = slices.Clone(values)
		}
	}
	key := who.principal.credentials()
	key.SessionToken = who.token
	signer := signerFor(who.service)
	if !who.presigned {
		if signer.SignHTTP(again.Context(), key, again, who.payload, who.service, who.region,
			who.at) != nil {
			return ""
		}
		m := authorization().FindStringSubmatch(again.Header.Get("Authorization"))
		if m == nil || m[2] != strings.Join(who.headers, ";") {
			return ""
		}
		return m[3]
	}
	q := address.Query()
	q.Del("X-Amz-Signature")
	address.RawQuery = q.Encode()
	made, _, err := signer.PresignHTTP(again.Context(), key, again, who.payload, who.service,
		who.region, who.at)
	u, err2 := url.Parse(made)
	if err != nil || err2 != nil ||
		u.Query().Get("X-Amz-SignedHeaders") != strings.Join(who.headers, ";") {
		return ""
	}
	return u.Query().Get("X-Amz-Signature")
}

// digestOf returns a body's digest in the form used in signatures.
func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
