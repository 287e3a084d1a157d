package cloud

import "net/http"

// reason is why a request's signature is not accepted.
type reason int

const (
	unsigned reason = iota
	incomplete
	badQuery
	expired // of a presigned address
	unknownKey
	badToken
	oldToken
	wrongTime
	wrongScope
	wrongSignature
	uncovered
	wrongPayload
)

// authError is a request that is rejected, before its error has a name: each protocol has names of
// its own.
type authError struct {
	reason
	says string
}

func because(r reason, says string) *authError { return &authError{r, says} }

// errorNames are the errors' names in JSON, in S3's XML, and in STS's.
var errorNames = map[reason][3]string{
	unsigned: {"MissingAuthenticationTokenException", "AccessDenied",
		"MissingAuthenticationToken"},
	incomplete: {"IncompleteSignatureException", "AuthorizationHeaderMalformed",
		"IncompleteSignature"},
	badQuery: {"IncompleteSignatureException", "AuthorizationQueryParametersError",
		"IncompleteSignature"},
	expired:    {"InvalidSignatureException", "AccessDenied", "SignatureDoesNotMatch"},
	unknownKey: {"UnrecognizedClientException", "InvalidAccessKeyId", "InvalidClientTokenId"},
	badToken:   {"UnrecognizedClientException", "InvalidToken", "InvalidClientTokenId"},
	oldToken:   {"ExpiredTokenException", "ExpiredToken", "ExpiredToken"},
	wrongTime:  {"InvalidSignatureException", "RequestTimeTooSkewed", "SignatureDoesNotMatch"},
	wrongScope: {"InvalidSignatureException", "AuthorizationHeaderMalformed",
		"SignatureDoesNotMatch"},
	wrongSignature: {"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"},
	uncovered:      {"InvalidSignatureException", "AccessDenied", "SignatureDoesNotMatch"},
	wrongPayload: {"InvalidSignatureException", "XAmzContentSHA256Mismatch",
		"SignatureDoesNotMatch"},
}

// byJSON returns the error of JSON services: status 403. Those of JSON 1.1, such as Systems
// Manager, use 400.
func (u *authError) byJSON(status int) *failure {
	if u == nil {
		return nil
	}
	return &failure{status, errorNames[u.reason][0], u.says}
}

// byS3 returns S3's error.
func (u *authError) byS3() *failure {
	if u == nil {
		return nil
	}
	status := http.StatusForbidden
	switch u.reason {
	case incomplete, badQuery, badToken, oldToken, wrongScope, wrongPayload:
		status = http.StatusBadRequest
	}
	return &failure{status, errorNames[u.reason][1], u.says}
}

// bySTS returns STS's error.
func (u *authError) bySTS() *failure {
	if u == nil {
		return nil
	}
	return &failure{http.StatusForbidden, errorNames[u.reason][2], u.says}
}
