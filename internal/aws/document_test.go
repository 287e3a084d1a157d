package aws_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/lab/cloud"
)

func endpoint(t *testing.T) string {
	t.Helper()
	return os.Getenv("AWS_ENDPOINT_URL")
}

func TestADocumentIsMadeOnceAndChangedWhenItDiffers(t *testing.T) {
	double, c := open(t, aws.Options{})
	ensure := func(content string, want bool) {
		t.Helper()
		changed, err := c.EnsureDocument(t.Context(), here, "dropcap-look", content)
		if err != nil || changed != want {
			t.Errorf("changed: %v, want %v; %v", changed, want, err)
		}
	}
	newer := strings.Replace(lookDocument, `"d"`, `"newer"`, 1)
	ensure(lookDocument, true)
	ensure(lookDocument, false)
	ensure(strings.ReplaceAll(lookDocument, "\n", "\n\t "), false)
	ensure(newer, true)
	ensure(newer, false)
	ensure(lookDocument, true)
	calls := double.Calls()
	if calls["ssm:CreateDocument"] != 1 || calls["ssm:UpdateDocument"] != 2 ||
		calls["ssm:UpdateDocumentDefaultVersion"] != 2 {
		t.Errorf("%v", calls)
	}
}

func TestAVersionThatWasNotMadeTheDefaultBecomesIt(t *testing.T) {
	double, c := open(t, aws.Options{})
	if _, err := c.EnsureDocument(t.Context(), here, "dropcap-look", lookDocument); err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(lookDocument, `"d"`, `"newer"`, 1)
	double.Deny("ssm:UpdateDocumentDefaultVersion")
	_, err := c.EnsureDocument(t.Context(), here, "dropcap-look", newer)
	checkError(t, err, "denied", dropcap.ErrDenied, "ssm:UpdateDocumentDefaultVersion")
	double.Heal()
	for _, want := range []bool{true, false} {
		if changed, err := c.EnsureDocument(t.Context(), here, "dropcap-look", newer); err != nil ||
			changed != want {
			t.Errorf("%v, %v", changed, err)
		}
	}
}

func TestALostAnswerToCreateDocumentIsNoError(t *testing.T) {
	double, c := open(t, aws.Options{})
	double.Inject(cloud.Fault{Kind: cloud.Drop, API: "ssm:CreateDocument", Times: 1})
	if changed, err := c.EnsureDocument(t.Context(), here, "dropcap-look",
		lookDocument); err != nil || !changed {
		t.Errorf("%v, %v", changed, err)
	}
}

func TestADocumentIsRemovedAndThenNotThere(t *testing.T) {
	_, c := open(t, aws.Options{})
	if _, err := c.EnsureDocument(t.Context(), here, "dropcap-look", lookDocument); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.RemoveDocument(t.Context(), here, "dropcap-look"); err != nil {
			t.Error(err)
		}
	}
	if changed, err := c.EnsureDocument(t.Context(), here, "dropcap-look",
		lookDocument); err != nil || !changed {
		t.Errorf("%v, %v", changed, err)
	}
}

func TestAnObjectIsThereForWhoeverHasTheSignedAddress(t *testing.T) {
	for _, region := range []string{east, west} {
		double, c := open(t, aws.Options{})
		double.Bucket(cloud.DefaultAccount, region, "lab")
		data := bytes.Repeat([]byte("binary\x00"), 100000)
		double.Inject(cloud.Fault{Kind: cloud.Throttle, API: "s3:PutObject", Times: 1})
		if err := c.PutObject(t.Context(), here, "lab", "dropcap/1",
			bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		address, err := c.PresignGet(t.Context(), here, "lab", "dropcap/1", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes came back, %s, %v", region, len(got), resp.Status, err)
		}
		for range 2 {
			if err := c.DeleteObject(t.Context(), here, "lab", "dropcap/1"); err != nil {
				t.Error(err)
			}
		}
		if list := double.Objects("lab"); len(list) != 0 {
			t.Errorf("%v is left", list)
		}
	}
}

func TestAnAddressIsSignedForSevenDaysAtMost(t *testing.T) {
	_, c := open(t, aws.Options{})
	for _, d := range []time.Duration{0, 8 * 24 * time.Hour} {
		if _, err := c.PresignGet(t.Context(), here, "lab", "x",
			d); dropcap.ExitOf(err) != dropcap.ExitUsage {
			t.Errorf("%s: %v", d, err)
		}
	}
}
