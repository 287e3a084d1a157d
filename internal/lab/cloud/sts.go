package cloud

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"
)

var roleARN = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/(.+)$`)
})

// serveSTS answers the two supported operations of STS, in XML.
func (c *Cloud) serveSTS(w http.ResponseWriter, r *http.Request, body string) {
	form, err := url.ParseQuery(body)
	if err != nil {
		http.Error(w, "cannot read the form", http.StatusBadRequest)
		return
	}
	api := "sts:" + form.Get("Action")
	who, why := c.authenticate(r, "sts", digestOf([]byte(body)))
	c.mu.Lock()
	defer c.mu.Unlock()
	f := why.bySTS()
	if f == nil {
		f = c.gate(api)
	}
	var result string
	if f == nil {
		switch form.Get("Action") {
		case "GetCallerIdentity":
			result = fmt.Sprintf(
				"<Arn>arn:aws:iam::%s:user/lab</Arn><UserId>AIDALAB</UserId><Account>%s</Account>",
				who.account, who.account)
		case "AssumeRole":
			result, f = c.assume(form)
		default:
			f = fail("InvalidAction", "%s is not known here", form.Get("Action"))
		}
	}
	c.note(api, who.region, f)
	w.Header().Set("Content-Type", "text/xml")
	if f != nil {
		w.WriteHeader(f.status)
		fmt.Fprintf(w,
			"<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", f.kind, escape(f.message))
		return
	}
	name := form.Get("Action")
	fmt.Fprintf(w,
		`<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult>%s</%sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%sResponse>`,
		name, name, result, name, name)
}

func escape(s string) string {
	var b []byte
	w := (*writer)(&b)
	_ = xml.EscapeText(w, []byte(s))
	return string(b)
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

// assume returns keys of the role's account.
func (c *Cloud) assume(form url.Values) (string, *failure) {
	m := roleARN().FindStringSubmatch(form.Get("RoleArn"))
	if m == nil {
		return "", fail("ValidationError", "%s is invalid", form.Get("RoleArn"))
	}
	p := principal{Key: Key{"ASIA" + rand.Text()[:16], rand.Text(), rand.Text()}, account: m[1],
		role: m[2], expires: time.Now().Add(time.Hour)}
	c.keys[p.ID] = p
	return fmt.Sprintf(
		"<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>"+
			"<AssumedRoleUser><Arn>arn:aws:sts::%s:assumed-role/%s/lab</Arn><AssumedRoleId>AROA:lab</AssumedRoleId></AssumedRoleUser>",
		p.ID, p.Secret, p.Token, p.expires.UTC().Format(time.RFC3339), m[1], escape(m[2])), nil
}
