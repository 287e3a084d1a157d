// Package aws carries the fleet's commands through AWS Systems Manager, and puts documents,
// objects, findings and compliance where AWS keeps them. It is the only importer of the AWS SDK. It
// limits the rate of requests to each API of each place, and never repeats a command that may have
// taken effect.
package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"dropcap"
)

// DefaultRate is the number of requests a second to each API of a place.
const DefaultRate = 5

// Options says whose nodes are meant. The rest comes from the SDK's standard configuration:
// environment, shared files, the instance's role.
type Options struct {
	Regions []string // empty: the configuration's region
	Profile string   // empty: the configuration's
	// ARNs of roles to assume, one for each account; empty: the caller's own account
	Roles []string
	Rate  float64 // requests a second for each API of each place; 0: DefaultRate
	Clock Clock   // nil: the wall clock
}

// Clock returns the time and waits. Tests may control it.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Wall is this machine's clock.
type Wall struct{}

// Now is the time of day.
func (Wall) Now() time.Time { return time.Now() }

// Sleep waits.
func (Wall) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Client talks to AWS in all places named by the options. It is safe for concurrent use.
type Client struct {
	clock   Clock
	rate    float64
	regions []string
	roles   map[string]string // account → ARN
	cfg     sdk.Config        // of the caller

	mu       sync.Mutex
	own      string                // the caller's account, once known
	accounts map[string]sdk.Config // with the account's credentials
	sites    map[dropcap.Place]*site
	limits   map[string]*limiter
	buckets  map[string]string // bucket → region, if it is not the place's
}

var (
	regionForm = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-\d+$`)
	roleForm   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+$`)
)

// Open reads the configuration. It makes no request to AWS yet.
func Open(ctx context.Context, o Options) (*Client, error) {
	c := &Client{clock: o.Clock, rate: o.Rate, roles: map[string]string{},
		accounts: map[string]sdk.Config{}, sites: map[dropcap.Place]*site{},
		limits: map[string]*limiter{}, buckets: map[string]string{}}
	if c.clock == nil {
		c.clock = Wall{}
	}
	if c.rate == 0 {
		c.rate = DefaultRate
	}
	if !(c.rate > 0 && c.rate <= 1000) {
		return nil, dropcap.Errorf(dropcap.CodeUsage, "it is above 0 and at most 1000",
			"cannot ask %v times a second", o.Rate)
	}
	for _, arn := range o.Roles {
		m := roleForm.FindStringSubmatch(arn)
		if m == nil {
			return nil, dropcap.Errorf(dropcap.CodeUsage,
				"a role looks like arn:aws:iam::111122223333:role/NAME", "cannot use %q as a role",
				arn)
		}
		if before, ok := c.roles[m[1]]; ok && before != arn {
			return nil, dropcap.Errorf(dropcap.CodeUsage, "name one role for each account",
				"cannot use two roles of account %s", m[1])
		}
		c.roles[m[1]] = arn
	}
	load := []func(*config.LoadOptions) error{
		config.WithRetryer(func() sdk.Retryer { return sdk.NopRetryer{} }), // ask repeats requests
		config.WithAppID("dropcap"),
		config.WithLogger(logging.Nop{}), // errors are reported once, as ours
		config.WithAPIOptions([]func(*middleware.Stack) error{readBodies}),
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, misconfigured(o, err)
	}
	c.cfg = cfg
	if err := c.setRegions(o); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Client) setRegions(o Options) error {
	for _, r := range o.Regions {
		if !slices.Contains(c.regions, r) {
			c.regions = append(c.regions, r)
		}
	}
	if len(c.regions) == 0 && c.cfg.Region != "" {
		c.regions = []string{c.cfg.Region}
	}
	if len(c.regions) == 0 {
		return dropcap.Errorf(dropcap.CodeUsage,
			"name it with --region, set AWS_REGION, or run aws configure",
			"cannot tell in which region of AWS the nodes are")
	}
	for _, r := range c.regions {
		if !regionForm.MatchString(r) {
			return dropcap.Errorf(dropcap.CodeUsage, "a region is called like us-east-1",
				"cannot use %q as a region", r)
		}
	}
	if c.cfg.Region == "" {
		c.cfg.Region = c.regions[0]
	}
	return nil
}

func misconfigured(o Options, err error) error {
	var missing config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &missing):
		name := missing.Profile
		if name == "" {
			name = o.Profile
		}
		return dropcap.Errorf(dropcap.CodeUsage,
			"aws configure list-profiles tells which there are",
			"cannot find the profile %q in the configuration of AWS", name)
	default:
		return dropcap.Errorf(dropcap.CodeUsage,
			"look at AWS_* in the environment and at ~/.aws/config",
			"cannot read the configuration of AWS: %s", oneLine(err.Error()))
	}
}

// Places returns where nodes are searched: each account in each region, sorted.
func (c *Client) Places(ctx context.Context) ([]dropcap.Place, error) {
	accounts := slices.Sorted(maps.Keys(c.roles))
	if len(accounts) == 0 {
		own, err := c.caller(ctx)
		if err != nil {
			return nil, err
		}
		accounts = []string{own}
	}
	var out []dropcap.Place
	for _, a := range accounts {
		for _, r := range slices.Sorted(slices.Values(c.regions)) {
			out = append(out, dropcap.Place{Account: a, Region: r, Role: c.roles[a]})
		}
	}
	return out, nil
}

func in(p dropcap.Place, format string, args ...any) string {
	return fmt.Sprintf(format, args...) + " in " + p.String()
}
