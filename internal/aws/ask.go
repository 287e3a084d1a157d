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

// task describes one request.
type task struct {
	api     string // as in IAM: "ssm:SendCommand"
	what    string // its purpose, after "cannot"
	scope   string // whose rate it counts towards: the place
	once    bool   // not repeated if it may have taken effect
	hint    string // the remedy if it is not allowed; empty: the usual one
	subject string // the document, the bucket
	long    bool   // transfers of objects take long
}

func (s *site) task(api, what string) task {
	return task{api: api, what: in(s.Place, "%s", what), scope: s.Place.String()}
}

// The timeouts of answers, and how often a request is repeated after each kind of failure.
const (
	patience      = time.Minute
	longPatience  = 30 * time.Minute
	firstPause    = 500 * time.Millisecond
	longestPause  = 20 * time.Second
	moreThrottled = 8
	moreFaults    = 4
	moreDropped   = 3
)

// failureKind is the kind of a failure, which decides whether to repeat the request.
type failureKind int

const (
	final     failureKind = iota // it would fail again
	throttled                    // refused, without effect
	unsent                       // no connection was made, so without effect
	dropped                      // it may have taken effect
	faulty                       // 5xx: it may have taken effect
)

// ask makes a request within the rate, and repeats it after temporary failures. Its error is a
// *dropcap.Error.
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
		kind := kindOf(err)
		if ctx.Err() != nil || !t.retryable(kind, attempt) {
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

// retryable reports whether to try once more. A request that must be made at most once is repeated
// only if it certainly had no effect.
func (t task) retryable(kind failureKind, attempt int) bool {
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

// pauseAfter returns a pause that grows exponentially, with jitter over its upper half.
func pauseAfter(attempt int) time.Duration {
	d := min(firstPause<<attempt, longestPause)
	return d/2 + rand.N(d/2)
}

// kindOf classifies an error of the SDK.
func kindOf(err error) failureKind {
	var told *dropcap.Error
	if errors.As(err, &told) {
		return final // of a nested request, which had its own repetitions
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

// connection reports whether the request was sent, or may have been, and no answer came back.
func connection(err error) bool {
	var send *smithyhttp.RequestSendError
	var timeout net.Error
	var cut *smithy.DeserializationError
	return errors.As(err, &send) || errors.As(err, &timeout) || errors.As(err, &cut) ||
		errors.Is(err, context.DeadlineExceeded)
}

// codeOf returns the service's own name of an error; empty if it is not a service's.
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
