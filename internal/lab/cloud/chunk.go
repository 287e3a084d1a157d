package cloud

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// content returns the body that an S3 client sends, if it matches the signature. Clients sign its
// digest, or declare it unsigned, or send it in chunks, each with a signature or none.
func (who caller) content(body []byte, size string) ([]byte, *authError) {
	form, streaming := strings.CutPrefix(who.payload, "STREAMING-")
	switch {
	case who.payload == unsignedPayload:
		return body, nil
	case !streaming && who.payload != digestOf(body):
		return nil, because(wrongPayload,
			"The provided 'x-amz-content-sha256' header does not match what was computed.")
	case !streaming:
		return body, nil
	case form != "AWS4-HMAC-SHA256-PAYLOAD" && form != "AWS4-HMAC-SHA256-PAYLOAD-TRAILER" &&
		form != "UNSIGNED-PAYLOAD-TRAILER":
		return nil, because(incomplete,
			"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a digest, or a form of streaming.")
	}
	var check *chain
	if form != "UNSIGNED-PAYLOAD-TRAILER" {
		seed, _ := hex.DecodeString(who.signature) // compared before
		check = &chain{who: who, last: who.signature, signer: v4.NewStreamSigner(who.credentials(),
			who.service, who.region, seed)}
	}
	data, trailers, ok := unchunk(body, check)
	switch {
	case !ok:
		return nil, because(wrongPayload, "The chunks of the body are damaged or end early.")
	case size != strconv.Itoa(len(data)):
		return nil, because(wrongPayload,
			"You did not provide the number of bytes specified by the "+
				"x-amz-decoded-content-length HTTP header.")
	case check != nil && check.broken, strings.HasSuffix(form, "PAYLOAD-TRAILER") && check != nil &&
		!check.closes(trailers):
		return nil, because(wrongSignature,
			"The signature of a chunk does not match what was computed.")
	}
	return data, nil
}

// chain is the signatures of chunks, each of which covers the one before ("Signature calculations:
// transferring payload in multiple chunks").
type chain struct {
	who    caller
	last   string
	signer *v4.StreamSigner
	broken bool
}

// chunk checks a chunk's signature. What the SDK signs of an event without headers is what S3 signs
// of a chunk.
func (c *chain) chunk(data []byte, signature string) {
	want, err := c.signer.GetSignature(context.Background(), nil, data, c.who.at)
	c.last = hex.EncodeToString(want)
	c.broken = c.broken || err != nil || !hmac.Equal([]byte(signature), []byte(c.last))
}

// closes reports whether the signature of what follows the last chunk is right.
func (c *chain) closes(trailers []byte) bool {
	covered, signature, ok := bytes.Cut(trailers, []byte("x-amz-trailer-signature:"))
	if !ok {
		return false
	}
	covered = append(bytes.TrimSuffix(covered, []byte("\r\n")), '\n')
	key := []byte("AWS4" + c.who.Secret)
	for _, part := range []string{c.who.day, c.who.region, c.who.service, "aws4_request"} {
		key = mac(key, part)
	}
	scope := strings.Join([]string{c.who.day, c.who.region, c.who.service, "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256-TRAILER", c.who.at.Format(dateForm), scope,
		c.last, digestOf(covered)}, "\n")
	return hmac.Equal(bytes.TrimSpace(signature), []byte(hex.EncodeToString(mac(key, text))))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// unchunk decodes an aws-chunked body: "SIZE[;chunk-signature=…]\r\n" data "\r\n", the last of size
// 0, then trailers.
func unchunk(body []byte, check *chain) (data, trailers []byte, ok bool) {
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		size, extension, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if !ok || err != nil || n < 0 || n > int64(len(rest)) {
			return nil, nil, false
		}
		if check != nil {
			check.chunk(rest[:n], strings.TrimPrefix(extension, "chunk-signature="))
		}
		if n == 0 {
			return data, rest, true
		}
		data = append(data, rest[:n]...)
		if body, ok = bytes.CutPrefix(rest[n:], []byte("\r\n")); !ok {
			return nil, nil, false
		}
	}
}
