package aws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"

	"dropcap"
	"dropcap/internal/printable"
)

// caused gives an error a stable slug, as in HostFailure, beside its cause for errors.Is.
type caused struct {
	slug string
	err  error // dropcap.ErrDenied, dropcap.ErrTemporary, a context's; nil if none
}

func (c *caused) Error() string { return c.slug }
func (c *caused) Unwrap() error { return c.err }

// Cause returns the slug of an error of this package: denied, expired, no-credentials, throttled,
// unreachable, unknown-region, no-document, …
func Cause(err error) string {
	var c *caused
	if errors.As(err, &c) {
		return c.slug
	}
	return "aws"
}

// reason explains one of the service's errors.
type reason struct {
	slug string
	says string // the text after the colon; empty: the service's own words
	hint string
	err  error
	code dropcap.Code
}

const (
	signIn = "set AWS_PROFILE or --profile, run aws configure or aws sso login, or set " +
		"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	policies = "; docs/fleet-iam.md has the least policy for each command"
)

// reasons are keyed by the services' own names of errors.
var reasons = func() map[string]reason {
	out := map[string]reason{}
	put := func(r reason, codes ...string) {
		for _, c := range codes {
			out[c] = r
		}
	}
	put(reason{"expired", "the session has expired",
		"sign in again, with aws sso login or however the credentials were made", dropcap.ErrDenied,
		dropcap.CodeHost},
		"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
	put(reason{"clock", "the request's time is not AWS's", "set the clock of this machine",
		dropcap.ErrDenied, dropcap.CodeHost},
		"RequestExpired", "RequestTimeTooSkewed")
	put(reason{"no-credentials", "AWS does not accept the credentials",
		"see that they are right and that the region is enabled for the account, or sign in: " +
			signIn,
		dropcap.ErrDenied, dropcap.CodeHost}, "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidAccessKeyId", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "AuthFailure", "InvalidToken", "OptInRequired")
	put(reason{"no-credentials", "the signature is wrong",
		"see that the secret key is right, and the clock of this machine", dropcap.ErrDenied,
		dropcap.CodeHost},
		"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature",
		"IncompleteSignatureException")
	put(reason{"denied", "", "", dropcap.ErrDenied, dropcap.CodeHost}, "AccessDenied",
		"AccessDeniedException", "UnauthorizedOperation", "Forbidden", "AuthorizationError")
	put(reason{"no-security-hub", "Security Hub is not enabled there",
		"enable it with aws securityhub enable-security-hub", nil, dropcap.CodeHost},
		"InvalidAccessException")
	put(reason{"no-document", "there is no such document",
		"dropcap fleet install puts dropcap's documents there", nil, dropcap.CodeHost},
		"InvalidDocument", "InvalidDocumentVersion")
	put(reason{"unknown-node", "",
		"see dropcap fleet ls: a node must run, with the agent and a role of its own", nil,
		dropcap.CodeError}, "InvalidInstanceId")
	put(reason{"parameters", "",
		"the document there may be another version's: dropcap fleet install updates it", nil,
		dropcap.CodeError}, "InvalidParameters")
	put(reason{"too-large", "the document and its parameters are above 64 KB",
		"send it to fewer at once, or by a bucket", nil, dropcap.CodeError},
		"MaxDocumentSizeExceeded")
	put(reason{"not-yet", "AWS does not know of it yet", "ask again in a moment",
		dropcap.ErrTemporary, dropcap.CodeError}, "InvocationDoesNotExist")
	put(reason{"unknown-command", "AWS does not know this command, or no longer",
		"it keeps commands for 30 days", nil, dropcap.CodeError}, "InvalidCommandId")
	put(reason{"no-bucket", "there is no such bucket", "make it, or name another", nil,
		dropcap.CodeError}, "NoSuchBucket")
	return out
}()

// explain returns the error that a person reads.
func (t task) explain(ctx context.Context, err error, kind failureKind) *dropcap.Error {
	var told *dropcap.Error
	var api smithy.APIError
	var name *net.DNSError
	if ctx.Err() != nil {
		return interrupted(t.what, ctx.Err())
	}
	code := codeOf(err)
	if skewed(err) { // most services call that a wrong signature
		code = "RequestTimeTooSkewed"
	}
	r, known := reasons[code]
	switch status := statusOf(err); {
	case errors.As(err, &told):
		return told
	case kind == throttled:
		r = reason{"throttled", "AWS is asked too often", "wait, or ask less often with --rate",
			dropcap.ErrTemporary, dropcap.CodeError}
	case known:
	case kind == faulty:
		r = reason{"aws-fault", "AWS has a fault of its own (" + http.StatusText(status) + ")",
			"try again later", dropcap.ErrTemporary, dropcap.CodeError}
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		r = reasons["AccessDenied"]
	case errors.As(err, &name) && name.IsNotFound:
		r = reason{"unknown-region", "there is no address " + oneLine(name.Name),
			"see that the region is spelled right, and that this machine can look names up", nil,
			dropcap.CodeHost}
	case kind == unsent:
		r = reason{"unreachable", "cannot connect: " + network(err),
			"see that this machine reaches AWS (a proxy, AWS_ENDPOINT_URL)", dropcap.ErrTemporary,
			dropcap.CodeHost}
	case kind == dropped:
		r = reason{"unreachable", "no answer came: " + network(err),
			"see that this machine reaches AWS (a proxy, AWS_ENDPOINT_URL)", dropcap.ErrTemporary,
			dropcap.CodeHost}
	case errors.As(err, &api):
		r = reason{slug: "aws", code: dropcap.CodeError}
	case credentials(err):
		return noCredentials("cannot "+t.what, err)
	default:
		r = reason{slug: "aws", says: network(err), code: dropcap.CodeError}
	}
	return t.because(r, err)
}

// skewed reports whether a signature was refused for its time.
func skewed(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) ||
		reasons[api.ErrorCode()].says != reasons["SignatureDoesNotMatch"].says {
		return false
	}
	return strings.HasPrefix(api.ErrorMessage(), "Signature expired") ||
		strings.HasPrefix(api.ErrorMessage(), "Signature not yet current")
}

func (t task) because(r reason, err error) *dropcap.Error {
	says, hint := r.says, r.hint
	if says == "" {
		var api smithy.APIError
		if errors.As(err, &api) {
			says = oneLine(api.ErrorCode() + ": " + api.ErrorMessage())
		}
	}
	if r.slug == "denied" {
		says, hint = "the credentials do not allow "+t.api, "allow "+t.api+policies
		if t.hint != "" {
			hint = t.hint
		}
	}
	if t.subject != "" && (r.slug == "no-document" || r.slug == "no-bucket") {
		says += " (" + t.subject + ")"
	}
	return &dropcap.Error{Code: r.code, Message: "cannot " + t.what + ": " + says, Hint: hint,
		Err: &caused{r.slug, r.err}}
}

func interrupted(what string, cause error) *dropcap.Error {
	code, says := dropcap.CodeInterrupt, "it was interrupted"
	if errors.Is(cause, context.DeadlineExceeded) {
		code, says = dropcap.CodeError, "it took too long"
	}
	return &dropcap.Error{Code: code, Message: "cannot " + what + ": " + says,
		Err: &caused{"interrupted", cause}}
}

// noCredentials never quotes the SDK's words, which may contain a credential process or an address
// with a token.
func noCredentials(message string, err error) *dropcap.Error {
	slug, says, hint := "no-credentials", "there are no credentials for AWS", signIn
	if err != nil && (strings.Contains(err.Error(), "SSO") ||
		strings.Contains(err.Error(), "sso")) {
		slug, says, hint = "expired", "the session of single sign-on has expired",
			"run aws sso login"
	}
	return &dropcap.Error{Code: dropcap.CodeHost, Message: message + ": " + says, Hint: hint,
		Err: &caused{slug, dropcap.ErrDenied}}
}

// credentials reports whether the SDK failed before it made a request, for want of keys.
func credentials(err error) bool {
	return strings.Contains(err.Error(), "get credentials") ||
		strings.Contains(err.Error(), "refresh cached credentials") ||
		strings.Contains(err.Error(), "get identity")
}

// network describes the failure of a connection, without the address, whose query may contain a
// signature.
func network(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it took too long"
	}
	for {
		next := errors.Unwrap(err)
		var op *net.OpError
		if next == nil || errors.As(err, &op) && err == error(op) {
			return oneLine(err.Error())
		}
		err = next
	}
}

// oneLine makes a text of others printable: its first line, at most 300 bytes. A refused
// signature's further lines quote the request.
func oneLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	return printable.Cut(strings.TrimSpace(text), 300)
}
