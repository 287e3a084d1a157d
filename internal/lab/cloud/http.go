package cloud

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestID is the id of every request: nothing uses it.
const requestID = "00000000-0000-4000-8000-000000000000"

// failure is an error of an API: its type, as the SDK sees it, and a sentence.
type failure struct {
	status  int
	kind    string
	message string
}

func fail(kind, format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, kind: kind,
		message: fmt.Sprintf(format, args...)}
}

// ServeHTTP serves all services on one address, for AWS_ENDPOINT_URL.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel := strings.HasPrefix(r.URL.Path, "/v1/control-channel/") ||
		strings.HasPrefix(r.URL.Path, "/v1/data-channel/")
	if name, key, ok := objectPath(r); ok && !channel {
		c.serveObject(w, r, name, key)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return
	}
	if channel {
		c.refuseChannel(w, r, body)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	switch {
	case strings.HasPrefix(target, "EC2WindowsMessageDeliveryService."), agentNeeds[target] != nil:
		c.serveAgent(w, r, target, body)
	case strings.HasPrefix(target, "AmazonSSM."):
		c.serveJSON(w, r, "ssm", strings.TrimPrefix(target, "AmazonSSM."), body)
	case r.URL.Path == "/findings/import" || r.URL.Path == "/findings" ||
		r.URL.Path == "/findings/batchupdate":
		c.serveJSON(w, r, "securityhub",
			map[string]string{"/findings/import": "BatchImportFindings", "/findings": "GetFindings",
				"/findings/batchupdate": "BatchUpdateFindings"}[r.URL.Path], body)
	case r.URL.Path == "/list-group-resources":
		c.serveJSON(w, r, "resource-groups", "ListGroupResources", body)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		c.serveSTS(w, r, string(body))
	default:
		http.Error(w, "no such service here", http.StatusNotFound)
	}
}

// serveJSON checks and answers a request of a JSON service.
func (c *Cloud) serveJSON(w http.ResponseWriter, r *http.Request, service, operation string,
	body []byte) {
	status := http.StatusForbidden
	if service == "ssm" {
		status = http.StatusBadRequest
	}
	who, why := c.authenticate(r, service, digestOf(body))
	c.mu.Lock()
	api, f := service+":"+operation, why.byJSON(status)
	if f == nil {
		f = c.gate(api)
	}
	var input any = map[string]any{}
	if f == nil && len(body) > 0 {
		if err := json.Unmarshal(body, &input); err != nil {
			f = fail("SerializationException", "the request is not JSON")
		}
	}
	if f == nil {
		f = c.validate(service, operation, input)
	}
	var output any
	c.who = who.principal
	if c.base = baseOf(r); f == nil {
		output, f = c.dispatch(c.region(who.account, who.region), api, input.(map[string]any))
	}
	c.note(api, who.region, f)
	drop := c.fault(Drop, api, "")
	c.mu.Unlock()
	if drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("x-amzn-RequestId", requestID)
	if f != nil {
		w.Header().Set("x-amzn-ErrorType", f.kind)
		w.WriteHeader(f.status)
		output = map[string]string{"__type": f.kind, "message": f.message, "Message": f.message}
	}
	_ = json.NewEncoder(w).Encode(output)
}

// baseOf returns the address to which the request was sent.
func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// gate rejects a request if a fault or a denial applies.
func (c *Cloud) gate(api string) *failure {
	switch {
	case c.fault(ExpiredTokens, api, ""):
		return fail("ExpiredTokenException",
			"The security token included in the request is expired")
	case c.denied[api] || c.fault(AccessDenied, api, ""):
		return fail("AccessDeniedException",
			"User: arn:aws:iam::%s:user/lab is not authorized to perform: %s because no "+
				"identity-based policy allows the %s action", DefaultAccount, api, api)
	case c.fault(Throttle, api, ""):
		return fail("ThrottlingException", "Rate exceeded")
	case c.fault(ServerError, api, ""):
		return &failure{http.StatusInternalServerError, "InternalServerError",
			"An error occurred on the server side."}
	}
	return nil
}

func (c *Cloud) validate(service, operation string, input any) *failure {
	if _, ok := c.models[service].Operations[operation]; !ok {
		return fail("UnknownOperationException", "%s is not known here", operation)
	}
	if bad := c.models[service].check(operation, input); len(bad) > 0 {
		return fail("ValidationException", "%d validation error(s) detected: %s", len(bad),
			strings.Join(bad, "; "))
	}
	return nil
}

func (c *Cloud) note(api, region string, f *failure) {
	call := Call{At: c.clock.Now(), API: api, Region: region}
	if f != nil {
		call.Error = f.kind
	}
	c.calls[api]++
	c.log = append(c.log, call)
}

func (c *Cloud) dispatch(r *region, api string, in map[string]any) (any, *failure) {
	operations := map[string]func(*region, map[string]any) (any, *failure){
		"ssm:SendCommand": c.sendCommand, "ssm:CancelCommand": c.cancelCommand,
		"ssm:ListCommands":                c.listCommands,
		"ssm:ListCommandInvocations":      c.listInvocations,
		"ssm:GetCommandInvocation":        c.getInvocation,
		"ssm:DescribeInstanceInformation": c.describeNodes, "ssm:CreateDocument": c.createDocument,
		"ssm:UpdateDocument":               c.updateDocument,
		"ssm:UpdateDocumentDefaultVersion": c.defaultDocument,
		"ssm:DescribeDocument":             c.describeDocument, "ssm:GetDocument": c.getDocument,
		"ssm:DeleteDocument": c.deleteDocument, "ssm:PutComplianceItems": c.putCompliance,
		"ssm:StartAutomationExecution":       c.startAutomation,
		"ssm:GetAutomationExecution":         c.getAutomation,
		"ssm:DescribeAutomationExecutions":   c.listAutomations,
		"ssm:SendAutomationSignal":           c.signal,
		"ssm:StopAutomationExecution":        c.stopAutomation,
		"ssm:CreateAssociation":              c.createAssociation,
		"ssm:DescribeAssociation":            c.getAssociation,
		"ssm:DescribeAssociationExecutions":  c.associationRuns,
		"ssm:StartAssociationsOnce":          c.startAssociations,
		"ssm:DeleteAssociation":              c.deleteAssociation,
		"ssm:ListComplianceItems":            c.listCompliance,
		"securityhub:BatchImportFindings":    c.importFindings,
		"securityhub:GetFindings":            c.getFindings,
		"resource-groups:ListGroupResources": c.listGroup,
	}
	do, ok := operations[api]
	if !ok {
		return nil, fail("UnknownOperationException", "%s is not done here", api)
	}
	return do(r, in)
}

// stamp returns a time in the form of JSON 1.1: seconds since 1970, with a fraction.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return float64(t.UnixMilli()) / 1000
}

func str(in map[string]any, key string) string {
	s, _ := in[key].(string)
	return s
}

func integer(in map[string]any, key string, otherwise int) int {
	if n, ok := in[key].(float64); ok {
		return int(n)
	}
	return otherwise
}

// paged returns one page of a list; tokens are positions.
func paged[T any](list []T, in map[string]any, most int) (page []T, next any, f *failure) {
	from := 0
	if t := str(in, "NextToken"); t != "" {
		if n, err := fmt.Sscanf(t, "page%d", &from); n != 1 || err != nil || from > len(list) {
			return nil, nil, fail("InvalidNextToken", "The specified token isn't valid.")
		}
	}
	to := min(from+integer(in, "MaxResults", most), len(list))
	if to < len(list) {
		next = fmt.Sprintf("page%d", to)
	}
	return list[from:to], next, nil
}
