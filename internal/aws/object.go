package aws

import (
	"context"
	"errors"
	"io"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"dropcap"
)

// maxOutput limits what is read of an output: frame.MaxEncoded with its lines, and room for other
// output of a script.
const maxOutput = 48 << 20

// longestPresigned is Signature Version 4's limit; credentials of a session end it sooner.
const longestPresigned = 7 * 24 * time.Hour

var errNoObject = errors.New("there is no such object")

// bucketsOf returns a client of S3. A custom endpoint does not resolve bucket names.
func bucketsOf(cfg sdk.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}

func (s *site) objectTask(api, what, bucket string) task {
	t := s.task(api, what)
	t.subject, t.long = bucket, true
	return t
}

// inBucket makes a request in a bucket's region, which the service names if it is not the place's.
func inBucket[T any](ctx context.Context, c *Client, s *site, t task,
	do func(context.Context, *s3.Client) (T, error)) (T, error) {
	var other string
	out, err := ask(ctx, c, t, func(ctx context.Context) (T, error) {
		out, err := do(ctx, c.bucketClient(s, t.subject, ""))
		other = regionOf(err)
		return out, err
	})
	if err == nil || other == "" || other == s.Region || !regionForm.MatchString(other) {
		return out, err
	}
	return ask(ctx, c, t, func(ctx context.Context) (T, error) {
		return do(ctx, c.bucketClient(s, t.subject, other))
	})
}

// bucketClient returns the client for a bucket; other is its region, if just learned.
func (c *Client) bucketClient(s *site, bucket, other string) *s3.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other != "" {
		c.buckets[bucket] = other
	}
	region := c.buckets[bucket]
	if region == "" || region == s.Region {
		return s.s3
	}
	cfg := s.cfg.Copy()
	cfg.Region = region
	return bucketsOf(cfg)
}

// regionOf returns the region that a refusal names (301 PermanentRedirect, 400
// AuthorizationHeaderMalformed).
func regionOf(err error) string {
	var resp *smithyhttp.ResponseError
	if err != nil && errors.As(err, &resp) && resp.Response != nil &&
		resp.Response.Response != nil {
		return resp.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

// PutObject stores a body. It reads the body again from the beginning if it has to repeat the
// request.
func (c *Client) PutObject(ctx context.Context, p dropcap.Place, bucket, key string,
	body io.ReadSeeker) error {
	s, err := c.at(ctx, p)
	if err != nil {
		return err
	}
	t := s.objectTask("s3:PutObject", "store "+oneLine(key)+" in the bucket "+oneLine(bucket),
		bucket)
	_, err = inBucket(ctx, c, s, t,
		func(ctx context.Context, client *s3.Client) (*s3.PutObjectOutput, error) {
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				return nil, err
			}
			return client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body})
		})
	return err
}

// PresignGet returns an address by which anybody may get an object until it expires. It is a
// secret.
func (c *Client) PresignGet(ctx context.Context, p dropcap.Place, bucket, key string,
	expiry time.Duration) (string, error) {
	if expiry < time.Second || expiry > longestPresigned {
		return "", dropcap.Errorf(dropcap.CodeUsage, "",
			"cannot sign an address for %s: it is 1s to %s", expiry, longestPresigned)
	}
	s, err := c.at(ctx, p)
	if err != nil {
		return "", err
	}
	t := s.objectTask("s3:GetObject", "sign an address of "+oneLine(key), bucket)
	signed, err := s3.NewPresignClient(c.bucketClient(s, bucket, "")).PresignGetObject(ctx,
		&s3.GetObjectInput{Bucket: &bucket, Key: &key}, s3.WithPresignExpires(expiry))
	if err != nil {
		return "", t.explain(ctx, err, kindOf(err))
	}
	return signed.URL, nil
}

// DeleteObject removes an object. It is no error if there is none.
func (c *Client) DeleteObject(ctx context.Context, p dropcap.Place, bucket, key string) error {
	s, err := c.at(ctx, p)
	if err != nil {
		return err
	}
	t := s.objectTask("s3:DeleteObject", "remove "+oneLine(key)+" from the bucket "+oneLine(bucket),
		bucket)
	_, err = inBucket(ctx, c, s, t,
		func(ctx context.Context, client *s3.Client) (*s3.DeleteObjectOutput, error) {
			return client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
		})
	return err
}

// getObject reads an object. The error is errNoObject if there is none. Without s3:ListBucket, S3
// answers that such an object is forbidden.
func (c *Client) getObject(ctx context.Context, s *site, bucket, key string) (string, error) {
	t := s.objectTask("s3:GetObject", "get "+oneLine(key)+" from the bucket "+oneLine(bucket),
		bucket)
	none := false
	text, err := inBucket(ctx, c, s, t,
		func(ctx context.Context, client *s3.Client) (string, error) {
			out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
			none = codeOf(err) == "NoSuchKey"
			if err != nil {
				return "", err
			}
			defer out.Body.Close()
			data, err := io.ReadAll(io.LimitReader(out.Body, maxOutput+1))
			if err != nil {
				return "", &smithyhttp.RequestSendError{Err: err} // the connection broke
			}
			if len(data) > maxOutput {
				return "", dropcap.Errorf(dropcap.CodeError, "",
					"cannot get %s from the bucket %s: it is larger than %d MiB", oneLine(key),
					oneLine(bucket), maxOutput>>20)
			}
			return string(data), nil
		})
	if none {
		return "", errNoObject
	}
	return text, err
}

// listObjects returns up to a thousand keys with a prefix.
func (c *Client) listObjects(ctx context.Context, s *site, bucket,
	prefix string) ([]string, error) {
	t := s.objectTask("s3:ListBucket", "list the bucket "+oneLine(bucket), bucket)
	out, err := inBucket(ctx, c, s, t,
		func(ctx context.Context, client *s3.Client) (*s3.ListObjectsV2Output, error) {
			return client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket,
				Prefix: &prefix})
		})
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, sdk.ToString(o.Key))
	}
	return keys, nil
}
