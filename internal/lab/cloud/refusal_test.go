package cloud_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"dropcap/internal/lab/cloud"
)

// with returns the configuration with another key.
func with(cfg aws.Config, k cloud.Key) aws.Config {
	cfg = cfg.Copy()
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Token},
			nil
	})
	return cfg
}

// asks makes one request to each service with the real SDK.
var asks = map[string]func(context.Context, aws.Config) error{
	"ssm": func(ctx context.Context, c aws.Config) error {
		_, err := ssm.NewFromConfig(c).DescribeInstanceInformation(ctx, nil)
		return err
	},
	"sts": func(ctx context.Context, c aws.Config) error {
		_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
		return err
	},
	"securityhub": func(ctx context.Context, c aws.Config) error {
		_, err := securityhub.NewFromConfig(c).GetFindings(ctx, nil)
		return err
	},
	"resource-groups": func(ctx context.Context, c aws.Config) error {
		_, err := resourcegroups.NewFromConfig(c).ListGroupResources(ctx,
			&resourcegroups.ListGroupResourcesInput{Group: aws.String("web")})
		return err
	},
	"s3": func(ctx context.Context, c aws.Config) error {
		client := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("lab"),
			Key: aws.String("a key/ü+~"), Body: strings.NewReader("x")})
		return err
	},
}

func TestEachServiceLetsOnlyItsSignaturesIn(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Bucket(cloud.DefaultAccount, "us-east-1", "lab")
	double.Group(cloud.DefaultAccount, "us-east-1", "web", one)
	right := cloud.DefaultKey
	for name, tt := range map[string]struct {
		key       cloud.Key
		json, sts string
		s3        string
	}{
		"the right key": {right, "<nil>", "<nil>", "<nil>"},
		"another secret": {cloud.Key{ID: right.ID, Secret: "none"},
			"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"},
		"another key": {cloud.Key{ID: "AKIAANOTHERKEY234567", Secret: right.Secret},
			"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"},
		"a session's token": {cloud.Key{ID: right.ID, Secret: right.Secret, Token: "x"},
			"UnrecognizedClientException", "InvalidClientTokenId", "InvalidToken"},
		"a key in small print": {cloud.Key{ID: strings.ToLower(right.ID), Secret: right.Secret},
			"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"},
		"a key with a slash": {cloud.Key{ID: right.ID + "/x", Secret: right.Secret},
			"IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed"},
	} {
		for service, ask := range asks {
			want := map[string]string{"sts": tt.sts, "s3": tt.s3}[service]
			if want == "" {
				want = tt.json
			}
			if err := ask(t.Context(), with(cfg, tt.key)); code(err) != want {
				t.Errorf("%s, %s: %v, want %s", service, name, err, want)
			}
		}
	}
	if keys := double.Objects("lab"); len(keys) != 1 || keys[0] != "a key/ü+~" {
		t.Errorf("%q", keys)
	}
}

func TestARolesKeysNeedTheirToken(t *testing.T) {
	_, cfg, _ := open(t, nil)
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::444455556666:role/fleet"),
			RoleSessionName: aws.String("dropcap")})
	if err != nil {
		t.Fatal(err)
	}
	k := cloud.Key{ID: *out.Credentials.AccessKeyId, Secret: *out.Credentials.SecretAccessKey,
		Token: *out.Credentials.SessionToken}
	if err := asks["ssm"](t.Context(), with(cfg, k)); err != nil {
		t.Error(err)
	}
	for _, token := range []string{"", k.Token + "x"} {
		k.Token = token
		if err := asks["ssm"](t.Context(),
			with(cfg, k)); code(err) != "UnrecognizedClientException" {
			t.Errorf("with the token %q: %v", token, err)
		}
	}
}

// posted sends a request to ssm, signed at a given time and then changed by an attacker in between.
func posted(t *testing.T, url string, at time.Time, change func(*http.Request)) reply {
	t.Helper()
	body := "{}"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSSM.DescribeInstanceInformation")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	key := aws.Credentials{AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.SecretKey}
	sum := "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, req, sum, "ssm", "us-east-1",
		at); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, text: string(text)}
}

func TestWhatIsChangedOnTheWayIsRefused(t *testing.T) {
	_, _, url := open(t, nil)
	replaced := func(old, now string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, now,
				1))
		}
	}
	const wrong, incomplete = "InvalidSignatureException", "IncompleteSignatureException"
	for name, tt := range map[string]struct {
		since  time.Duration
		change func(*http.Request)
		want   string // in the answer
	}{
		"nothing":                 {0, nil, "InstanceInformationList"},
		"signed 14 minutes ago":   {-14 * time.Minute, nil, "InstanceInformationList"},
		"signed 14 minutes hence": {14 * time.Minute, nil, "InstanceInformationList"},
		"signed 16 minutes ago":   {-16 * time.Minute, nil, "Signature expired"},
		"signed 16 minutes hence": {16 * time.Minute, nil, "Signature not yet current"},
		"the body": {0, func(r *http.Request) {
			r.Body = io.NopCloser(bytes.NewReader([]byte("[]")))
		}, wrong},
		"the operation": {0, func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "AmazonSSM.ListCommands")
		}, wrong},
		"the query": {0, func(r *http.Request) { r.URL.RawQuery = "a=b" }, wrong},
		"the host":  {0, func(r *http.Request) { r.Host = "localhost" }, wrong},
		"the date": {0, func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z")+"x")
		}, incomplete},
		"another header": {0, func(r *http.Request) {
			r.Header.Set("X-Amz-Other", "x")
		}, "headers present in the request which were not signed"},
		"the region":              {0, replaced("/us-east-1/", "/eu-west-1/"), wrong},
		"the service":             {0, replaced("/ssm/", "/s3/"), "correct service: 'ssm'"},
		"headers that are signed": {0, replaced("content-length;", ""), wrong},
		"the signature":           {0, replaced("Signature=", "Signature=0"), incomplete},
		"no Authorization": {0, func(r *http.Request) {
			r.Header.Del("Authorization")
		}, "MissingAuthenticationTokenException"},
		"another way of signing": {0, replaced("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
			incomplete},
		"two signatures": {0,
			replaced("Signature=",
				"Signature=0000000000000000000000000000000000000000000000000000000000000000,Signature="), incomplete},
	} {
		r := posted(t, url, time.Now().Add(tt.since), tt.change)
		if ok := tt.want == "InstanceInformationList"; !strings.Contains(r.text, tt.want) ||
			(r.status == http.StatusOK) != ok {
			t.Errorf("%s: %d %s, want %s", name, r.status, r.text, tt.want)
		}
	}
}

// The id of a key is in every request: knowing it proves nothing.
func TestTheKeysIdAloneOpensNothing(t *testing.T) {
	double, _, url := open(t, nil)
	double.Add(cloud.Node{ID: one})
	for service, target := range map[string]string{"ssm": "AmazonSSM.SendCommand",
		"ec2messages": "EC2WindowsMessageDeliveryService.GetMessages"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/",
			strings.NewReader(`{"DocumentName":"AWS-RunShellScript","InstanceIds":["`+one+
				`"],"Parameters":{"commands":["id"]}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", target)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+cloud.AccessKey+
			"/20260102/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
	if calls := double.Log(); len(calls) == 0 || calls[0].Error == "" {
		t.Errorf("%+v", calls)
	}
}

func TestAPresignedAddressIsForWhatItWasMadeFor(t *testing.T) {
	double, cfg, _ := open(t, nil)
	for _, name := range []string{"lab", "other"} {
		double.Bucket(cloud.DefaultAccount, "us-east-1", name)
	}
	c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	for _, key := range []string{"a", "b"} {
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lab"),
			Key: &key, Body: strings.NewReader(key)}); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := s3.NewPresignClient(c).PresignGetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("a")},
		s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, old, now string
		want             int
	}{
		"as it is":       {"GET", "", "", http.StatusOK},
		"another object": {"GET", "/lab/a", "/lab/b", http.StatusForbidden},
		"another bucket": {"GET", "/lab/a", "/other/a", http.StatusForbidden},
		"another method": {"DELETE", "", "", http.StatusForbidden},
		"valid for longer": {"GET", "X-Amz-Expires=60", "X-Amz-Expires=6000",
			http.StatusForbidden},
		"valid for too long": {"GET", "X-Amz-Expires=60", "X-Amz-Expires=700000",
			http.StatusBadRequest},
		"never valid": {"GET", "X-Amz-Expires=60", "X-Amz-Expires=-1",
			http.StatusBadRequest},
		"more asked": {"GET", "X-Amz-Expires", "response-content-type=x&X-Amz-Expires",
			http.StatusForbidden},
		"another region": {"GET", "us-east-1", "eu-west-1", http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method,
			strings.Replace(signed.URL, tt.old, tt.now, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	// Within its validity, and after.
	for since, want := range map[time.Duration]int{-59 * time.Second: http.StatusOK,
		-61 * time.Second: http.StatusForbidden, 14 * time.Minute: http.StatusOK,
		16 * time.Minute: http.StatusForbidden} {
		address := strings.Split(signed.URL, "?")[0] + "?X-Amz-Expires=60"
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		key := aws.Credentials{AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.SecretKey}
		made, _, err := v4.NewSigner(func(o *v4.SignerOptions) {
			o.DisableURIPathEscaping = true
		}).PresignHTTP(t.Context(), key, req, "UNSIGNED-PAYLOAD", "s3", "us-east-1",
			time.Now().Add(since))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(made)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("signed %s from now: %s", since, resp.Status)
		}
	}
}

func TestABodyThatTheClientDoesNotSignIsTakenByS3(t *testing.T) {
	double, cfg, _ := open(t, nil)
	double.Bucket(cloud.DefaultAccount, "us-east-1", "lab")
	c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lab"),
		Key: aws.String("k"), Body: io.NopCloser(strings.NewReader("streamed")),
		ContentLength: aws.Int64(8)},
		s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware),
		func(o *s3.Options) {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		})
	if err != nil || len(double.Objects("lab")) != 1 {
		t.Errorf("%v, %v", err, double.Objects("lab"))
	}
}
