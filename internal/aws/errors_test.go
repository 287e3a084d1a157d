package aws_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
)

func TestEachRefusalIsExplained(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault cloud.Fault
		do    func(*testing.T, *aws.Client) error
		slug  string
		cause error
		words []string
	}{
		{"an expired session", cloud.Fault{Kind: cloud.ExpiredTokens, API: "ssm:SendCommand"},
			sends(script(one)), "expired", dropcap.ErrDenied, []string{"sign in again"}},
		{"a denied action", cloud.Fault{Kind: cloud.AccessDenied, API: "ssm:SendCommand"},
			sends(script(one)), "denied", dropcap.ErrDenied,
			[]string{"do not allow ssm:SendCommand", "docs/fleet-iam.md"}},
		{"a missing document", cloud.Fault{Kind: "none"},
			sends(dropcap.NodeCommand{Place: here, Nodes: []string{one}, Document: "dropcap-look",
				Delivery: 1e11, Execution: 1e11}),
			"no-document", nil, []string{"dropcap-look", "dropcap fleet install"}},
		{"an unknown command", cloud.Fault{Kind: "none"}, func(t *testing.T, c *aws.Client) error {
			_, err := c.Output(t.Context(), script(one), "00000000-0000-4000-8000-000000000000",
				one)
			return err
		}, "unknown-command", nil, []string{"does not know"}},
		{"a missing bucket", cloud.Fault{Kind: "none"}, func(t *testing.T, c *aws.Client) error {
			return c.DeleteObject(t.Context(), here, "none", "x")
		},
			"no-bucket", nil, []string{"none"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			double, c := open(t, aws.Options{})
			double.Add(cloud.Node{ID: one})
			double.Inject(tt.fault)
			checkError(t, tt.do(t, c), tt.slug, tt.cause, tt.words...)
		})
	}
}

// The services use the same word for a wrong signature and for one from another time. The user must
// do something different about each.
func TestAWrongKeyAndAWrongClockAreToldApart(t *testing.T) {
	double := cloud.New(newClock())
	late := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if late {
			w.Header().Set("X-Amzn-ErrorType", "InvalidSignatureException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(
				`{"__type":"InvalidSignatureException","message":"Signature expired: 20260102T000000Z is now earlier than 20260102T000500Z"}`))
			return
		}
		double.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	environment(t, srv.URL, nil)
	c, err := aws.Open(t.Context(), aws.Options{Clock: newClock()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Places(t.Context()); err != nil {
		t.Fatal(err)
	}
	late = true
	_, err = c.Send(t.Context(), script(one))
	checkError(t, err, "clock", dropcap.ErrDenied, "set the clock")
	late = false
	environment(t, srv.URL, map[string]string{"AWS_SECRET_ACCESS_KEY": "another"})
	checkError(t, finds(t, aws.Options{}), "no-credentials", dropcap.ErrDenied,
		"the signature is wrong",
		"the secret key is right")
	environment(t, srv.URL, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAANOTHERKEY234567"})
	checkError(t, finds(t, aws.Options{}), "no-credentials", dropcap.ErrDenied,
		"does not accept the credentials")
}

func sends(n dropcap.NodeCommand) func(*testing.T, *aws.Client) error {
	return func(t *testing.T, c *aws.Client) error {
		_, err := c.Send(t.Context(), n)
		return err
	}
}

// finds opens a client in an environment and searches all nodes.
func finds(t *testing.T, o aws.Options) error {
	t.Helper()
	o.Clock = newClock()
	c, err := aws.Open(t.Context(), o)
	if err != nil {
		return err
	}
	_, _, err = c.Find(t.Context(), dropcap.Targets{All: true})
	return err
}

func TestWithoutCredentialsItTellsHowToSignIn(t *testing.T) {
	environment(t, "http://127.0.0.1:1", map[string]string{"AWS_ACCESS_KEY_ID": "",
		"AWS_SECRET_ACCESS_KEY": ""})
	checkError(t, finds(t, aws.Options{}), "no-credentials", dropcap.ErrDenied, "aws sso login",
		"--profile")
}

func TestUnknownKeysAreTold(t *testing.T) {
	srv := httptest.NewServer(cloud.New(nil))
	t.Cleanup(srv.Close)
	environment(t, srv.URL, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"})
	checkError(t, finds(t, aws.Options{}), "no-credentials", dropcap.ErrDenied,
		"does not accept the credentials")
}

func TestWithoutARegionItTellsHowToNameOne(t *testing.T) {
	environment(t, "http://127.0.0.1:1", map[string]string{"AWS_REGION": ""})
	_, err := aws.Open(t.Context(), aws.Options{})
	checkError(t, err, "aws", nil, "--region", "AWS_REGION")
	if _, err := aws.Open(t.Context(), aws.Options{Regions: []string{"us_east"}}); dropcap.ExitOf(
		err) != dropcap.ExitUsage {
		t.Errorf("a region of the wrong form: %v", err)
	}
}

func TestTheProfilesRegionIsTheDefault(t *testing.T) {
	srv := httptest.NewServer(cloud.New(nil))
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "config")
	text := "[profile fleet]\nregion = " + west + "\naws_access_key_id = " + cloud.AccessKey +
		"\naws_secret_access_key = " + cloud.SecretKey + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment(t, srv.URL, map[string]string{"AWS_REGION": "", "AWS_CONFIG_FILE": file,
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
	c, err := aws.Open(t.Context(), aws.Options{Profile: "fleet"})
	if err != nil {
		t.Fatal(err)
	}
	places, err := c.Places(t.Context())
	if err != nil || len(places) != 1 || places[0].String() != cloud.DefaultAccount+"/"+west {
		t.Errorf("%v, %v", places, err)
	}
	_, err = aws.Open(t.Context(), aws.Options{Profile: "none"})
	checkError(t, err, "aws", nil, `profile "none"`)
}

func TestWhatIsNoRoleIsRefused(t *testing.T) {
	environment(t, "http://127.0.0.1:1", nil)
	for _, roles := range [][]string{{"fleet"}, {"arn:aws:iam::1:role/x"},
		{"arn:aws:iam::" + other + ":user/x"}, {"arn:aws:iam::" + other + ":role/a",
			"arn:aws:iam::" + other + ":role/b"}} {
		if _, err := aws.Open(t.Context(), aws.Options{Roles: roles}); dropcap.ExitOf(
			err) != dropcap.ExitUsage {
			t.Errorf("%v: %v", roles, err)
		}
	}
}

func TestARoleThatMayNotBeAssumedIsNamed(t *testing.T) {
	double, c := open(t, aws.Options{Roles: []string{"arn:aws:iam::" + other + ":role/fleet"}})
	double.Deny("sts:AssumeRole")
	_, _, err := c.Find(t.Context(), dropcap.Targets{All: true})
	checkError(t, err, "denied", dropcap.ErrDenied, "sts:AssumeRole", "role/fleet", "trust")
	if n := double.Calls()["sts:AssumeRole"]; n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestAnUnreachableEndpointIsTemporary(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	environment(t, srv.URL, nil)
	checkError(t, finds(t, aws.Options{}), "unreachable", dropcap.ErrTemporary, "cannot connect",
		"connection refused")
}

func TestAnAddressThatThereIsNotIsTheRegions(t *testing.T) {
	environment(t, "http://ssm.us-nowhere-1.invalid", nil)
	checkError(t, finds(t, aws.Options{}), "unknown-region", nil, "spelled right")
}

func TestAnAnswerThatIsNoneOfTheServicesIsAnErrorAndNoPanic(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>please sign in to the hotel's network\n\x1b[31m</html>"))
	}))
	t.Cleanup(srv.Close)
	environment(t, srv.URL, nil)
	err := finds(t, aws.Options{Roles: []string{}})
	if err == nil {
		t.Fatal("no error")
	}
	checkError(t, err, aws.Cause(err),
		map[bool]error{true: dropcap.ErrTemporary}[aws.Cause(err) == "unreachable"])
}

func TestTheServicesWordsAreOnePrintableLineWithoutTheRequest(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-ErrorType", "StrangeException")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(
			`{"__type":"StrangeException","message":"\u001b[31mstrange\nThe Canonical String was x-amz-security-token:` + cloud.SecretKey + `"}`))
	}))
	t.Cleanup(srv.Close)
	environment(t, srv.URL, nil)
	c, err := aws.Open(t.Context(), aws.Options{Clock: newClock(), Roles: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Find(t.Context(), dropcap.Targets{All: true})
	checkError(t, err, "aws", nil)
}
