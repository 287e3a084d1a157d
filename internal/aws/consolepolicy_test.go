package aws_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"dropcap"
	"dropcap/internal/aws"
	"dropcap/internal/fleet"
	"dropcap/internal/lab/cloud"
)

// The documents that a person sends from a form.
var (
	lookForms = []string{"dropcap-audit", "dropcap-plan", "dropcap-status"}
	allForms  = append(lookForms[:3:3], "dropcap-apply", "dropcap-backout")
)

// person asks AWS as its console does, with the documents for people in place.
func person(t *testing.T, double *cloud.Cloud) *ssm.Client {
	t.Helper()
	for _, d := range fleet.ConsoleDocuments() {
		double.Document(cloud.DefaultAccount, east, d.Name, d.Content)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRetryer(func() sdk.Retryer {
		return sdk.NopRetryer{}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return ssm.NewFromConfig(cfg)
}

// denied makes a refusal what dropcap makes of it.
func denied(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException" {
		return fmt.Errorf("%w: %w", dropcap.ErrDenied, err)
	}
	return err
}

func sendsForms(names []string) func(*testing.T, *cloud.Cloud, *aws.Client) error {
	return func(t *testing.T, double *cloud.Cloud, _ *aws.Client) error {
		c := person(t, double)
		for _, name := range names {
			if _, err := c.SendCommand(t.Context(), &ssm.SendCommandInput{DocumentName: &name,
				InstanceIds: []string{one}}); err != nil {
				return denied(err)
			}
		}
		return nil
	}
}

// runsBooks runs the control to its end, and stops another one.
func runsBooks(t *testing.T, double *cloud.Cloud, _ *aws.Client) error {
	c := person(t, double)
	var id *string
	for range 2 {
		out, err := c.StartAutomationExecution(t.Context(), &ssm.StartAutomationExecutionInput{
			DocumentName: sdk.String("dropcap-control"), Parameters: map[string][]string{
				"TagKey": {"role"}, "TagValue": {"web"}, "Approvers": {"lab"}}})
		if err != nil {
			return denied(err)
		}
		id = out.AutomationExecutionId
		got, err := c.GetAutomationExecution(t.Context(),
			&ssm.GetAutomationExecutionInput{AutomationExecutionId: id})
		if err != nil {
			return denied(err)
		}
		if why := sdk.ToString(got.AutomationExecution.FailureMessage); strings.Contains(why,
			"AccessDeniedException") {
			return fmt.Errorf("%w: %s", dropcap.ErrDenied, why)
		}
		if _, err := c.SendAutomationSignal(t.Context(), &ssm.SendAutomationSignalInput{
			AutomationExecutionId: id, SignalType: types.SignalTypeApprove}); err != nil {
			return denied(err)
		}
	}
	_, err := c.StopAutomationExecution(t.Context(),
		&ssm.StopAutomationExecutionInput{AutomationExecutionId: id})
	return denied(err)
}

func auditsDaily(t *testing.T, double *cloud.Cloud, _ *aws.Client) error {
	c := person(t, double)
	out, err := c.CreateAssociation(t.Context(), &ssm.CreateAssociationInput{
		Name:               sdk.String("dropcap-audit"),
		Targets:            []types.Target{{Key: sdk.String("tag:role"), Values: []string{"web"}}},
		Parameters:         map[string][]string{"findings": {"fail"}},
		ScheduleExpression: sdk.String("rate(1 day)")})
	if err != nil {
		return denied(err)
	}
	id := out.AssociationDescription.AssociationId
	_, err = c.StartAssociationsOnce(t.Context(),
		&ssm.StartAssociationsOnceInput{AssociationIds: []string{*id}})
	if err == nil {
		_, err = c.DescribeAssociationExecutions(t.Context(),
			&ssm.DescribeAssociationExecutionsInput{AssociationId: id})
	}
	if err == nil {
		_, err = c.DeleteAssociation(t.Context(), &ssm.DeleteAssociationInput{AssociationId: id})
	}
	return denied(err)
}
