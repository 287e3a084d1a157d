package aws

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"dropcap"
)

// task is one request to be made.
type task struct {
	api     string // as IAM has it: "ssm:SendCommand"
	what    string // what it is to do, after "cannot"
	scope   string // whose rate it counts to: the place
	once    bool   // not repeated where it may have taken effect
	hint    string // the remedy where it is not allowed; empty: the usual one
	subject string // the document, the bucket
	long    bool   // objects take their time
}

func (s *site) task(api, what string) task {
	return task{api: api, what: in(s.Place, "%s", what), scope: s.Place.String()}
}

// How long an answer may take, and how often a request is repeated after each kind of failure.
const (
	patience      = time.Minute
	longPatience  = 30 * time.Minute
	firstPause    = 500 * time.Millisecond
	longestPause  = 20 * time.Second
	moreThrottled = 8
	moreFaults    = 4
	moreDropped   = 3
)

// trouble is how a request failed, as far as repeating it goes.
type trouble int

const (
	final     trouble = iota // it would fail again
	throttled                // refused, without effect
	unsent                   // no connection was made, so without effect
	dropped                  // it may have taken effect
	faulty                   // 5xx: it may have taken effect
)

// ask makes a request within the rate, and again after failures that pass by themselves. Its error
// is a *dropcap.Error.
func ask[T any](ctx context.Context, c *Client, t task,
	do func(context.Context) (T, error)) (T, error) {
	l := c.limit(t.scope, t.api)
	for attempt := 0; ; attempt++ {
		if err := l.wait(ctx, c.clock); err != nil {
			var none T
			return none, interrupted(t.what, err)
		}
		out, err := once(ctx, t, do)
		if err == nil {
			return out, nil
		}
		kind := troubleOf(err)
		if ctx.Err() != nil || !t.again(kind, attempt) {
			return out, t.explain(ctx, err, kind)
		}
		pause := pauseAfter(attempt)
		if kind == throttled {
			err = l.hold(ctx, c.clock, pause)
		} else {
			err = c.clock.Sleep(ctx, pause)
		}
		if err != nil {
			return out, interrupted(t.what, err)
		}
	}
}

func once[T any](ctx context.Context, t task, do func(context.Context) (T, error)) (T, error) {
	most := patience
	if t.long {
		most = longPatience
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return do(ctx)
}

// again tells whether to try once more. One that must be done once at most is repeated only where
// it certainly had no effect.
func (t task) again(kind trouble, attempt int) bool {
	switch kind {
	case throttled:
		return attempt < moreThrottled
	case unsent:
		return attempt < moreDropped
	case dropped:
		return !t.once && attempt < moreDropped
	case faulty:
		return !t.once && attempt < moreFaults
	}
	return false
}

// pauseAfter grows exponentially, with jitter over its upper half.
func pauseAfter(attempt int) time.Duration {
	d := min(firstPause<<attempt, longestPause)
	return d/2 + rand.N(d/2)
}

// troubleOf sorts an error of the SDK.
func troubleOf(err error) trouble {
	var told *dropcap.Error
	if errors.As(err, &told) {
		return final // of a request within the request, which had its own repetitions
	}
	code, status := codeOf(err), statusOf(err)
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok || status == http.StatusTooManyRequests {
		return throttled
	}
	if status >= http.StatusInternalServerError {
		return faulty
	}
	if code != "" || status != 0 && status != http.StatusOK {
		return final
	}
	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return final
	case errors.As(err, &name), errors.As(err, &dial) && dial.Op == "dial":
		return unsent
	case connection(err):
		return dropped
	}
	return final
}

// connection tells whether the request went out, or may have, and no answer came back.
func connection(err error) bool {
	var send *smithyhttp.RequestSendError
	var timeout net.Error
	var cut *smithy.DeserializationError
	return errors.As(err, &send) || errors.As(err, &timeout) || errors.As(err, &cut) ||
		errors.Is(err, context.DeadlineExceeded)
}

// codeOf gives the service's own name of an error; empty if it is none of a service.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	var resp *smithyhttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		return resp.HTTPStatusCode()
	}
	return 0
}
