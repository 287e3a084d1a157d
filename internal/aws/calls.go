package aws

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// call is one operation of a service.
//
// The SDK's clients are kept as the few operations that are used. A client inside a value that
// becomes an interface, as Client does, keeps all its exported methods in the program, since
// templates may call any (cmd/link, deadcode). That was some 270 operations and 7 MB.
type call[In, Out, Options any] func(context.Context, *In, ...func(*Options)) (*Out, error)

type manager struct {
	SendCommand            call[ssm.SendCommandInput, ssm.SendCommandOutput, ssm.Options]
	ListCommandInvocations call[ssm.ListCommandInvocationsInput,
		ssm.ListCommandInvocationsOutput, ssm.Options]
	GetCommandInvocation call[ssm.GetCommandInvocationInput, ssm.GetCommandInvocationOutput,
		ssm.Options]
	DescribeInstanceInformation call[ssm.DescribeInstanceInformationInput,
		ssm.DescribeInstanceInformationOutput, ssm.Options]
	PutComplianceItems call[ssm.PutComplianceItemsInput, ssm.PutComplianceItemsOutput,
		ssm.Options]
	GetDocument      call[ssm.GetDocumentInput, ssm.GetDocumentOutput, ssm.Options]
	DescribeDocument call[ssm.DescribeDocumentInput, ssm.DescribeDocumentOutput,
		ssm.Options]
	CreateDocument call[ssm.CreateDocumentInput, ssm.CreateDocumentOutput,
		ssm.Options]
	UpdateDocument call[ssm.UpdateDocumentInput, ssm.UpdateDocumentOutput,
		ssm.Options]
	UpdateDocumentDefaultVersion call[ssm.UpdateDocumentDefaultVersionInput,
		ssm.UpdateDocumentDefaultVersionOutput, ssm.Options]
	DeleteDocument call[ssm.DeleteDocumentInput, ssm.DeleteDocumentOutput,
		ssm.Options]
}

func managerOf(cfg sdk.Config) manager {
	c := ssm.NewFromConfig(cfg)
	return manager{
		SendCommand: c.SendCommand, ListCommandInvocations: c.ListCommandInvocations,
		GetCommandInvocation:        c.GetCommandInvocation,
		DescribeInstanceInformation: c.DescribeInstanceInformation,
		PutComplianceItems:          c.PutComplianceItems,
		GetDocument:                 c.GetDocument, DescribeDocument: c.DescribeDocument,
		CreateDocument: c.CreateDocument, UpdateDocument: c.UpdateDocument,
		UpdateDocumentDefaultVersion: c.UpdateDocumentDefaultVersion,
		DeleteDocument:               c.DeleteDocument,
	}
}

type hub struct {
	BatchImportFindings call[securityhub.BatchImportFindingsInput,
		securityhub.BatchImportFindingsOutput, securityhub.Options]
	GetFindings call[securityhub.GetFindingsInput, securityhub.GetFindingsOutput,
		securityhub.Options]
}

func hubOf(cfg sdk.Config) hub {
	c := securityhub.NewFromConfig(cfg)
	return hub{c.BatchImportFindings, c.GetFindings}
}

type groups struct {
	ListGroupResources call[resourcegroups.ListGroupResourcesInput,
		resourcegroups.ListGroupResourcesOutput, resourcegroups.Options]
}

func groupsOf(cfg sdk.Config) groups {
	return groups{resourcegroups.NewFromConfig(cfg).ListGroupResources}
}
