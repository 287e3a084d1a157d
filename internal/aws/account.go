package aws

import (
	"context"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"dropcap"
)

// site is a place with the clients of its services.
type site struct {
	dropcap.Place
	ssm    manager
	groups groups
	hub    hub
	s3     *s3.Client
	cfg    sdk.Config
}

// caller returns the account of the credentials. It asks for it once.
func (c *Client) caller(ctx context.Context) (string, error) {
	c.mu.Lock()
	own := c.own
	c.mu.Unlock()
	if own != "" {
		return own, nil
	}
	if c.cfg.Credentials == nil {
		return "", noCredentials("cannot find out whose account this is", nil)
	}
	if _, err := c.cfg.Credentials.Retrieve(ctx); err != nil {
		// requested separately, to tell missing credentials from a refusal
		if ctx.Err() != nil {
			return "", interrupted("find out whose account this is", ctx.Err())
		}
		return "", noCredentials("cannot find out whose account this is", err)
	}
	client := sts.NewFromConfig(c.cfg)
	t := task{api: "sts:GetCallerIdentity", what: "find out whose account this is",
		scope: "caller/" + c.cfg.Region}
	out, err := ask(ctx, c, t, func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
		return client.GetCallerIdentity(ctx, nil)
	})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = sdk.ToString(out.Account)
	return c.own, nil
}

// config returns the configuration with an account's credentials: the caller's own, or an assumed
// role's.
func (c *Client) config(ctx context.Context, account string) (sdk.Config, error) {
	if arn, ok := c.roles[account]; ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		cfg, ok := c.accounts[account]
		if !ok {
			cfg = c.cfg.Copy()
			cfg.Credentials = sdk.NewCredentialsCache(&role{c: c, arn: arn},
				func(o *sdk.CredentialsCacheOptions) {
					o.ExpiryWindow = 5 * time.Minute
				})
			c.accounts[account] = cfg
		}
		return cfg, nil
	}
	own, err := c.caller(ctx)
	if err != nil {
		return sdk.Config{}, err
	}
	if own != account {
		return sdk.Config{}, &dropcap.Error{Code: dropcap.CodeUsage,
			Message: "cannot reach account " + account + ": the credentials are for account " + own,
			Hint:    "name a role of that account with --role-arn", Err: &caused{"unknown-account",
				dropcap.ErrDenied}}
	}
	return c.cfg, nil
}

// role supplies the credentials of an assumed role, with the rate limit and repetitions of every
// request. The SDK's cache is in front of it.
type role struct {
	c   *Client
	arn string
}

// Retrieve assumes the role.
func (r *role) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	client := sts.NewFromConfig(r.c.cfg)
	t := task{api: "sts:AssumeRole", what: "assume the role " + r.arn, scope: "caller/" +
		r.c.cfg.Region,
		hint: "allow sts:AssumeRole on this role to the caller, and let the role's own policy " +
			"trust it"}
	out, err := ask(ctx, r.c, t, func(ctx context.Context) (*sts.AssumeRoleOutput, error) {
		return client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &r.arn,
			RoleSessionName: sdk.String("dropcap")})
	})
	if err != nil {
		return sdk.Credentials{}, err
	}
	k := out.Credentials
	if k == nil {
		return sdk.Credentials{}, dropcap.Errorf(dropcap.CodeError, "",
			"cannot assume the role %s: the answer has no credentials", r.arn)
	}
	return sdk.Credentials{AccessKeyID: sdk.ToString(k.AccessKeyId),
			SecretAccessKey: sdk.ToString(k.SecretAccessKey),
			SessionToken:    sdk.ToString(k.SessionToken),
			CanExpire:       k.Expiration != nil, Expires: sdk.ToTime(k.Expiration),
			Source: "dropcap"},
		nil
}

// at returns the site of a place. It ignores the place's role: the options determine how an account
// is reached.
func (c *Client) at(ctx context.Context, p dropcap.Place) (*site, error) {
	if !regionForm.MatchString(p.Region) {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "a region is called like us-east-1",
			"cannot use %q as a region", p.Region)
	}
	p.Role = c.roles[p.Account]
	c.mu.Lock()
	s := c.sites[p]
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	cfg, err := c.config(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	cfg = cfg.Copy()
	cfg.Region = p.Region
	s = &site{Place: p, cfg: cfg, ssm: managerOf(cfg), groups: groupsOf(cfg), hub: hubOf(cfg),
		s3: bucketsOf(cfg)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.sites[p]; before != nil {
		return before, nil
	}
	c.sites[p] = s
	return s, nil
}
