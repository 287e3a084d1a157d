package cloud

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// describeNodes is DescribeInstanceInformation: pages of 5 to 50, and string filters, where a tag
// filter excludes all others.
func (c *Cloud) describeNodes(r *region, in map[string]any) (any, *failure) {
	filters, _ := in["Filters"].([]any)
	tags, others := 0, 0
	for _, v := range filters {
		if m, _ := v.(map[string]any); strings.HasPrefix(str(m, "Key"), "tag") {
			tags++
		} else {
			others++
		}
	}
	if tags > 0 && others > 0 {
		return nil, fail("InvalidFilterKey", "Tag filters can't be combined with other filters.")
	}
	var list []map[string]any
	for _, id := range r.order {
		n := r.nodes[id]
		if !r.shown(n, filters, c.clock.Now()) {
			continue
		}
		list = append(list, c.describeNode(n))
	}
	page, next, f := paged(list, in, 10)
	if f != nil {
		return nil, f
	}
	return map[string]any{"InstanceInformationList": page, "NextToken": next}, nil
}

func (c *Cloud) describeNode(n *Node) map[string]any {
	ping, at := "Online", c.clock.Now()
	if n.lost(at) {
		ping, at = "ConnectionLost", n.LastPing
	}
	kind := "EC2Instance"
	if strings.HasPrefix(n.ID, "mi-") {
		kind = "ManagedInstance"
	}
	return map[string]any{
		"InstanceId": n.ID, "PingStatus": ping, "LastPingDateTime": stamp(at),
		"AgentVersion": n.AgentVersion, "IsLatestVersion": true,
		"PlatformType": n.Platform, "PlatformName": n.PlatformName,
		"PlatformVersion": n.PlatformVersion, "ResourceType": kind,
		"ComputerName": n.Name, "IPAddress": "10.0.0.1",
	}
}

func (r *region) shown(n *Node, filters []any, now time.Time) bool {
	for _, v := range filters {
		m, _ := v.(map[string]any)
		key, values := str(m, "Key"), texts(m["Values"])
		ok := false
		switch key {
		case "PingStatus":
			ok = slices.Contains(values, "Online") != n.lost(now)
		case "PlatformTypes", "PlatformType":
			ok = slices.Contains(values, n.Platform)
		case "InstanceIds":
			ok = slices.Contains(values, n.ID)
		default:
			ok = r.matchesOne(n, key, values)
		}
		if !ok {
			return false
		}
	}
	return true
}

func (c *Cloud) listGroup(r *region, in map[string]any) (any, *failure) {
	name := str(in, "Group")
	if name == "" {
		name = str(in, "GroupName")
	}
	nodes, ok := r.groups[name]
	if !ok {
		return nil, &failure{404, "NotFoundException", "The group " + name + " does not exist."}
	}
	list := []any{}
	for _, id := range nodes {
		arn, kind := "arn:aws:ec2:%s:%s:instance/%s", "AWS::EC2::Instance"
		if strings.HasPrefix(id, "mi-") {
			arn, kind = "arn:aws:ssm:%s:%s:managed-instance/%s", "AWS::SSM::ManagedInstance"
		}
		list = append(list, map[string]any{"Identifier": map[string]any{"ResourceArn": fmt.Sprintf(
			arn, r.region, r.account, id), "ResourceType": kind}})
	}
	page, next, f := paged(list, in, 50)
	if f != nil {
		return nil, f
	}
	return map[string]any{"Resources": page, "NextToken": next}, nil
}

func (c *Cloud) createDocument(r *region, in map[string]any) (any, *failure) {
	name := str(in, "Name")
	if r.documents[name] != nil {
		return nil, fail("DocumentAlreadyExists", "Document with same name %s already exists", name)
	}
	d := &document{name: name, owner: r.account, defaultVersion: 1}
	if f := c.addVersion(r, d, in, str(in, "DocumentType") == "Package"); f != nil {
		return nil, f
	}
	r.documents[name] = d
	return map[string]any{"DocumentDescription": d.describe(1, c.clock.Now())}, nil
}

func (c *Cloud) addVersion(r *region, d *document, in map[string]any, isPackage bool) *failure {
	if isPackage {
		return c.addPackage(r, d, in)
	}
	if err := d.add(str(in, "Content")); err != nil {
		return fail("InvalidDocumentContent", "%v", err)
	}
	if kind := str(in, "DocumentType"); kind != "" && kind != d.kind() {
		return fail("InvalidDocumentContent", "A document of type %s has another schema.", kind)
	}
	return nil
}

func (c *Cloud) updateDocument(r *region, in map[string]any) (any, *failure) {
	d, f := r.document(in)
	if f != nil {
		return nil, f
	}
	if d.texts[len(d.texts)-1] == str(in, "Content") {
		return nil, fail("DuplicateDocumentContent",
			"The content of the association document matches another document.")
	}
	if f := c.addVersion(r, d, in, d.packages != nil); f != nil {
		return nil, f
	}
	return map[string]any{"DocumentDescription": d.describe(len(d.versions), c.clock.Now())}, nil
}

func (c *Cloud) defaultDocument(r *region, in map[string]any) (any, *failure) {
	d, f := r.document(in)
	if f != nil {
		return nil, f
	}
	n, content := d.resolve(str(in, "DocumentVersion"))
	if content == nil {
		return nil, fail("InvalidDocumentVersion",
			"The document version is not valid or does not exist.")
	}
	d.defaultVersion = n
	return map[string]any{"Description": map[string]any{"Name": d.name,
		"DefaultVersion": fmt.Sprint(n)}}, nil
}

func (r *region) document(in map[string]any) (*document, *failure) {
	d := r.documents[str(in, "Name")]
	if d == nil {
		return nil, fail("InvalidDocument", "Document with name %s does not exist.",
			str(in, "Name"))
	}
	return d, nil
}

func (d *document) kind() string {
	switch {
	case d.packages != nil:
		return "Package"
	case d.versions[0]["schemaVersion"] == runbookSchema:
		return "Automation"
	}
	return "Command"
}

func (d *document) describe(n int, now time.Time) map[string]any {
	status, why, name := d.state(n, now)
	return map[string]any{
		"Name": d.name, "Owner": d.owner, "Status": status, "StatusInformation": why,
		"VersionName": name, "DocumentVersion": fmt.Sprint(n),
		"LatestVersion":  fmt.Sprint(len(d.versions)),
		"DefaultVersion": fmt.Sprint(d.defaultVersion), "DocumentType": d.kind(),
		"DocumentFormat": "JSON", "HashType": "Sha256",
		"Hash":          fmt.Sprintf("%x", sha256.Sum256([]byte(d.texts[n-1]))),
		"SchemaVersion": d.versions[n-1]["schemaVersion"],
	}
}

func (c *Cloud) describeDocument(r *region, in map[string]any) (any, *failure) {
	d, f := r.document(in)
	if f != nil {
		return nil, f
	}
	n, content := d.resolve(str(in, "DocumentVersion"))
	if content == nil {
		return nil, fail("InvalidDocumentVersion",
			"The document version is not valid or does not exist.")
	}
	return map[string]any{"Document": d.describe(n, c.clock.Now())}, nil
}

func (c *Cloud) getDocument(r *region, in map[string]any) (any, *failure) {
	d, f := r.document(in)
	if f != nil {
		return nil, f
	}
	version := str(in, "DocumentVersion")
	if name := str(in, "VersionName"); name != "" {
		version = fmt.Sprint(d.named(name))
	}
	n, content := d.resolve(version)
	if content == nil {
		return nil, fail("InvalidDocumentVersion",
			"The document version is not valid or does not exist.")
	}
	status, why, name := d.state(n, c.clock.Now())
	return map[string]any{"Name": d.name, "DocumentVersion": fmt.Sprint(n), "Content": d.texts[n-1],
		"DocumentType": d.kind(), "DocumentFormat": "JSON",
		"Status": status, "StatusInformation": why, "VersionName": name,
		"AttachmentsContent": c.attachments(r, d, n)}, nil
}

func (c *Cloud) deleteDocument(r *region, in map[string]any) (any, *failure) {
	d, f := r.document(in)
	if f != nil {
		return nil, f
	}
	if d.owner != r.account {
		return nil, fail("AccessDeniedException", "The document %s is not yours.", d.name)
	}
	if name := str(in, "VersionName"); name != "" {
		return map[string]any{}, d.deleteVersion(name)
	}
	delete(r.documents, d.name)
	return map[string]any{}, nil
}

// retain keeps what an import must not change in an existing finding (BatchImportFindings, "cannot
// be used to update"): the customer's fields, and severity and types unless the provider's own
// fields set them.
func retain(old, imported map[string]any) {
	for _, k := range []string{"Note", "UserDefinedFields", "VerificationState", "Workflow"} {
		delete(imported, k)
		if v, ok := old[k]; ok {
			imported[k] = v
		}
	}
	given, _ := imported["FindingProviderFields"].(map[string]any)
	for _, k := range []string{"Severity", "Types"} {
		if imported[k] = old[k]; given[k] != nil {
			imported[k] = given[k]
		}
	}
}

// importFindings is BatchImportFindings: at most 100, each at most 240 KB. A finding with a known
// id updates the existing one.
func (c *Cloud) importFindings(r *region, in map[string]any) (any, *failure) {
	if !r.hub {
		return nil, &failure{401, "InvalidAccessException", "Account " + r.account +
			" is not subscribed to AWS Security Hub"}
	}
	list, _ := in["Findings"].([]any)
	failed := []any{}
	done := 0
	for _, v := range list {
		m, _ := v.(map[string]any)
		arn := fmt.Sprintf("arn:aws:securityhub:%s:%s:product/%s/default", r.region, r.account,
			r.account)
		switch {
		case str(m, "AwsAccountId") != r.account || str(m, "ProductArn") != arn:
			failed = append(failed, map[string]any{"Id": m["Id"], "ErrorCode": "InvalidInput",
				"ErrorMessage": "AwsAccountId or ProductArn is not this account's"})
			continue
		case len(fmt.Sprint(m)) > 240_000:
			failed = append(failed, map[string]any{"Id": m["Id"], "ErrorCode": "LimitExceeded",
				"ErrorMessage": "The finding is larger than 240 KB"})
			continue
		}
		if old := r.findings[str(m, "Id")]; old != nil {
			was, _ := time.Parse(time.RFC3339, str(old, "UpdatedAt"))
			is, err := time.Parse(time.RFC3339, str(m, "UpdatedAt"))
			if err != nil || is.Before(was) {
				failed = append(failed, map[string]any{"Id": m["Id"], "ErrorCode": "InvalidInput",
					"ErrorMessage": "UpdatedAt is older than the finding's"})
				continue
			}
			retain(old, m)
		}
		r.findings[str(m, "Id")] = m
		done++
	}
	return map[string]any{"FailedCount": len(failed), "SuccessCount": done,
		"FailedFindings": failed}, nil
}

// getFindings returns all, sorted by id. It applies only the filters by product, generator and
// record state.
func (c *Cloud) getFindings(r *region, in map[string]any) (any, *failure) {
	var list []any
	filters, _ := in["Filters"].(map[string]any)
	for _, id := range sortedKeys(r.findings) {
		if keepFinding(r.findings[id], filters) {
			list = append(list, r.findings[id])
		}
	}
	page, next, f := paged(list, in, 100)
	if f != nil {
		return nil, f
	}
	return map[string]any{"Findings": page, "NextToken": next}, nil
}

func keepFinding(finding, filters map[string]any) bool {
	for _, key := range []string{"ProductArn", "GeneratorId", "RecordState"} {
		list, _ := filters[key].([]any)
		for _, v := range list {
			m, _ := v.(map[string]any)
			value := str(finding, key)
			if str(m, "Comparison") == "EQUALS" && value != str(m, "Value") ||
				str(m, "Comparison") == "PREFIX" && !strings.HasPrefix(value, str(m, "Value")) {
				return false
			}
		}
	}
	return true
}

// DisableHub disables Security Hub in a region.
func (c *Cloud) DisableHub(account, regionName string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.region(account, regionName).hub = false
}
