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

// unproven is a request that is rejected, before its error has a name: each protocol has names of
// its own.
type unproven struct {
	reason
	says string
}

func because(r reason, says string) *unproven { return &unproven{r, says} }

// spoken are the errors' names in JSON, in S3's XML, and in STS's.
var spoken = map[reason][3]string{
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
func (u *unproven) byJSON(status int) *failure {
	if u == nil {
		return nil
	}
	return &failure{status, spoken[u.reason][0], u.says}
}

// byS3 returns S3's error.
func (u *unproven) byS3() *failure {
	if u == nil {
		return nil
	}
	status := http.StatusForbidden
	switch u.reason {
	case incomplete, badQuery, badToken, oldToken, wrongScope, wrongPayload:
		status = http.StatusBadRequest
	}
	return &failure{status, spoken[u.reason][1], u.says}
}

// bySTS returns STS's error.
func (u *unproven) bySTS() *failure {
	if u == nil {
		return nil
	}
	return &failure{http.StatusForbidden, spoken[u.reason][2], u.says}
}
